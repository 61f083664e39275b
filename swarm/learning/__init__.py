"""Does the maths: models, data, training, averaging. Blocking; knows no event loop and no network.

jobs          what a learner can be asked, and what it answers; plain records
errors        what can go wrong, beyond swarm.core.errors
learner       Learner: does the jobs, one at a time
backend       the one place that imports Keras, quietly and with few threads
models        built-in Keras models, one short file each
datasets      where examples come from
partitioners  how one data set is split among peers
shards        this peer's part of the data
seeds         every random choice, from the session's seed
optimizers    the session's Keras optimizer, fresh each round
evaluation    accuracy and loss of weights on a test shard
weights       safetensors files of a model's weights
gates         which contributions are averaged at all
aggregation   federated_average()
trials        one set of hyperparameters in, one score out; for searches

Only learner, backend, optimizers and models need Keras; a peer process may import the rest.
"""
