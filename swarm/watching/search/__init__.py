"""Watches the studies of a swarm, for observers and the dashboard.

observation    finds studies and follows each with a machine that has no slots
study_counts   counts a study's entries, and makes views of it
"""
