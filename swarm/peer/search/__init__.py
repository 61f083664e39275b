"""Runs hyperparameter studies.

commands          `python -m swarm.search`: run, resume, worker, status, best, cancel
results_commands  its commands that read folders: models, results, plot, export, evaluate
broker_commands   `run` and `worker` with --broker
study_actions     what commands do with studies: run, find, choose, cancel, read
study_text        studies in words; what `run` and `resume` print at the end
study_progress    how far a study is, as a bar or as lines
overview          studies as `status` and `best` show them
waiting_hints     hints for the user of a peer that waits
start_search      start_search(), for scripts
running_search    RunningSearch and RunningStudy, for scripts
search_settings   what a user can set
search_peer       a host that only takes part in studies
studies           the studies of a host: joins, begins and ends them
study_driver      carries out what the machine of a study asks for
trial_execution   runs trials in the processes of a pool
ledger_file       the folder of a study
strategy_code     loads a user's strategy
results           tables, plots, export to Optuna, comparison
brokers           trials through a broker that the user runs
"""
