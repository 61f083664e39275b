"""What the server sends to browsers: files, and snapshots as they change.

assets          which files of the installed front-end libraries are served
tabs            the page's tabs and their addresses
broadcaster     sends snapshots and updates to all browsers, ten times a second at most
snapshot_diff   the differences between two snapshots
list_diff       the differences between two lists
"""
