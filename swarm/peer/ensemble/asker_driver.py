"""AskerDriver: sends one ensemble's questions, and brings back the answers that count."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import structlog
import trio

from swarm.core.blobs import INLINE_SIZE_MAX, BlobRef
from swarm.core.canonical import sha256_hex
from swarm.core.errors import (
    DataError,
    EndedError,
    NetworkError,
    NoQuorumError,
    RemoteProtocolError,
    StorageError,
)
from swarm.core.ids import Digest, PeerId
from swarm.core.machine import Effect, Event
from swarm.ensemble.asker import Asker
from swarm.ensemble.effects import (
    AnswersJudged,
    AskerStarted,
    AskRequested,
    Combine,
    Note,
    QuestionFailed,
)
from swarm.ensemble.messages import Answer, MemberCard, Payload, Refusal
from swarm.ensemble.records import TEXT_LENGTH_MAX
from swarm.ensemble.spec import EnsembleSpec
from swarm.learning.ensemble.answers import Floats
from swarm.learning.ensemble.judging import Verdict
from swarm.learning.ensemble.payloads import decode_answers
from swarm.peer.ensemble.ensemble_driver import EnsembleDriver
from swarm.peer.ensemble.prediction import SHORT_ID
from swarm.peer.host.host import Host

log = structlog.get_logger()


@dataclass(slots=True)
class _Question:
    """A question under way, and what came of it."""

    rows: Payload
    over: trio.Event = field(default_factory=trio.Event)
    outcome: Combine | QuestionFailed | None = None


class AskerDriver(EnsembleDriver[Asker]):
    """Owns the asker's machine of one ensemble.

    Invariants:
        A blob of rows is in the store as long as its question is under way.
        Answers that cannot be read never reach the machine: they are refusals of their sender.
    """

    def __init__(self, spec: EnsembleSpec, host: Host, nursery: trio.Nursery) -> None:
        super().__init__(f"asker {spec.id}", spec.id, Asker(host.me, spec), host, nursery)
        self.spec = spec
        self._questions: dict[int, _Question] = {}
        self.busy_s: dict[PeerId, float] = {}
        """Seconds that each member's newest answer took at the member itself, as it says."""
        self._rows_key = f"rows for {spec.id}"
        self._kept: frozenset[BlobRef] = frozenset()
        # Greater than in an earlier life of this peer, whose late answers must not count.
        self._number = int(datetime.now(UTC).timestamp() * 1000)

    @property
    def me(self) -> PeerId:
        """This peer's id, which members know the asker by."""
        return self._host.me

    def cards(self) -> tuple[MemberCard, ...]:
        """The newest cards of the members that are present."""
        roster = self.machine.roster
        present = roster.present(trio.current_time())
        return tuple(card for peer, card in roster.cards.items() if peer in present)

    def known_cards(self) -> tuple[MemberCard, ...]:
        """The newest cards of all members, also of lost ones: what they scored still counts."""
        return tuple(self.machine.roster.cards.values())

    def distrusted(self) -> frozenset[PeerId]:
        """Members that have lost their weight."""
        return self.machine.distrusted

    def start(self) -> None:
        """Begin to look for members."""
        self.handle(AskerStarted())

    async def ask(self, rows: bytes, num_rows: int, within_s: float = 0.0) -> Combine:
        """Ask all members.

        Args:
            rows: As `encode_rows` made them.
            num_rows: How many they are.
            within_s: Deadline, in seconds; 0 for the spec's.

        Raises:
            NoQuorumError: Too few members answered in time; the message says why.
            StorageError: The rows are many and the disk is full.
            EndedError: This asker has ended.
        """
        number = self._number = self._number + 1
        question = _Question(await self._pack(number, rows, num_rows))
        self._questions[number] = question
        self._keep_rows()
        try:
            self.handle(AskRequested(number, question.rows, within_s))
            if self.broken is None:
                await question.over.wait()
        finally:
            del self._questions[number]
            self._keep_rows()
        if isinstance(question.outcome, Combine):
            return question.outcome
        if question.outcome is None:
            raise EndedError(f"the asker of ensemble {self.spec.name!r} has ended")
        raise NoQuorumError(_failure_in_words(self.spec, question.outcome))

    def read_answers(self, payload: Payload) -> Floats:
        """Decode answers that count; shape (n, outputs).

        Raises:
            DataError: They are not what was asked for, or their blob is gone.
        """
        if payload.blob is None:
            data = payload.inline
        else:
            try:
                data = self._host.store.read(payload.blob)
            except NetworkError as error:
                raise DataError(f"the answers are gone: {error}") from error
        return decode_answers(data, payload.num_rows, self.spec.num_outputs)

    def report_verdicts(self, verdicts: Sequence[Verdict]) -> None:
        """Tell the machine how members' answers compare."""
        self.handle(AnswersJudged(tuple(verdicts)))

    def handle(self, event: Event) -> None:
        """Hand an event to the machine; answers that cannot be read become refusals."""
        if isinstance(event, Answer):
            event = self._checked(event)
        super().handle(event)

    def carry_out_own(self, effect: Effect) -> None:
        """Carry out an effect of an asker."""
        match effect:
            case Combine(number) | QuestionFailed(number):
                question = self._questions.get(number)
                if question is not None:
                    question.outcome = effect
                    question.over.set()
            case Note(kind, text):
                log.info(kind, ensemble=self.spec.name, detail=text)

    def end_broken(self, error: Exception) -> None:
        """End this asker: callers that wait get an error, other machines go on."""
        for question in self._questions.values():
            question.over.set()
        self.notify()

    def _checked(self, answer: Answer) -> Answer | Refusal:
        question = self._questions.get(answer.number)
        if question is None or answer.answers.blob is not None:
            return answer  # the machine drops it; or the blob is read when all answers are here
        self.busy_s[answer.sender] = answer.busy_s
        num_rows = question.rows.num_rows
        try:
            if answer.answers.num_rows != num_rows:
                raise DataError(f"must have {num_rows} rows, got {answer.answers.num_rows}")
            self.read_answers(answer.answers)
        except DataError as error:
            self._host.network.refuse(RemoteProtocolError(f"answer: {error}"))
            if answer.sender == answer.owner:
                self.report_verdicts([(answer.owner, num_rows, num_rows)])
            detail = f"its answer cannot be read: {error}"[:TEXT_LENGTH_MAX]
            return Refusal(
                answer.ensemble, answer.sender, answer.number, answer.owner, "failed", detail
            )
        return answer

    async def _pack(self, number: int, rows: bytes, num_rows: int) -> Payload:
        if len(rows) <= INLINE_SIZE_MAX:
            return Payload(num_rows, inline=rows)
        path = self._host.store.incoming / f"{self.ensemble}.{number}.rows"
        digest = await trio.to_thread.run_sync(_write, path, rows)
        blob = BlobRef(digest, len(rows))
        self._host.outbox.admit(self._rows_key, path, blob)
        return Payload(num_rows, blob=blob)

    def _keep_rows(self) -> None:
        blobs = [question.rows.blob for question in self._questions.values()]
        kept = frozenset(blob for blob in blobs if blob is not None)
        if kept != self._kept:
            self._kept = kept
            self._host.outbox.keep_blobs(self._rows_key, kept)


def _write(path: Path, data: bytes) -> Digest:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error}") from error
    return sha256_hex(data)


def _failure_in_words(spec: EnsembleSpec, failed: QuestionFailed) -> str:
    if failed.reason:
        return f"ensemble {spec.name!r} was not asked: {failed.reason}"
    missing = "; ".join(f"{peer[-SHORT_ID:]}: {reason}" for peer, reason in failed.missing)
    return (
        f"{failed.num_answers} members of ensemble {spec.name!r} answered, "
        f"at least {failed.num_needed} must"
        + (f"; missing {missing}" if missing else "; no member is known yet")
    )
