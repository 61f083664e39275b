"""Runs one peer.

__main__     python -m swarm.peer: the command line
federation   runs federated sessions
search       runs studies
observer     a peer that only watches
processes    child processes, pipes, and the fork server
host         what every peer has: identity, network, store, mailbox, outbox
"""
