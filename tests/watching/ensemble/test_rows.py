"""Rows of members, the matrix, and the log of questions."""

from swarm.core.ids import Digest, PeerId
from swarm.ensemble.messages import MemberCard
from swarm.ensemble.records import Drift, ModelRecord, RefusedModel, Score
from swarm.ensemble.spec import EnsembleSpec
from swarm.watching.ensemble.matrix import MatrixCell, list_scores
from swarm.watching.ensemble.members import list_members
from swarm.watching.ensemble.questions import LATENCIES_MAX, QUESTIONS_SHOWN_MAX, QuestionLog

SPEC = EnsembleSpec("prices", "regression", input_shape=(2,))
CLASSES = EnsembleSpec(
    "kinds", "classification", input_shape=(2,), classes=("a", "b"), metric="log-loss"
)
A, B, C = PeerId("a"), PeerId("b"), PeerId("c")


def version(number: int) -> Digest:
    return Digest(f"{number:064x}")


def record(number: int) -> ModelRecord:
    return ModelRecord(version(number), "gbr", "skops", None, 100, 0.0, 1.0)


def score(owner: PeerId, number: int, loss: float, num_rows: int = 10, own: bool = False) -> Score:
    return Score(owner, version(number), loss, base_loss=8.0, num_rows=num_rows, is_own=own)


def card(
    peer: PeerId,
    champion: int | None,
    *scores: Score,
    refused: tuple[RefusedModel, ...] = (),
    drift: Drift = Drift(),  # noqa: B008 -- frozen
) -> MemberCard:
    model = record(champion) if champion is not None else None
    state = "serving" if model else "waiting"
    return MemberCard(
        SPEC.id,
        peer,
        1,
        state,
        0.0,
        50,
        champion=model,
        scores=scores,
        refused=refused,
        drift=drift,
    )


CARDS = [
    card(B, 2, score(B, 2, 9.0, own=True), score(A, 1, 16.0)),
    card(A, 1, score(A, 1, 1.0, 30, own=True), score(B, 2, 4.0), score(B, 7, 99.0)),
    card(C, None),
]


def test_members_are_listed_in_order_with_the_skill_that_all_scorers_found():
    a, b, c = list_members(SPEC, CARDS, {A, B})

    assert (a.peer, b.peer, c.peer) == (A, B, C)
    assert (a.is_present, c.is_present) == (True, False)
    assert a.skill == 1 - (30 * 1.0 + 10 * 16.0) / (40 * 8.0)
    assert a.metric == ((30 * 1.0 + 10 * 16.0) / 40) ** 0.5
    assert (a.num_scorers, b.num_scorers) == (2, 2)
    assert (c.champion, c.skill, c.metric) == (None, None, None)


def test_classes_are_scored_by_their_log_loss():
    a, *_ = list_members(CLASSES, CARDS, {A})

    assert a.metric == (30 * 1.0 + 10 * 16.0) / 40


def test_a_score_that_claims_to_be_its_owners_word_does_not_count():
    liar = card(B, 2, score(A, 1, 0.0, 10**6, own=True))

    a, b = list_members(SPEC, [card(A, 1), liar], {A, B})

    assert (a.skill, b.skill) == (None, None)
    assert list_scores(SPEC, [card(A, 1), liar]) == []


def test_a_member_drifts_beyond_its_threshold_only():
    drifts = [Drift(2.0, 1.5), Drift(1.5, 1.5), Drift(2.0, 0.0)]
    cards = [card(peer, 1, drift=drift) for peer, drift in zip((A, B, C), drifts, strict=True)]

    rows = list_members(SPEC, cards, {A, B, C}, distrusted={B})

    assert [row.is_drifting for row in rows] == [True, False, False]
    assert [row.is_distrusted for row in rows] == [False, True, False]


def test_the_matrix_has_the_models_that_answer_now():
    assert list_scores(SPEC, CARDS) == [
        MatrixCell(A, A, version(1), 1.0, 30, is_own=True),
        MatrixCell(A, B, version(2), 2.0, 10, is_own=False),
        MatrixCell(B, A, version(1), 4.0, 10, is_own=False),
        MatrixCell(B, B, version(2), 3.0, 10, is_own=True),
    ]


def test_the_matrix_says_who_refused_a_model_unless_it_was_scored_later():
    old, new = (RefusedModel(B, version(number), "odd columns") for number in (7, 2))
    b = card(B, 2)

    assert list_scores(SPEC, [card(A, 1, refused=(old,)), b]) == []
    assert list_scores(SPEC, [card(A, 1, refused=(new,)), b]) == [
        MatrixCell(A, B, version(2), None, 0, is_own=False, refusal="odd columns")
    ]
    (cell,) = list_scores(SPEC, [card(A, 1, score(B, 2, 4.0), refused=(new,)), b])
    assert (cell.metric, cell.refusal) == (2.0, "")


def test_the_log_keeps_the_newest_questions():
    log = QuestionLog()
    for number in range(QUESTIONS_SHOWN_MAX + 2):
        log.add(float(number), 1, 0.1, [A], [(B, "busy")])

    assert len(log.rows) == QUESTIONS_SHOWN_MAX
    assert log.rows[0].seq == 2
    assert log.rows[-1].answered == (A,)
    assert log.num_asked == QUESTIONS_SHOWN_MAX + 2


def test_latencies_are_of_the_newest_answered_questions():
    log = QuestionLog()
    assert log.latency() is None
    log.add(0.0, 1, 60.0)
    for milliseconds in range(1, LATENCIES_MAX + 1):
        log.add(0.0, 1, milliseconds / 1000)
    log.add(0.0, 1, 60.0, error="too few answered")

    latency = log.latency()

    assert latency is not None
    assert (latency.num_questions, latency.p50_s, latency.p99_s) == (LATENCIES_MAX, 0.5, 0.99)
    assert log.num_failed == 1
