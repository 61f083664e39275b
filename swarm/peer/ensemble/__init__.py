"""Members and askers of ensembles on a host.

ensembles         Ensembles: the workload; its machines, and the ensembles that others offer
ensemble_driver   EnsembleDriver: drives one machine of an ensemble, a member's or an asker's

The command line, `python -m swarm.ensemble`:

command_app       the application, and the options that commands share
commands          puts the commands together; each module of commands adds its own
"""
