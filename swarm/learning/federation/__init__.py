"""Learning for federated sessions: one peer's training, evaluation and averaging.

learner        Learner: does the jobs, one at a time
jobs           what a learner can be asked, and its answers; plain records
shards         a peer's part of the data
seeds          every random choice, from the session's seed
batches        which examples a round uses, in which order, and when it ends
optimizers     SessionOptimizer: the session's or the model's own, fresh in each round
session_model  SessionModel: the session's Keras model, with its loss, optimizer and weights
diagnosis      why a model does not learn: the likely cause and the setting to change
fingerprint    fingerprint(): a digest of a peer's own data
table_model    TableModel: an exported model that predicts from tables
evaluation     evaluate(): score and loss of a model on a shard
weights_files  safetensors files of a model's weights
gates          which contributions are averaged
stale_updates  moves updates and branches that began from another base
combining      combine_files(): from weights files to a combined one, without Keras
aggregation    federated_average()
"""
