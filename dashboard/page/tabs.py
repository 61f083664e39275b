"""The tabs of the page. Each tab has its own address; `/` shows the first one."""

TABS = ("training", "search", "ensemble", "sessions", "log")
ADDRESSES = frozenset({"/", *(f"/{tab}" for tab in TABS)})
