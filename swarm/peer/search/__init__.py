"""Carries out hyperparameter searches.

ledger_file       a study and its ledger in a folder
results           tables, plots, export to Optuna, comparison
progress          how far a study is, on a terminal or in a log file
overview          studies as `status` and `best` show them
waiting           what a peer says it waits for
ending            what is said at the end of a study, and exit codes
results_commands  the commands that show results
brokers           trials through a broker that the user runs
"""
