"""Watches the studies of a swarm."""
