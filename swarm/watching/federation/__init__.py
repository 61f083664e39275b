"""Watches a session of federated training.

observation       the machine: follows a session from its messages
peer_registry     which peers are there, in which state, and their names
live_state        what moves now: peers seen, flows of weights, lines of the log
head_reader       asks peers for heads, the newest and those of the past
head_history      the chain of heads back to head 0, and accuracy along it
ledger_reader     reads the peers' ledgers, one after the other
alerts            what a person may have to look at, in sentences
differing_data    alerts about peers whose data differ from the others'
pace              the time that is left, and training accuracy along the run
outcomes          what became of the work of each round
command_tracking  an operator's commands, until the peers confirm them
"""
