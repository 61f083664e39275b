"""Rehearses federated training: the machines of `swarm.federation` in a simulated world.

scenarios           sessions and their faults by name
scenario            a session and what goes wrong in it
plans               what goes wrong, at times that the seed chooses
transcript          a history in words
checkers            what must hold after every event, and at the end
command_checks      what must hold where operators give commands
arithmetic          redoes the computation behind each head
traffic             what a peer may send, receive and keep in a round
simulator           the peers of a session, and the effects that only sessions have
hostile             a peer that lies and floods
simulated_learning  weights as small vectors: training, combining, measuring
roles               which peer is the root, an aggregator or a trainer
peers               what each peer has, and what all of them hold
faults              faults that only sessions have
"""
