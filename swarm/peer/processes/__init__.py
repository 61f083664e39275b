"""Runs trials in processes of their own, one a slot, that live on from trial to trial.

frames   what is said between a peer and such a process
process  the process
outlet   bytes on their way to such a process
life     one life of such a process, and the trials that were sent to it
worker   TrialWorker: one process as trio sees it; a trial that crashes or hangs is an outcome
pool     TrialPool: as many of them as a peer has slots
"""
