"""Rehearses the very machines that run in production, on virtual time; one seed, one history.

faults      what goes wrong, how often and when
clock       virtual time, and a queue of what is to happen when
peers       what each simulated peer is, and what all of them hold
links       connections, partitions, silence
delivery    messages on their way from peer to peer
transfers   blobs on their way from store to store
operators   commands that a plan has them give
learner     weights as small vectors: training and combining
roles       who is the root, an aggregator, a trainer
hostile     a machine that lies
simulator   puts them together: faults, lives of peers, effects
arithmetic  redoes what heads claim
traffic     what a peer may send, receive and keep in a round
checkers    what must hold after every event
scenario    a swarm and what goes wrong in it; plans: what that is; scenarios: all of them, by name
history     every event as it was delivered
transcript  a history in words
studies     the same for searches: peers, trials, faults, checkers, scenarios
rehearsal   many seeds in many processes
"""
