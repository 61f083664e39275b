"""Who may ask the dashboard for what."""
