"""Runs federated sessions."""
