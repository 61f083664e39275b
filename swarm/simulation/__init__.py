"""Rehearses the machines that run in production, on virtual time; one seed is one history.

The world below is shared. Each workload adds its own effects, faults, checkers and scenarios.

__main__     the command: rehearse scenarios, print a table and failures
rehearsal    many seeds in many processes; all scenarios by name
federation   sessions of federated training: learning, faults, checkers, scenarios
search       studies of hyperparameters: trials, faults, checkers, scenarios
ensemble     ensembles: members, askers, faults, checkers, scenarios
hosting      which sessions a host takes up, and commands to peers
scenario     what a workload's scenario must offer
world        machines, lives of peers, faults, core effects
operators    commands that a plan lets operators give
delivery     messages on their way from peer to peer
transfers    blobs on their way from store to store
links        connections, partitions, silence
peers        what every simulated peer has
faults       what goes wrong, how often and when
checks       broken promises
history      every event as it was delivered
clock        virtual time, and a queue of actions that are due
"""
