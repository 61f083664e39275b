"""A peer that only watches, and its snapshots as plain JSON.

observer          Observer: runs the watching peer in its own trio thread
watching          Watching: follows a session and all studies over one network
snapshot          make_snapshot(): one observation as plain JSON
snapshot_cache    SnapshotCache: the parts of a snapshot that are reused in the next one
peer_rows         PeerRows: the peers in a snapshot
connection_rows   ConnectionRows: the connections between peers
study_rows        StudyRows: the studies in a snapshot
run_history       RunHistory: rounds and alerts of the past
"""
