"""Watching: what a peer that only watches makes of what it hears, decided without input or output.

federation   watches a session of federated training
search       watches the studies of a swarm
ensemble     watches the ensembles of a swarm
"""
