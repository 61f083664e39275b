"""Rehearses searches for hyperparameters: the machines of `swarm.search` on virtual time.

faults      what goes wrong in a study, how often and when
peers       what each simulated peer is, and what survives a crash of it
execution   trials that take virtual time, report epochs and leave checkpoints
simulator   puts them together: lives of peers, messages, effects
hostile     a peer that lies about trials
checkers    what must hold after every event, and at the end
scenarios   studies and their faults by name
"""
