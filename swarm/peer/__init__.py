"""Runs one peer: a host with its workloads.

__main__     `python -m swarm.peer`: the command line
federation   federated sessions
search       hyperparameter studies
ensemble     members and askers of ensembles
observer     a peer that only watches
processes    child processes, pipes, and the fork server
host         what every peer has: identity, network, store, outbox, commands
"""
