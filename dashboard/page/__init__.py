"""What browsers are sent: files, and snapshots as they change."""
