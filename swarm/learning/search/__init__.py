"""Trials of a hyperparameter search: one set of hyperparameters in, one score out. Blocking.

trial_records  what a trial is asked, and its answers; plain records
trial_runner   run_trial(): epochs over folds, reports, checkpoints
folds          stratified, seeded cross-validation
checkpoints    safetensors files from which another peer resumes a trial exactly
study_tasks    from and to the records of a study; checks on submission

Importing any of these imports neither scikit-learn nor Keras. Running a trial imports only the
libraries that its estimator needs.
"""
