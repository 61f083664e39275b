"""Watches a session of federated training."""
