"""Learning: models, data, training and averaging. Blocking; no event loop and no network.

federation    training, measuring and averaging for federated sessions
search        trials of hyperparameter searches
ensemble      members of ensembles: fits, scores, predicts, combines

estimators    models that can be tried or combined, with their hyperparameters
models        built-in Keras models, and what a session must know of any other
tables        the one reader of tables: CSV, Excel, Parquet, data frames
datasets      named data sets and .npz files for federated sessions
partitioners  how one data set is split among peers
backend       the one place that imports Keras, quietly and with few threads
blob_files    write_blob(): a new file, named by the digest of its bytes
data_config   DataConfig: which data set a peer reads, and which part of it
model_files   what a .keras file says about itself, read without Keras
image_shape   what image models require of their input
progress      Progress: how far a job is
__main__      `python -m swarm.learning evaluate`: measures an exported model
errors        errors of learning, beyond those of swarm.core.errors

Only federation's learner, session_model, evaluation and optimizers, estimators.keras_network,
models and backend import Keras; a peer process may import the other modules.
"""
