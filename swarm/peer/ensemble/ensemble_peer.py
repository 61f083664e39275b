"""EnsemblePeer: a host that is only a member of an ensemble; `run` is its whole life."""

import trio

from swarm.core.columns import target_of
from swarm.peer.ensemble.ensemble_settings import EnsembleSettings
from swarm.peer.ensemble.member_driver import MemberDriver
from swarm.peer.ensemble.member_lines import short, show_member
from swarm.peer.ensemble.member_rows import read_rows
from swarm.peer.ensemble.serving import Say, Serving, open_serving
from swarm.peer.host.bootstrap_hints import warn_while_nobody_answers
from swarm.peer.host.host import Host, open_host


class EnsemblePeer:
    """A member of an ensemble."""

    def __init__(self, settings: EnsembleSettings, say: Say = print) -> None:
        self.settings = settings
        self.host: Host | None = None
        """The host that it runs on, once it listens."""
        self._say = say
        self._leaving = trio.Event()

    def leave(self) -> None:
        """Ask the peer to end; it says goodbye, and can be resumed."""
        self._leaving.set()

    async def run(self) -> None:
        """Serve until the user leaves.

        Raises:
            SwarmError: The peer cannot continue; the message says why.
        """
        rows = await trio.to_thread.run_sync(read_rows, self.settings)
        async with (
            open_host(self.settings) as host,
            open_serving(host, self.settings, rows) as serving,
        ):
            self.host = host
            await host.stay(self._leaving, lambda: self._serve(host, serving))
            await host.say_goodbye()
            host.raise_failure()

    async def _serve(self, host: Host, serving: Serving) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(warn_while_nobody_answers, host)
            driver = await serving.begin(self._say)
            self._introduce(host, driver)
            await show_member(driver, host.address, self._say)
            nursery.cancel_scope.cancel()

    def _introduce(self, host: Host, driver: MemberDriver) -> None:
        spec = driver.machine.spec
        target = target_of(spec.columns)
        what = f" of {target.name}" if target is not None else ""
        asks = f"{len(spec.columns) - 1} columns" if target is not None else "arrays"
        flag = f" --target {target.name}" if target is not None else ""
        self._say(
            f"Ensemble {spec.name} ({spec.id[:8]}): {spec.task}{what} from {asks}, as peer "
            f"{short(host.me)}"
        )
        self._say(
            "Others join with: python -m swarm.ensemble serve --data THEIR-ROWS.csv"
            f"{flag} 127.0.0.1 0 {host.address}"
        )
        self._say(f"State is kept in {self.settings.state_dir}; the same command resumes it.")
