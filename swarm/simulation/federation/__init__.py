"""Rehearses federated training: Federation machines on virtual time."""
