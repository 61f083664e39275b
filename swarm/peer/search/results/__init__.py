"""What a study has found, for people and for other programs. All functions take its ledger.

tables        results as CSV and JSON lines
optuna_study  the study as an Optuna study, in memory or in a storage for optuna-dashboard
plots         PNG files: optimisation history, curves, importance, parallel coordinates
pages         the same plots as HTML
comparison    several studies and models next to each other
"""
