"""Observer: a peer that only watches, in a thread, for the dashboard and for notebooks."""

import threading
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

import trio

from swarm.commanding.commands import (
    ACTIONS,
    ALL_PEERS,
    PEER_ACTIONS,
    VALID_FOR_S,
    Action,
    Command,
    RelayedCommands,
)
from swarm.core.errors import (
    ConfigurationError,
    EndedError,
    NetworkError,
    SwarmError,
)
from swarm.core.ids import PeerId
from swarm.network.identity import Identity, load_or_create_identity
from swarm.network.wire import signing_bytes
from swarm.peer.host.commands import open_commands
from swarm.peer.host.host import Host, open_host
from swarm.peer.host.host_settings import HostSettings, parse_bootstraps
from swarm.peer.host.trio_thread import TrioThread, open_scratch
from swarm.peer.observer.run_history import RunHistory, history_extent
from swarm.peer.observer.snapshot import command_json, empty_snapshot
from swarm.peer.observer.watching import Watching
from swarm.watching.federation.command_tracking import CommandGiven, Given

STOP_WITHIN_S = 4.0
SNAPSHOTS_AT_MOST_EVERY_S = 0.1
SNAPSHOTS_AT_LEAST_EVERY_S = 1.0
ROUNDS_AT_ONCE_MAX = 200
R = TypeVar("R")


class Observer:
    """Watches the swarm behind some bootstrap addresses; `snapshot` returns what it sees.

    Each method may be called from any thread.
    """

    def __init__(
        self,
        bootstraps: Sequence[str],
        listen_ip: str = "127.0.0.1",
        operator_key: Path | None = None,
        state: Path | None = None,
    ) -> None:
        """Prepare an observer; `start` begins to watch.

        Args:
            bootstraps: Peers of the swarm.
            listen_ip: Address to listen on.
            operator_key: Folder of the key that signs commands, created if missing. Without it,
                no commands can be given.
            state: Folder of its identity, for members that answer only askers they know. A new
                identity each time if None.

        Raises:
            ConfigurationError: An address or the key is not valid.
        """
        self._operator = load_or_create_identity(operator_key) if operator_key else None
        self._bootstraps = parse_bootstraps(bootstraps)
        self._listen_ip = listen_ip
        self._state = state
        self._changed = threading.Condition()
        self._snapshot: dict[str, Any] = empty_snapshot("", 0, 0.0, self.operator_id)
        self._thread: TrioThread | None = None
        self._watching: Watching | None = None
        self._host: Host | None = None
        self._scope = trio.CancelScope()

    def start(self) -> None:
        """Begin to watch; returns once the observer listens.

        Raises:
            SwarmError: The network could not be started.
        """
        self._thread = TrioThread("observer", self._main, self._scope.cancel)

    def stop(self) -> None:
        """Stop watching and join the thread. Stopping twice is harmless."""
        if self._thread is not None:
            self._thread.stop(STOP_WITHIN_S)

    def snapshot(self) -> dict[str, Any]:
        """The newest snapshot, as plain JSON; it does not change afterwards."""
        with self._changed:
            return self._snapshot

    def wait_change(self, seen_version: int, timeout_s: float) -> int:
        """Block until there is a newer snapshot than `seen_version`, or for `timeout_s`."""
        with self._changed:
            self._changed.wait_for(lambda: self._snapshot["version"] > seen_version, timeout_s)
            version: int = self._snapshot["version"]
            return version

    @property
    def operator_id(self) -> PeerId | None:
        """The operator that peers must trust to obey commands from here; None without a key."""
        return self._operator.peer_id if self._operator is not None else None

    def rounds(self, first: int, count: int) -> dict[str, Any]:
        """Past rounds from `first` on, at most `count` and at most `ROUNDS_AT_ONCE_MAX`."""
        view = self._past()
        if view is None:
            return {"rounds": [], "next": None, "history": history_extent(())}
        return view.page(first, min(count, ROUNDS_AT_ONCE_MAX))

    def alerts(self) -> list[dict[str, Any]]:
        """All alerts that are known, oldest first."""
        view = self._past()
        return view.alert_list() if view is not None else []

    def command(
        self,
        action: str,
        peer: str | None = None,
        value: float | None = None,
        session: str | None = None,
    ) -> dict[str, Any]:
        """Sign a command and send it to the swarm; snapshots show how peers follow it.

        Args:
            action: One of `ACTIONS`.
            peer: The peer to `remove` or `readmit`. For `join` and `leave`, the peer that must
                obey; all peers if None.
            value: The value of `threshold`.
            session: The session to `join` or `leave`.

        Raises:
            ConfigurationError: There is no operator key, no session, or a value breaks a rule.
            NetworkError: The observer was not started.
            EndedError: It has ended.
        """
        if self._operator is None:
            raise ConfigurationError(
                "this dashboard gives no commands: start it with --operator-key FOLDER"
            )
        if action not in ACTIONS:
            raise ConfigurationError(f"action must be one of {', '.join(ACTIONS)}, got {action!r}")
        if action in PEER_ACTIONS:
            return self._ask(partial(self._give_peers, self._operator, action, peer, session))
        return self._ask(partial(self._give, self._operator, action, peer, value))

    def ask(self, ensemble: str, rows: Any, coverage: float, *, detail: bool) -> dict[str, Any]:
        """Ask all members of an ensemble; blocks until the answer is there.

        Args:
            ensemble: Its id, as snapshots have it.
            rows: For columns a mapping from names to cells, or a list of such mappings, one a
                row. For arrays numbers of shape (n, *input_shape).
            coverage: Share of rows whose truth the intervals or sets are to contain, in (0, 1).
            detail: Whether the answer has each member's own.

        Raises:
            DataError: The rows break a rule.
            ConfigurationError: The coverage breaks a rule, or no such ensemble is known.
            NetworkError: Too many rows wait, too few members answered, or it was not started.
            EndedError: It has ended.
        """
        if self._thread is None:
            raise NetworkError("the observer has not started")

        async def ask() -> dict[str, Any]:
            if self._watching is None:
                raise NetworkError("the observer has not started")
            watching = self._watching
            return await watching.ensembles.ask(
                ensemble, rows, coverage, detail=detail, name_of=watching.name_of
            )

        return self._thread.call(ask)

    def _give(
        self, operator: Identity, action: str, peer: str | None, value: float | None
    ) -> dict[str, Any]:
        seen = self._watching.observation if self._watching is not None else None
        if seen is None or self._watching is None:
            raise ConfigurationError("no session was found yet: there is nothing to command")
        if peer is not None and not seen.knows(PeerId(peer)):
            raise ConfigurationError(f"no peer of this session has the id {peer!r:.80}")
        unix_s = seen.unix_s(trio.current_time())
        sequence = max(seen.command_tracking.sequence + 1, int(unix_s * 1000))
        subject = PeerId(peer) if peer is not None else None
        fields = {"scope": seen.spec.id, "subject": subject, "value": value}
        command = _signed(operator, action, sequence, unix_s, fields)
        self._watching.handle(CommandGiven(command))
        return command_json(Given(command, unix_s), unix_s)

    def _give_peers(
        self, operator: Identity, action: str, peer: str | None, session: str | None
    ) -> dict[str, Any]:
        if self._host is None:
            raise NetworkError("the observer has not started")
        unix_s = datetime.now(UTC).timestamp()
        scope = peer if peer is not None else ALL_PEERS
        fields = {"scope": scope, "session": session}
        command = _signed(operator, action, int(unix_s * 1000), unix_s, fields)
        self._host.hand_out(RelayedCommands(scope, operator.peer_id, (command,)))
        return command_json(Given(command, unix_s), unix_s)

    def _past(self) -> RunHistory | None:
        def take() -> RunHistory | None:
            seen = self._watching.observation if self._watching is not None else None
            return RunHistory.of(seen) if seen is not None else None

        try:
            return self._ask(take)
        except (NetworkError, EndedError):
            return None

    def _ask(self, question: Callable[[], R]) -> R:
        """Have the observer's thread answer a question between two events."""
        if self._thread is None:
            raise NetworkError("the observer has not started")
        try:
            return self._thread.call_sync(question)
        except SwarmError:
            raise
        except Exception as error:  # the error that ended the thread; it is logged already
            raise EndedError("the observer has ended") from error

    async def _main(self, ready: Callable[[], None]) -> None:
        kept = nullcontext(self._state) if self._state else open_scratch("swarm-observer-")
        with kept as folder, self._scope:
            await self._watch(Path(folder), ready)

    async def _watch(self, folder: Path, ready: Callable[[], None]) -> None:
        settings = HostSettings(self._listen_ip, 0, folder, self._bootstraps)
        operators = (self.operator_id,) if self.operator_id is not None else ()
        async with (
            open_host(settings) as host,
            open_commands(host, folder, operators),
            trio.open_nursery() as nursery,
        ):
            self._host = host
            watching = self._watching = Watching(host, nursery, self.operator_id)
            host.add(watching)
            watching.start()
            ready()
            await self._publish_forever(watching, trio.current_time())

    async def _publish_forever(self, watching: Watching, started_s: float) -> None:
        while True:
            now_s = trio.current_time()
            self._publish(watching.snapshot(now_s, now_s - started_s))
            await trio.sleep(SNAPSHOTS_AT_MOST_EVERY_S)
            with trio.move_on_after(SNAPSHOTS_AT_LEAST_EVERY_S):
                await watching.changed.wait()

    def _publish(self, shown: dict[str, Any]) -> None:
        with self._changed:
            self._snapshot = {**shown, "version": self._snapshot["version"] + 1}
            self._changed.notify_all()


def _signed(
    operator: Identity, action: str, sequence: int, unix_s: float, fields: dict[str, Any]
) -> Command:
    """A signed command.

    Args:
        operator: The operator that signs it.
        action: One of `ACTIONS`.
        sequence: Milliseconds since 1970, so it is greater than in earlier runs.
        unix_s: The time now.
        fields: The other fields of the command.

    Raises:
        ConfigurationError: A field breaks a rule.
    """
    try:
        command = Command(
            author=operator.peer_id,
            sequence=sequence,
            action=cast(Action, action),
            expires_unix_s=unix_s + VALID_FOR_S,
            **fields,
        )
    except ValueError as error:
        raise ConfigurationError(str(error)) from error
    return command.signed(operator.sign(signing_bytes(command.digest)))
