"""Rehearses the very machines that run in production, on virtual time; one seed, one history.

faults      what goes wrong, how often and when
simulator   a heap of events, virtual time, simulated messages, blobs and learners
checkers    what must hold after every event
scenarios   faults by name
"""
