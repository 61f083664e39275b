"""Federated training, decided without input or output: events in, effects out.

messages    what peers tell each other
"""
