"""Decides a hyperparameter search without a server: what to try, who tries it, what came of it.

values      hyperparameters as plain scalars
space       dimensions, conditions, one search space per model
catalog     names of models, data sets and objectives
study       StudySpec: what is searched and by which rules, immutable
study_file  a StudySpec from the values of a TOML or JSON file
trial       Trial, TrialReport, TrialResult
ledger      what was asked, reported and recorded; the same at every peer in the end
strategies  what to try next: ask and tell
messages    what peers tell each other; topics: where; batches: cut to fit
effects     what the machine asks its driver for, and is told
search      the machine: one peer's part in one study
standing    who coordinates, who else is there, when to take over; succession: in which order
coordinating   one coordinator's work in one term; leases: who has which trials
beats       how this peer is heard to be there, and its study offered
telling     results and new entries go out in batches
worker      what this peer offers, is lent, and tells of it; working: trials lent to it
recording   what follows when an entry is taken into the ledger
replica     the ledger's copy here; following: how far the coordinator's was read
study_blobs the submitter's data, and checkpoints
study_observation  follows all studies of a swarm, for observers

What executes a trial (`swarm.learning.search`) consumes a `StudySpec` (data, objective, folds,
epochs_max, seed, trial_limit_s), a `Trial` (model, params), the local path of the study's data
file if there is one, and the local path of a checkpoint if one was handed over. It produces a
`TrialReport` per epoch, if the model has epochs, and one `TrialResult`; `peer` is filled in by
whoever runs it. It may ignore lease times, strategies, terms and the ledger.
"""
