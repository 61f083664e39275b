"""Logs: structlog lines on stderr, coloured text for people or JSON for programs."""

import logging
import sys

import structlog

from swarm.core.errors import ConfigurationError

LEVELS = ("debug", "info", "warning", "error")
FORMATS = ("text", "json")


def configure_logs(level: str, log_format: str) -> None:
    """Send all lines to stderr in one format: structlog's, the network's, libraries' warnings.

    Raises:
        ConfigurationError: There is no such level or format.
    """
    for name, value, choices in (
        ("log_level", level, LEVELS),
        ("log_format", log_format, FORMATS),
    ):
        if value not in choices:
            raise ConfigurationError(f"{name} must be one of {', '.join(choices)}, got {value!r}")
    threshold = getattr(logging, level.upper())
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
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    _configure_standard_logging(threshold, shared, renderer, is_json=is_json)


def _configure_standard_logging(
    threshold: int,
    shared: list[structlog.typing.Processor],
    renderer: structlog.typing.Processor,
    *,
    is_json: bool,
) -> None:
    """Layers below this one log through the standard library, and so do other libraries."""
    traceback = [structlog.processors.format_exc_info] if is_json else []
    handler = logging.StreamHandler(sys.stderr)
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
    logging.getLogger("swarm").setLevel(threshold)
    for chatty in ("libp2p", "multiaddr", "async_service"):
        logging.getLogger(chatty).setLevel(logging.CRITICAL)
