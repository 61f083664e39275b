"""LogLine: one log line of a peer that runs with `--log-format json`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_COMMON_FIELDS = ("event", "level", "timestamp")


@dataclass(frozen=True, slots=True)
class LogLine:
    """A parsed log line. Its fields depend on the event."""

    event: str
    level: str = "info"
    fields: Mapping[str, Any] = field(default_factory=dict)

    def number(self, name: str) -> float | None:
        """Return a field if it is a number, else None."""
        value = self.fields.get(name)
        return value if isinstance(value, int | float) and not isinstance(value, bool) else None

    def text(self, name: str) -> str:
        """Return a field as text; empty if it is missing."""
        value = self.fields.get(name)
        return "" if value is None else str(value)


def parse_log_line(line: str) -> LogLine | None:
    """Parse a line; return None if it is not a log line, such as a line of a traceback.

    Example:
        >>> parse_log_line('{"event": "ready", "level": "info", "num_train": 5}')
        LogLine(event='ready', level='info', fields={'num_train': 5})
        >>> parse_log_line("Traceback (most recent call last):") is None
        True
    """
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(values, dict) or not isinstance(values.get("event"), str):
        return None
    fields = {name: value for name, value in values.items() if name not in _COMMON_FIELDS}
    return LogLine(values["event"], str(values.get("level", "info")), fields)
