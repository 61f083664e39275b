"""A peer that only watches, and the JSON that it shows.

observer          Observer: watches a swarm from a thread; for the dashboard and scripts
watching          the workload: follows the newest session and all studies
snapshot          a session as JSON
snapshot_changes  the parts of a snapshot that grow, made anew only where they changed
peer_rows         the peers of a snapshot
connection_rows   which peers are connected
study_rows        the studies of a snapshot
history_pages     rounds and alerts of the past, page by page
"""
