"""run_command(): runs a typer command line; a user's mistake becomes one line and exit code 2."""

import signal
import sys
from collections.abc import Awaitable, Callable
from typing import cast

import trio
import typer

from swarm.core.errors import ConfigurationError, SwarmError, only_error
from swarm.network.lean import leave_out_unused

# typer contains its own copy of click, and does not export this error class.
_ClickError = cast("type[typer.BadParameter]", typer.BadParameter.__mro__[2])


def run_command(command: typer.Typer, prog_name: str) -> int:
    """Run a typer command; a user's mistake is one line on stderr and exit code 2.

    No other program shares this process, so libp2p is loaded without the parts that are not used.

    Returns:
        The exit code: what the command returned, if that is a number.
    """
    leave_out_unused()
    try:
        code = command(prog_name=prog_name, standalone_mode=False)
    except typer.Exit as error:
        return error.exit_code
    except _ClickError as error:
        print(f"error: {error.format_message()}", file=sys.stderr)
        return 2
    except (SwarmError, BaseExceptionGroup) as error:
        return _explain(error)
    return code if isinstance(code, int) else 0


def _explain(error: BaseException) -> int:
    """Print one line for errors of our own; any other error is a bug and keeps its traceback."""
    error = only_error(error)
    if isinstance(error, BaseExceptionGroup):
        ours, others = error.split(SwarmError)
        if others is not None or ours is None:
            raise error
        error = next(iter(ours.exceptions))
        return _explain(error)
    if not isinstance(error, SwarmError):
        raise error
    print(f"error: {error}", file=sys.stderr)
    return 2 if isinstance(error, ConfigurationError) else 1


async def run_until_signal(run: Callable[[], Awaitable[None]], stop: Callable[[], None]) -> None:
    """Run a program. SIGINT or SIGTERM asks it to stop; a second signal cancels it."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_watch_signals, stop, nursery.cancel_scope)
        await run()
        nursery.cancel_scope.cancel()


async def _watch_signals(stop: Callable[[], None], scope: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        count = 0
        async for _ in signals:
            count += 1
            if count > 1:
                scope.cancel()
            stop()
