"""Watching: the types of a snapshot, its source, and other ways to read it than the page.

snapshot_types    everything in a snapshot: the schema of the page and of the API
study_types       the studies in a snapshot
ensemble_types    the ensembles in a snapshot, and their answers
snapshot_source   SnapshotSource: where snapshots come from
api               the present and the past as JSON
api_schemas       OpenAPI schemas, derived from the types of the snapshot
json_answers      JSON answers that are never cached
metrics           metrics for Prometheus
tensorboard       logs for TensorBoard
"""
