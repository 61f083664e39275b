"""Rehearses ensembles: the machines of `swarm.ensemble` in a simulated world.

scenarios        ensembles and their faults by name
asker_scenarios  the same with askers, under load
transcript       a history in words
checkers         the promises of members and of askers, together
member_checkers  what must hold after every event of a member, and at the end
asker_checkers   what must hold after every event of an asker, and at the end
agreement        whether live members know all of each other
simulator        the peers of an ensemble, users, and strangers that ask
member_work      what a member's driver and child processes do, on virtual time
asker_work       what an asker's user and driver do: ask, and judge the answers
hostile          a member that lies in its answers
peers            what each peer has, and what survives a crash of it
faults           faults that only ensembles have, and what users do
"""
