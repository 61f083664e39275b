"""Asking: asks one ensemble for many callers at once.

A request waits in `Batches`, goes out in a question together with others, and gets its part of the
answer. A failed question fails each of its callers, with the same reason.
"""

import math
from dataclasses import dataclass, field, replace
from typing import Any

import structlog
import trio

from swarm.core.blobs import INLINE_SIZE_MAX
from swarm.core.errors import ConfigurationError, EndedError, SwarmError
from swarm.ensemble.messages import MemberCard
from swarm.ensemble.spec import EnsembleSpec
from swarm.peer.ensemble.answering import (
    ReadAnswers,
    answer_question,
    judge_answers,
    read_all,
)
from swarm.peer.ensemble.asked_rows import AskedRows, encode_asked, join_rows, read_rows
from swarm.peer.ensemble.asker_driver import AskerDriver
from swarm.peer.ensemble.batching import Batches
from swarm.peer.ensemble.overview import Matrix
from swarm.peer.ensemble.prediction import Prediction, join_parts
from swarm.watching.ensemble.matrix import list_scores
from swarm.watching.ensemble.members import MemberRow, list_members
from swarm.watching.ensemble.questions import QuestionLog

QUESTION_ROWS_MAX = 2048
QUESTION_BYTES_MAX = 4 * 1024**2
"""Most rows and bytes of one question; a longer request becomes several, one after the other."""
DEFAULT_COVERAGE = 0.9

log = structlog.get_logger()


@dataclass(slots=True, eq=False)
class _Request:
    rows: AskedRows
    coverage: float
    since_s: float
    over: trio.Event = field(default_factory=trio.Event)
    outcome: Prediction | SwarmError | None = None


class Asking:
    """Asks one ensemble; `run` must run beside it.

    Invariant: each request ends with a prediction or an error, at the latest when `run` ends.
    """

    def __init__(self, driver: AskerDriver) -> None:
        self.driver = driver
        self.log = QuestionLog()
        """The questions that were asked here."""
        self.num_requests = 0
        self.num_refused = 0
        """Requests that were refused at once because too many waited."""
        self._batches = Batches[_Request](_rows_max(driver.spec))
        self._requests: set[_Request] = set()
        self._woken = trio.Event()
        self._ended = False

    @property
    def spec(self) -> EnsembleSpec:
        """The ensemble."""
        return self.driver.spec

    def cards(self) -> tuple[MemberCard, ...]:
        """The newest cards of the members that are present."""
        return self.driver.cards()

    def members(self) -> list[MemberRow]:
        """All members that are known, in the order of their ids."""
        driver = self.driver
        present = {card.sender for card in driver.cards()}
        return list_members(self.spec, driver.known_cards(), present, driver.distrusted())

    def matrix(self) -> Matrix:
        """The cross-validation matrix of the members that are present."""
        cards = self.driver.cards()
        peers = tuple(card.sender for card in cards)
        return Matrix(self.spec.metric, peers, tuple(list_scores(self.spec, cards)))

    async def predict(
        self, source: Any, coverage: float = DEFAULT_COVERAGE, *, detail: bool = False
    ) -> Prediction:
        """Ask all members about rows.

        Args:
            source: Rows as `read_rows` takes them.
            coverage: Share of rows whose truth the intervals or sets are to contain, in (0, 1).
            detail: Whether the prediction has each member's own answer.

        Raises:
            DataError: The rows break a rule; nothing was asked.
            ConfigurationError: The coverage breaks a rule.
            OverloadedError: Too many rows wait already; nothing was asked.
            NoQuorumError: Too few members answered in time.
        """
        check_coverage(coverage)
        rows = source if isinstance(source, AskedRows) else read_rows(source, self.spec)
        since_s, size = trio.current_time(), self._batches.rows_max
        parts = [
            await self._request(rows.only(first, size), coverage)
            for first in range(0, len(rows), size)
        ]
        whole = join_parts(parts, trio.current_time() - since_s)
        notes = tuple(dict.fromkeys((*rows.notes, *whole.notes)))
        members = (
            whole.members
            if detail
            else tuple(replace(member, values=None) for member in whole.members)
        )
        return replace(whole, notes=notes, members=members)

    async def run(self) -> None:
        """Send questions until cancelled."""
        try:
            async with trio.open_nursery() as nursery:
                while True:
                    await self._wait_due()
                    batch = self._batches.take(trio.current_time())
                    nursery.start_soon(self._ask, batch)
        finally:
            self._ended = True
            for request in self._requests:
                request.over.set()

    async def _request(self, rows: AskedRows, coverage: float) -> Prediction:
        if self._ended:
            raise EndedError(f"asking ensemble {self.spec.name!r} has ended")
        request = _Request(rows, coverage, trio.current_time())
        self.num_requests += 1
        try:
            self._batches.add(request, len(rows), trio.current_time())
        except SwarmError:
            self.num_refused += 1
            raise
        self._wake()
        self._requests.add(request)
        try:
            await request.over.wait()
        finally:
            self._requests.discard(request)
        if isinstance(request.outcome, Prediction):
            return request.outcome
        if request.outcome is None:
            raise EndedError(f"asking ensemble {self.spec.name!r} has ended")
        raise type(request.outcome)(*request.outcome.args)  # an error is raised only once

    def _wake(self) -> None:
        self._woken.set()
        self._woken = trio.Event()

    async def _wait_due(self) -> None:
        while True:
            due_s = self._batches.due_s(trio.current_time())
            if due_s <= trio.current_time():
                await trio.lowlevel.checkpoint_if_cancelled()
                return
            with trio.move_on_at(due_s) if due_s < math.inf else trio.CancelScope():
                await self._woken.wait()

    async def _ask(self, batch: list[_Request]) -> None:
        asked_s = trio.current_time()
        rows = join_rows([request.rows for request in batch])
        try:
            read = await self._read_answers(rows)
            for coverage in {request.coverage for request in batch}:
                answer, combined = answer_question(self.driver, read, coverage)
                self._hand_out(batch, coverage, answer)
        except SwarmError as error:
            self._fail(batch, error)
            self._note(batch, asked_s, None, str(error))
        else:
            self._note(batch, asked_s, answer, "")
            # Callers need not wait for it.
            judge_answers(self.driver, read, combined, rows.truth)
        finally:
            self._batches.end()
            self._wake()

    async def _read_answers(self, rows: AskedRows) -> ReadAnswers:
        data = encode_asked(rows, self.spec)
        self._batches.charge(min(len(data), INLINE_SIZE_MAX))
        return read_all(self.driver, await self.driver.ask(data, len(rows)))

    def _hand_out(self, batch: list[_Request], coverage: float, answer: Prediction) -> None:
        """Give each caller that wants this coverage its rows."""
        first, now_s = 0, trio.current_time()
        for request in batch:
            count = len(request.rows)
            if request.coverage == coverage:
                request.outcome = answer.part(first, count, now_s - request.since_s)
                request.over.set()
            first += count

    def _fail(self, batch: list[_Request], error: SwarmError) -> None:
        for request in batch:
            if request.outcome is None:
                request.outcome = error
                request.over.set()

    def _note(
        self, batch: list[_Request], asked_s: float, answer: Prediction | None, error: str
    ) -> None:
        now_s = trio.current_time()
        self.log.add(
            now_s,
            sum(len(request.rows) for request in batch),
            now_s - asked_s,
            [one.peer for one in answer.members] if answer is not None else [],
            [(one.peer, one.reason) for one in answer.missing] if answer is not None else [],
            error,
        )


def check_coverage(coverage: float) -> None:
    """Check a coverage that a user gave.

    Raises:
        ConfigurationError: It is not between 0 and 1.
    """
    if not 0 < coverage < 1:
        raise ConfigurationError(f"coverage must be between 0 and 1, as in 0.9, got {coverage}")


def _rows_max(spec: EnsembleSpec) -> int:
    """Rows of one question, so that rows and answers have a bound in bytes."""
    width = math.prod(spec.input_shape) if spec.input_shape else len(spec.columns)
    return max(1, min(QUESTION_ROWS_MAX, QUESTION_BYTES_MAX // (8 * max(width, spec.num_outputs))))
