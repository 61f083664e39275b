"""What a study has found, for people and for other programs.

tables        rows, as CSV and JSON lines
optuna_study  the study as Optuna knows studies; export to a storage that optuna-dashboard opens
plots         PNG files: optimisation history, curves, importance, parallel coordinates
pages         the same as HTML
comparison    several studies and models next to each other

Functions take a study's spec, its trials and their results; a ledger has all three.
"""
