"""Logs: structlog lines on stderr, coloured text for people or JSON for programs."""

import logging
import sys

import structlog

LEVELS = ("debug", "info", "warning", "error")
FORMATS = ("text", "json")


def configure_logs(level: str, log_format: str) -> None:
    """Send structlog's lines, and the warnings of libraries, to stderr."""
    threshold = getattr(logging, level.upper())
    logging.basicConfig(stream=sys.stderr, level=max(threshold, logging.WARNING), force=True)
    for chatty in ("libp2p", "multiaddr", "async_service"):
        logging.getLogger(chatty).setLevel(logging.CRITICAL)
    shared: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso" if log_format == "json" else "%H:%M:%S"),
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=12)
    )
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
