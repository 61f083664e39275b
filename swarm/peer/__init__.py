"""Wires everything: command line, settings, driver, worker process, observer, launcher.

__main__        python -m swarm.peer: the command line
settings        what a user can set
peer            one peer's life: network, worker, session, federation
driver          hands events to the machine and carries out its effects
mailbox         events on their way to the machine, and the blobs they tell of
state           what survives a restart
status          what this peer tells those who watch, and its report file
workers         the worker process as trio sees it
worker_pipes    starts that process, or has it forked, and ends it
worker_process  the worker process itself
fork_server     python -m swarm.peer.fork_server: forks the workers of one machine's peers
frames          what goes through the pipe between the two
observer        a peer that only watches
logs            log lines for people and for programs
"""
