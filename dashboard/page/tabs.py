"""The tabs of the page: each has an address of its own, and `/` is the first one."""

TABS = ("training", "search", "ensemble", "sessions", "log")
ADDRESSES = frozenset({"/", *(f"/{tab}" for tab in TABS)})
