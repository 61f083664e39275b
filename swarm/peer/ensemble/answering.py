"""answer_question(): from the answers that count to a prediction, with the members named."""

from collections.abc import Iterable
from dataclasses import dataclass

from swarm.core.errors import DataError, NoQuorumError
from swarm.core.ids import Digest, PeerId
from swarm.ensemble.effects import Combine, CountedAnswer
from swarm.ensemble.messages import MemberCard
from swarm.ensemble.records import ModelRecord
from swarm.learning.ensemble.answers import Floats, MemberAnswer
from swarm.learning.ensemble.combining import Combined, combine
from swarm.learning.ensemble.judging import Verdict, judge
from swarm.peer.ensemble.asker_driver import AskerDriver
from swarm.peer.ensemble.prediction import (
    SHORT_ID,
    AnsweringMember,
    MissingMember,
    Prediction,
    label_values,
)


@dataclass(frozen=True, slots=True, eq=False)
class ReadAnswers:
    """The answers to one question, decoded; they can be combined with any coverage."""

    answers: tuple[MemberAnswer, ...]
    senders: tuple[PeerId, ...]
    """The peer that sent each answer: its owner, or a peer with a copy."""
    missing: tuple[MissingMember, ...]


def read_all(driver: AskerDriver, over: Combine) -> ReadAnswers:
    """Decode the answers of a question; those that cannot be read are missing.

    Raises:
        NoQuorumError: Too few are left.
    """
    answers: list[MemberAnswer] = []
    senders: list[PeerId] = []
    missing = [MissingMember(peer, reason) for peer, reason in over.missing]
    verdicts: list[Verdict] = []
    for counted in over.answers:
        try:
            values = driver.read_answers(counted.answers)
        except DataError as error:
            missing.append(MissingMember(counted.owner, f"its answer cannot be read: {error}"))
            verdicts += _all_off(counted)
        else:
            answers.append(MemberAnswer(counted.owner, counted.version, values))
            senders.append(counted.sender)
    if verdicts:
        driver.report_verdicts(verdicts)
    num_counted = sum(answer.owner not in driver.distrusted() for answer in answers)
    if num_counted < over.num_needed:
        reasons = "; ".join(f"{one.peer[-SHORT_ID:]}: {one.reason}" for one in missing)
        raise NoQuorumError(
            f"{num_counted} members of ensemble {driver.spec.name!r} gave answers that can be "
            f"used, at least {over.num_needed} must; missing {reasons}"
        )
    return ReadAnswers(tuple(answers), tuple(senders), tuple(missing))


def answer_question(
    driver: AskerDriver, read: ReadAnswers, coverage: float
) -> tuple[Prediction, Combined]:
    """Combine the answers to one question.

    Raises:
        DataError: All members that answered have lost their weight.
    """
    cards = driver.known_cards()
    combined = combine(driver.spec, cards, read.answers, coverage, driver.distrusted())
    return _prediction(driver, read, combined, cards), combined


def judge_answers(
    driver: AskerDriver, read: ReadAnswers, combined: Combined, truth: Floats | None
) -> None:
    """Compare the members' answers with the truth or with each other, and tell the machine.

    An answer that a peer with a copy sent says nothing about the owner.
    """
    verdicts = zip(judge(driver.spec, combined, truth), read.senders, strict=True)
    driver.report_verdicts([verdict for verdict, sender in verdicts if verdict[0] == sender])


def _prediction(
    driver: AskerDriver, read: ReadAnswers, combined: Combined, cards: Iterable[MemberCard]
) -> Prediction:
    spec = driver.spec
    records = model_records(cards)
    members = []
    for part, sender in zip(combined.members, read.senders, strict=True):
        record = records.get((part.owner, part.version))
        members.append(
            AnsweringMember(
                peer=part.owner,
                version=part.version,
                learner=record.learner if record is not None else "",
                fitted_at_s=record.fitted_at_s if record is not None else 0.0,
                num_rows=record.num_rows if record is not None else 0,
                weight=part.weight,
                answered_by=sender,
                values=part.values,
            )
        )
    return Prediction(
        values=label_values(spec, combined.values),
        spread=combined.spread,
        lower=combined.lower,
        upper=combined.upper,
        probabilities=combined.values if spec.classes else None,
        sets=combined.sets,
        classes=spec.classes,
        coverage=combined.coverage,
        rule=combined.rule,
        members=tuple(members),
        missing=read.missing,
        notes=combined.notes,
        seconds=0.0,
    )


def model_records(cards: Iterable[MemberCard]) -> dict[tuple[PeerId, Digest], ModelRecord]:
    """What members say of the models that they have; an answer may be of the previous one."""
    return {
        (card.sender, record.version): record
        for card in cards
        for record in (card.previous, card.challenger, card.champion)
        if record is not None
    }


def _all_off(counted: CountedAnswer) -> list[Verdict]:
    if counted.sender != counted.owner:
        return []  # the peer with the copy is to blame
    return [(counted.owner, counted.answers.num_rows, counted.answers.num_rows)]
