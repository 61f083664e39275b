"""Carries out hyperparameter searches.

ledger_file       a study and its ledger in a folder
results           tables, plots, export to Optuna, comparison
results_commands  the commands that show results
brokers           trials through a broker that the user runs
"""
