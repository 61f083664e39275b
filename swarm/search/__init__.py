"""Searches hyperparameters without a server: what to try, which peer tries it, what came of it.

What is searched:

values              hyperparameters as plain scalars
space               dimensions, conditions, one search space per model
settings_tree       counts the settings of a space, and finds each by its number
catalog             names of models, data sets and objectives
study               StudySpec: what is searched and by which rules, immutable
study_file          a StudySpec from the values of a TOML or JSON file
trial               Trial, TrialReport, TrialResult
strategies          what to try next: ask and tell

What peers agree on, and say to each other:

study_ledger        trials, reports, results; in the end the same at every peer
succession          the order in which members take over
messages            the messages between peers
topics              where messages are published
batches             cuts records into messages of bounded size
effects             requests of the machine to its driver, and the driver's events

The machine, one peer's part in one study:

search              Search: dispatches each event to a part, returns the effects
coordinators        which peer coordinates, who the members are, when to take over
study_heartbeats    heartbeats, and offers of the study
outgoing_batches    when news and ledger entries are sent
replica             the copy of the ledger here: read from the coordinator, or published
ledger_sync         how far the coordinator's ledger was read, and what it lacks
ledger_writer       adds entries to the ledger; what follows from each
study_blobs         the submitter's data, and checkpoints
worker_role         as a worker: slots, leases, reports
held_trials         trials leased to this peer
coordinator_role    as the coordinator: the decisions of one term
trial_supply        asks the strategy for trials and leases them
lease_book          which worker has which trials
lost_leases         what follows when leases are lost
term_ledger         what the term records, and what its strategy learns from that

The command line:

__main__            `python -m swarm.search`; its commands are in `swarm.peer.search`

The code that executes a trial (`swarm.learning.search`) takes a `StudySpec` (data, objective,
folds, epochs_max, seed, trial_limit_s), a `Trial` (model, params), the local path of the study's
data file if there is one, and the local path of a checkpoint if one was handed over. It produces
a `TrialReport` per epoch, if the model has epochs, and one `TrialResult`; the peer that runs it
fills in `peer`. It may ignore lease times, strategies, terms and the ledger.
"""
