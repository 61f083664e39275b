"""What to try next, one file per strategy, behind `ask(history)` and `tell(result)`."""
