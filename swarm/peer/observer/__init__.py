"""A peer that only watches, and the JSON that it shows."""
