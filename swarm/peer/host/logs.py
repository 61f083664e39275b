"""Structlog lines on stderr, coloured text for people or JSON for programs.

configure_logs() is for programs of this project, configure_guest_logs() for a program that is not.
"""

import logging
import sys
from typing import Any

import structlog

from swarm.core.errors import ConfigurationError

LEVELS = ("debug", "info", "warning", "error")
FORMATS = ("text", "json")


class _CurrentStderr:
    """Writes to what stderr is at the moment: notebooks and tests replace and close it."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


_STDERR: Any = _CurrentStderr()


def configure_logs(level: str, log_format: str) -> None:
    """Send all lines to stderr in one format: structlog's, the network's, libraries' warnings.

    Raises:
        ConfigurationError: The level or the format is unknown.
    """
    _check("log_level", level, LEVELS)
    _check("log_format", log_format, FORMATS)
    threshold = _threshold(level)
    is_json = log_format == "json"
    shared: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso" if is_json else "%H:%M:%S"),
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if is_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=12)
    )
    _configure_structlog(threshold, [*shared, renderer])
    _configure_standard_logging(threshold, shared, renderer, is_json=is_json)


def configure_guest_logs(level: str) -> None:
    """Send this project's lines to stderr, inside a program that has its own logging.

    Raises:
        ConfigurationError: The level is unknown.
    """
    _check("log_level", level, LEVELS)
    if not structlog.is_configured():
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=12)
        stamp = structlog.processors.TimeStamper(fmt="%H:%M:%S")
        _configure_structlog(
            _threshold(level), [structlog.processors.add_log_level, stamp, renderer]
        )
    _set_levels(_threshold(level))


def _check(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ConfigurationError(f"{name} must be one of {', '.join(choices)}, got {value!r}")


def _threshold(level: str) -> int:
    threshold: int = getattr(logging, level.upper())
    return threshold


def _configure_structlog(threshold: int, processors: list[structlog.typing.Processor]) -> None:
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.PrintLoggerFactory(_STDERR),
        cache_logger_on_first_use=True,
    )


def _configure_standard_logging(
    threshold: int,
    shared: list[structlog.typing.Processor],
    renderer: structlog.typing.Processor,
    *,
    is_json: bool,
) -> None:
    """Format lines of the standard library's logging, which layers below and libraries use."""
    traceback = [structlog.processors.format_exc_info] if is_json else []
    handler = logging.StreamHandler(_STDERR)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *traceback,
                renderer,
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=max(threshold, logging.WARNING), force=True)
    _set_levels(threshold)


def _set_levels(threshold: int) -> None:
    logging.getLogger("swarm").setLevel(threshold)
    for chatty in ("libp2p", "multiaddr", "async_service"):
        logging.getLogger(chatty).setLevel(logging.CRITICAL)
