"""Starts a whole swarm on one machine, shows how it does, and keeps what came of it.

settings      what a user can set for a run
addresses     free ports for the peers, and whether the dashboard's port is free
dataset       has the data on disk before anything starts
programs      the command lines of the peers and of the dashboard
backend       LocalProcesses: programs as processes of this machine
containers    Containers is the other: docker/compose.yaml
lives         when containers start and end, by whosever hand
output        follows what a program writes, line by line
engine        the Docker on this machine
image         builds the image that containers run from
choice        which of the two, and why
record        what other commands know of a run that is going on
control       those commands: stop, status, logs, shell
attached      runs in each process: ends it when the launcher is gone, however that happened
log_lines     what the peers say, parsed
progress      Progress: what has happened so far, from the peers' log lines
display       shows it: a plain line for each event
summary       summary.json, model.keras and the closing table
launcher      Launcher: one run from the first process to the last
"""
