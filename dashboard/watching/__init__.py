"""Where snapshots come from, and what else shows them: API, metrics, TensorBoard."""
