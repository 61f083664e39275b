"""Rehearses searches for hyperparameters: the machines of `swarm.search` in a simulated world.

scenarios   studies and their faults by name
transcript  a history in words
checkers    what must hold after every event, and at the end
simulator   the peers of a study, and the effects that only studies have
execution   trials that take virtual time, report epochs and leave checkpoints
hostile     a peer that lies about trials
peers       what each peer has, and what survives a crash of it
faults      faults that only studies have
"""
