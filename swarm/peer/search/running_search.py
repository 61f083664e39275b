"""RunningSearch and RunningStudy: a peer that searches in the background of a script."""

import math
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import trio

from swarm.core.errors import EndedError, StrategyError
from swarm.peer.host.bootstrap_hints import warn_while_nobody_answers
from swarm.peer.host.host import Host
from swarm.peer.host.trio_thread import STOP_WITHIN_S, InBackground, Scratch
from swarm.peer.search.search_peer import SearchPeer
from swarm.peer.search.search_settings import SearchSettings
from swarm.peer.search.studies import Studies
from swarm.peer.search.study_actions import read_study, wait_settled
from swarm.peer.search.study_driver import StudyDriver
from swarm.search.effects import CancelRequested
from swarm.search.study_ledger import StudyLedger
from swarm.search.trial import Trial, TrialResult

R = TypeVar("R")


class RunningStudy:
    """A submitted study; each method may be called from any thread."""

    def __init__(self, search: "RunningSearch", driver: StudyDriver) -> None:
        self._search = search
        self._driver = driver

    @property
    def ledger(self) -> StudyLedger:
        """All trials and results so far. It grows while the study runs; do not change it."""
        return self._driver.machine.ledger

    @property
    def finished(self) -> bool:
        """Whether the study is over."""
        return self._driver.machine.closed

    @property
    def best(self) -> tuple[Trial, TrialResult] | None:
        """The best trial so far, and its result."""
        result = self.ledger.best
        return (self.ledger.trials[result.trial], result) if result is not None else None

    @property
    def results(self) -> list[tuple[Trial, TrialResult]]:
        """All trials that have a result, by number."""
        ledger = self.ledger
        pairs = [(ledger.trials[trial], result) for trial, result in list(ledger.results.items())]
        return sorted(pairs, key=lambda pair: pair[0].number)

    @property
    def num_peers(self) -> int:
        """Peers that work for the study, this one included."""
        return len(self._driver.machine.workers)

    def wait_results(self, number: int, timeout_s: float = math.inf) -> None:
        """Wait until there are `number` results, or the study is over.

        Raises:
            TimeoutError: It took longer than `timeout_s`.
            SwarmError: The peer ended.
        """
        self._wait(lambda: len(self.ledger.results) >= number, f"{number} results", timeout_s)

    def wait_peers(self, number: int, timeout_s: float = math.inf) -> None:
        """Wait until `number` peers work for the study; see `wait_results`."""
        self._wait(lambda: self.num_peers >= number, f"{number} peers", timeout_s)

    def wait(self, timeout_s: float = math.inf) -> tuple[Trial, TrialResult] | None:
        """Wait until the study is over and all its peers have all results; return the best trial.

        Raises:
            StrategyError: The study's own strategy failed; `results` has the results until then.
            TimeoutError: It took longer than `timeout_s`.
            SwarmError: The peer ended.
        """
        self._wait(lambda: False, "the end of the study", timeout_s)
        self._search.call(wait_settled, self._driver)
        closed = self.ledger.closed
        if closed is not None and closed.error:
            raise StrategyError(closed.error)
        return self.best

    def cancel(self) -> None:
        """End the study now."""
        self._search.call(self._cancel)

    def __repr__(self) -> str:
        state = "finished" if self.finished else "running"
        best = f", best {self.best[1].value:.4g}" if self.best is not None else ""
        name = self._driver.machine.spec.name
        return f"<RunningStudy {name}: {state}, {self._progress()}{best}>"

    def _progress(self) -> str:
        waiting = len(self.ledger.trials) - len(self.ledger.results)
        return (
            f"{len(self.ledger.results)} results, {waiting} trials without one, "
            f"{self.num_peers} peers at work"
        )

    def _wait(self, condition: Callable[[], bool], what: str, timeout_s: float) -> None:
        if not self._search.call(self._wait_until, condition, timeout_s):
            raise TimeoutError(f"waited {timeout_s:g} s for {what}: {self._progress()}")

    async def _wait_until(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until the condition holds or the study is over; return whether it does by then."""
        with trio.move_on_after(timeout_s):
            while not (condition() or self.finished):
                await self._driver.changed.wait()
        return condition() or self.finished

    async def _cancel(self) -> None:
        self._driver.handle(CancelRequested())
        await self._wait_until(lambda: False, STOP_WITHIN_S)


class RunningSearch(InBackground):
    """A peer that searches in the background."""

    def __init__(self, settings: SearchSettings, scratch: Scratch | None = None) -> None:
        self._peer = SearchPeer(settings)
        self._studies: Studies | None = None
        self._host: Host | None = None
        super().__init__("swarm-search", self._main, self._peer.leave, scratch)

    def __repr__(self) -> str:
        number = len(self._studies.drivers) if self._studies is not None else 0
        state = f"join at {self.address}" if self._thread.running else "ended"
        return f"<RunningSearch: {number} studies; {state}>"

    @property
    def address(self) -> str:
        """`ip:port` that other peers give as their bootstrap."""
        return self._peer.address

    def submit(self, study: dict[str, Any], folder: str | Path = ".") -> RunningStudy:
        """Start a study, or resume it if this peer has its ledger.

        Args:
            study: The fields of a study file; docs/search.md lists them.
            folder: Relative paths of data files start here.

        Raises:
            ConfigurationError: A field breaks a rule; the message begins with its name.
        """
        return RunningStudy(self, self.call(self._submit, study, Path(folder)))

    def call(self, function: Callable[..., Awaitable[R]], *args: Any) -> R:
        """Run an asynchronous function in the peer's thread; see `TrioThread.call`."""
        return self._thread.call(function, *args)

    async def _main(self, ready: Callable[[], None]) -> None:
        async def submit_until_stopped(host: Host, studies: Studies) -> None:
            self._host, self._studies = host, studies
            ready()
            await warn_while_nobody_answers(host)
            await trio.sleep_forever()

        await self._peer.run(submit_until_stopped)

    async def _submit(self, study: dict[str, Any], folder: Path) -> StudyDriver:
        if self._studies is None or self._host is None:
            raise EndedError("the peer has ended")
        allow_code = self._peer.settings.allow_code
        spec = await read_study(study, folder, self._host, allow_code=allow_code)
        return self._studies.submit(spec)
