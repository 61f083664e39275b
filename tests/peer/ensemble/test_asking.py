import numpy as np
import pytest
import trio

from swarm.core.errors import (
    ConfigurationError,
    DataError,
    EndedError,
    NoQuorumError,
    OverloadedError,
)
from swarm.core.ids import PeerId
from swarm.ensemble.messages import FitOrder
from swarm.ensemble.spec import EnsembleSpec
from swarm.learning.ensemble.payloads import encode_answers
from swarm.peer.ensemble.asking import QUESTION_ROWS_MAX
from swarm.peer.ensemble.batching import ROWS_WAITING_MAX
from swarm.peer.ensemble.fit_orders import order_fit
from swarm.peer.ensemble.open_asking import wait_members
from tests.peer.ensemble.asked_members import ME, Member, asked, version_of

ADA, BOB, CYD = (PeerId(f"12D3KooW{name}") for name in ("Ada111", "Bob222", "Cyd333"))
CLASSES = EnsembleSpec(
    "signs", "classification", (), (2,), classes=("minus", "plus"), metric="log-loss"
)


def total(rows):
    return rows.sum(axis=1)


def three(**fields):
    return [
        Member(ADA, lambda rows: total(rows) - 1, **fields),
        Member(BOB, total, **fields),
        Member(CYD, lambda rows: total(rows) + 1, **fields),
    ]


async def test_rows_are_answered_by_all_members_and_combined(tmp_path, autojump_clock):
    async with asked(tmp_path, three()) as (asking, _):
        found = await asking.predict(np.array([[1, 2], [3, 4]]), detail=True)

    assert found.values.tolist() == pytest.approx([3.0, 7.0])
    assert [member.peer for member in found.members] == [ADA, BOB, CYD]
    assert sum(member.weight for member in found.members) == pytest.approx(1)
    assert found.members[0].values.tolist() == [2.0, 6.0]
    assert found.members[0].version == version_of(ADA)
    assert (found.members[0].num_rows, found.members[0].fitted_at_s) == (100, 1e9)
    assert found.spread.shape == (2,)
    assert found.missing == ()


async def test_members_own_answers_come_only_on_request(tmp_path, autojump_clock):
    async with asked(tmp_path, three()) as (asking, _):
        found = await asking.predict([1, 2])

    assert [member.values for member in found.members] == [None, None, None]


async def test_requests_that_come_together_are_one_question_and_get_their_own_rows(
    tmp_path, autojump_clock
):
    members = three()
    answers = {}

    async def ask(asking, number):
        answers[number] = await asking.predict([number, 0])

    async with asked(tmp_path, members) as (asking, _), trio.open_nursery() as nursery:
        for number in range(50):
            nursery.start_soon(ask, asking, number)

    assert {number: float(one.values[0]) for number, one in answers.items()} == pytest.approx(
        {number: float(number) for number in range(50)}
    )
    assert len(members[0].questions) <= 3
    assert sum(question.rows.num_rows for question in members[0].questions) == 50


async def test_classes_are_answered_with_labels_and_probabilities(tmp_path, autojump_clock):
    def signs(rows):
        plus = np.where(total(rows) > 0, 0.9, 0.2)
        return np.stack([1 - plus, plus], axis=1)

    members = [Member(peer, signs, CLASSES) for peer in (ADA, BOB)]
    async with asked(tmp_path, members, CLASSES) as (asking, _):
        found = await asking.predict([[1, 2], [-3, 0]])

    assert found.values.tolist() == ["plus", "minus"]
    assert found.probabilities[:, 1].tolist() == pytest.approx([0.9, 0.2])
    assert found.lower is None


async def test_a_member_that_refuses_or_is_silent_is_named_with_its_reason(
    tmp_path, autojump_clock
):
    members = three()
    members[0].refuses = "busy"

    async with asked(tmp_path, members) as (asking, _):
        found = await asking.predict([1, 2])

    assert [member.peer for member in found.members] == [BOB, CYD]
    assert [one.peer for one in found.missing] == [ADA]
    assert "busy" in found.missing[0].reason


async def test_an_answer_of_the_wrong_shape_never_counts(tmp_path, autojump_clock):
    members = three()
    members[0].data = encode_answers(np.zeros((7, 1)))
    members[2].data = b"nonsense"

    async with asked(tmp_path, members) as (asking, host):
        with pytest.raises(NoQuorumError, match="at least 2 must; missing Ada111: it could"):
            await asking.predict([1, 2])

    assert len(host.network.refused) == 2
    assert asking.log.rows[-1].error


async def test_answers_that_are_no_numbers_have_no_part_in_the_value(tmp_path, autojump_clock):
    members = three()
    members[0].formula = lambda rows: total(rows) * np.nan

    async with asked(tmp_path, members) as (asking, _):
        found = await asking.predict([1, 2])

    assert np.isfinite(found.values).all()


async def test_a_long_request_becomes_several_questions_with_blobs(tmp_path, autojump_clock):
    members = three()
    rows = np.arange(2.0 * (QUESTION_ROWS_MAX * 8 + 5)).reshape(-1, 2) % 97
    spec = EnsembleSpec("sums", "regression", (), (2,), deadline_s=5.0)
    for member in members:
        member.spec = spec

    async with asked(tmp_path, members, spec) as (asking, host):
        found = await asking.predict(rows)

        assert len(list(host.store.incoming.iterdir())) == 0
        assert host.kept == {} or all(not blobs for blobs in host.kept.values())

    assert found.values.tolist() == pytest.approx(rows.astype(np.float32).sum(axis=1).tolist())
    assert len(members[0].questions) == 9


async def test_rows_above_64_kib_travel_as_a_blob_that_is_deleted_afterwards(tmp_path):
    spec = EnsembleSpec("wide", "regression", (), (5000,))
    members = [Member(peer, total, spec) for peer in (ADA, BOB)]

    async with asked(tmp_path, members, spec) as (asking, host):
        found = await asking.predict(np.ones((10, 5000)))

        blob = members[0].questions[0].rows.blob
        assert blob is not None
        assert not host.store.has(blob)

    assert found.values.tolist() == pytest.approx([5000.0] * 10)


async def test_under_overload_requests_are_refused_at_once(tmp_path, autojump_clock):
    members = three()
    for member in members:
        member.refuses = "silence"
    outcomes = []

    async def ask(asking):
        try:
            await asking.predict(np.ones((1024, 2)))
        except (OverloadedError, NoQuorumError) as error:
            outcomes.append((type(error), trio.current_time()))

    async with asked(tmp_path, members) as (asking, _):
        began_s = trio.current_time()
        async with trio.open_nursery() as nursery:
            for _ in range(2 * ROWS_WAITING_MAX // 1024):
                nursery.start_soon(ask, asking)

    refused = [at_s for kind, at_s in outcomes if kind is OverloadedError]
    assert refused
    assert max(refused) - began_s < 0.01
    assert asking.num_refused == len(refused)


@pytest.mark.parametrize(
    ("rows", "coverage", "error"),
    [
        ([1, 2], 1.5, ConfigurationError),
        ([1, 2], 0.0, ConfigurationError),
        ([1, 2, 3], 0.9, DataError),
        ("rows", 0.9, DataError),
    ],
)
async def test_a_mistake_is_refused_before_anything_is_asked(tmp_path, rows, coverage, error):
    members = three()

    async with asked(tmp_path, members) as (asking, _):
        with pytest.raises(error):
            await asking.predict(rows, coverage)

    assert members[0].questions == []


async def test_callers_that_wait_get_an_error_when_asking_ends(tmp_path, autojump_clock):
    members = three()
    for member in members:
        member.refuses = "silence"

    async def ask(asking):
        with pytest.raises(EndedError):
            await asking.predict([1, 2])

    async with trio.open_nursery() as nursery, asked(tmp_path, members) as (asking, _):
        nursery.start_soon(ask, asking)
        await trio.sleep(0.1)

    with pytest.raises(EndedError):
        await asking.predict([1, 2])


async def test_the_last_questions_are_kept_for_those_who_watch(tmp_path, autojump_clock):
    async with asked(tmp_path, three()) as (asking, _):
        await asking.predict(np.ones((3, 2)))

    (one,) = asking.log.rows
    assert (one.num_rows, one.answered, one.error) == (3, (ADA, BOB, CYD), "")
    assert one.seconds == pytest.approx(0.01)


async def test_members_are_waited_for_and_the_error_says_what_is_missing(tmp_path, autojump_clock):
    async with asked(tmp_path, three()) as (asking, _):
        await wait_members(asking)
    async with asked(tmp_path, []) as (asking, _):
        with pytest.raises(NoQuorumError, match="after 3 s: no member was heard"):
            await wait_members(asking, 3.0)


async def test_a_fit_is_ordered_until_all_members_have_a_new_model(tmp_path, autojump_clock):
    members = three()

    async with asked(tmp_path, members) as (asking, host), trio.open_nursery() as nursery:
        nursery.start_soon(order_fit, asking, 60.0)
        await trio.sleep(5.0)
        orders = [one for one in host.published if isinstance(one, FitOrder)]
        assert [order.sender for order in orders] == [ME] * 3
        assert len({order.number for order in orders}) == 1
        nursery.cancel_scope.cancel()
