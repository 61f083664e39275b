"""Members and askers of ensembles on a host.

The command line, `python -m swarm.ensemble`:

command_app       the application, and the options that commands share
commands          puts the commands together; each module of commands adds its own
"""
