"""A peer that only watches, and its snapshots as plain JSON.

observer           Observer: runs the watching peer in its own trio thread
watching           Watching: follows a session, all studies and ensembles over one network
watched_ensembles  WatchedEnsembles: follows ensembles, and asks them
snapshot           make_snapshot(): one observation as plain JSON
snapshot_cache     SnapshotCache: the parts of a snapshot that are reused in the next one
peer_rows          PeerRows: the peers in a snapshot
connection_rows    ConnectionRows: the connections between peers
study_rows         StudyRows: the studies in a snapshot
ensemble_rows      EnsembleRows: an ensemble in a snapshot, and answers to its questions
run_history        RunHistory: rounds and alerts of the past
"""
