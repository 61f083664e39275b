"""Trials of a hyperparameter search: one set of hyperparameters in, one score out. Blocking.

records          what a trial is asked, and what it answers; plain records
hyperparameters  declarations, by which a wrong value is refused by name before anything runs
families         models to try, one short file each; the registry
objectives       what a trial is scored by
tables           data by name (iris, wine, digits, ...), or from a CSV or `.npz` file
folds            stratified, seeded cross-validation
studies          from and to the records of a study; checks on submission
runner           run_trial(): epochs over folds, reports, checkpoints
checkpoints      safetensors files from which another peer resumes a trial exactly

Importing any of these imports neither scikit-learn nor Keras; running a trial imports what its
family needs, and no more.
"""
