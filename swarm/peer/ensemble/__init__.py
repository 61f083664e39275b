"""Members and askers of ensembles on a host.

ensembles         Ensembles: the workload; its machines, and the ensembles that others offer
ensemble_driver   EnsembleDriver: drives one machine of an ensemble, a member's or an asker's

Rows and orders of the user:

inbox             Inbox: takes files of rows, and orders, out of a folder
orders            files that commands leave in an inbox, and the replies to them
local_member      find_local_member(): the member on this machine that a command is for
audit_log         AuditLog: which peer asked for how many rows

The command line, `python -m swarm.ensemble`:

command_app       the application, and the options that commands share
row_commands      add, fit, promote, rollback, audit
commands          puts the commands together; each module of commands adds its own
"""
