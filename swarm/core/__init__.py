"""The words everyone speaks: ids, records, events, effects, errors. Imports nothing above it.

ids         distinct types for names of things
protocol    its version
errors      every error this project raises
canonical   one byte string per record, for hashing and signing
blobs       BlobRef
machine     the sans-IO contract: Event, Effect, Machine
session     SessionSpec: what a swarm trains, immutable
"""
