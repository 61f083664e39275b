"""The words that all packages share: ids, records, events, effects, errors. Imports only itself.

ids            distinct types for the names of things
protocol       the version of the wire format and of topics
errors         every error that this project raises
canonical      one byte string per record, for hashing and signing
blobs          BlobRef
machine        the sans-IO contract: Event, Effect, Machine
effects        effects that every workload may ask for, and the events that answer them
message_kinds  MessageKind: how a workload declares its messages to the wire
workload       Workload: what a host expects of each kind of work
data_summary   DataSummary: a few rounded numbers about a peer's data
columns        Column: how each site turns a column of its table into numbers
text           decode_text(): text with or without a byte order mark
inputs         InputSpec: one of several inputs of a model, or a text
suggestions    did_you_mean: answers to misspelt names
session        SessionSpec: what a swarm trains, immutable
"""
