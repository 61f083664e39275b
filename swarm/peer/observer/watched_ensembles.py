"""WatchedEnsembles: an observer's part in ensembles: it asks, and is never a member."""

from collections.abc import Mapping, Sized
from dataclasses import dataclass, field
from typing import Any

import structlog
import trio

from swarm.core.errors import ConfigurationError, NetworkError
from swarm.core.machine import Event
from swarm.ensemble.spec import EnsembleId, EnsembleSpec
from swarm.peer.ensemble.asked_rows import AskedRows, read_rows
from swarm.peer.ensemble.asking import Asking
from swarm.peer.ensemble.ensembles import Ensembles
from swarm.peer.ensemble.open_asking import open_asking
from swarm.peer.host.host import Host
from swarm.peer.observer.ensemble_rows import EnsembleRows, NameOf, answer_json
from swarm.watching.ensemble.questions import QuestionLog

ENSEMBLES_MAX = 8
"""Ensembles that one observer follows; later offers are left out."""
CELLS_AT_ONCE_MAX = 10_000
"""Most cells that are read on the event loop, in 20 ms; more are read in a thread."""

log = structlog.get_logger()


@dataclass(slots=True)
class _Watched:
    spec: EnsembleSpec
    asking: Asking
    rows: EnsembleRows
    log: QuestionLog = field(default_factory=QuestionLog)


class WatchedEnsembles:
    """Follows the ensembles that peers offer, and asks them.

    Invariant: an ensemble that was found stays, in the order in which it was found.
    """

    def __init__(self, host: Host) -> None:
        self.ensembles = Ensembles(host)
        self._host = host
        self._watched: dict[EnsembleId, _Watched] = {}

    def handle(self, event: Event) -> None:
        """Hand an event to the asking machines that it concerns."""
        self.ensembles.handle(event)

    async def run(self) -> None:
        """Look for ensembles and follow them, until cancelled."""
        started: set[EnsembleId] = set()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.ensembles.run)
            while True:
                offered = self.ensembles.changed
                for spec in tuple(self.ensembles.offers.values()):
                    if spec.id not in started and len(started) < ENSEMBLES_MAX:
                        started.add(spec.id)
                        nursery.start_soon(self._follow, spec)
                await offered.wait()

    def snapshot(self, started_s: float, name_of: NameOf) -> list[dict[str, Any]]:
        """All ensembles as plain JSON.

        Args:
            started_s: When the observer started, on trio's clock.
            name_of: Returns the name of a peer.
        """
        return [self._row(one, started_s, name_of) for one in self._watched.values()]

    async def ask(
        self, ensemble: str, rows: Any, coverage: float, *, detail: bool, name_of: NameOf
    ) -> dict[str, Any]:
        """Ask an ensemble; see `Observer.ask`."""
        watched = self._watched.get(EnsembleId(ensemble))
        if watched is None:
            raise ConfigurationError(f"no ensemble with the id {ensemble!r:.80} is known")
        asked = await _read(rows, watched.spec)
        since_s = trio.current_time()
        try:
            answer = await watched.asking.predict(asked, coverage, detail=detail)
        except NetworkError as error:
            now_s = trio.current_time()
            watched.log.add(now_s, len(asked), now_s - since_s, error=str(error))
            raise
        now_s = trio.current_time()
        watched.log.add(
            now_s,
            len(answer),
            now_s - since_s,
            [member.peer for member in answer.members],
            [(one.peer, one.reason) for one in answer.missing],
        )
        return answer_json(watched.spec, answer, name_of, detail=detail)

    async def _follow(self, spec: EnsembleSpec) -> None:
        async with open_asking(self._host, self.ensembles, spec) as asking:
            self._watched[spec.id] = _Watched(spec, asking, EnsembleRows(spec))
            log.info("following", ensemble=spec.name, id=spec.id[:16])
            await trio.sleep_forever()

    def _row(self, one: _Watched, started_s: float, name_of: NameOf) -> dict[str, Any]:
        driver = one.asking.driver
        return one.rows.snapshot(
            driver.known_cards(),
            {card.sender for card in driver.cards()},
            driver.distrusted(),
            one.log,
            started_s,
            name_of,
        )


async def _read(rows: Any, spec: EnsembleSpec) -> AskedRows:
    """Read rows, many of them in a thread: a million cells take two seconds."""
    if _num_cells(rows) <= CELLS_AT_ONCE_MAX:
        return read_rows(rows, spec)
    return await trio.to_thread.run_sync(read_rows, rows, spec)


def _num_cells(rows: Any) -> int:
    """A bound on the cells of a table; arrays of numbers are read at once."""
    if isinstance(rows, Mapping):
        return sum(len(cells) for cells in rows.values() if isinstance(cells, Sized))
    if isinstance(rows, list):
        return sum(len(row) if isinstance(row, Sized) else 1 for row in rows)
    return 0
