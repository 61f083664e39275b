"""Studies: which offered studies are joined, and which of them has the peer's slots."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio

from swarm.core.errors import ConfigurationError
from swarm.core.ids import PeerId
from swarm.core.machine import TimerFired
from swarm.peer.search import studies as studies_module
from swarm.peer.search.search_settings import SearchSettings
from swarm.peer.search.studies import OfferFilter, Studies
from swarm.search.effects import CancelRequested
from swarm.search.messages import StudyLedgerPage, StudyOffer
from swarm.search.study import StudySpec
from swarm.search.study_file import parse_study
from swarm.search.study_ledger import Closed

ME, OTHER = PeerId("me"), PeerId("other")


class StubOutbox:
    """An outbox that sends nothing."""

    def __getattr__(self, _name: str) -> Any:
        return lambda *_args: None


class StubHost:
    """A host without a network."""

    me = ME
    failure = None
    outbox = StubOutbox()


@pytest.fixture
async def studies(tmp_path: Path) -> AsyncIterator[Studies]:
    settings = SearchSettings("127.0.0.1", 0, tmp_path, slots=3)
    host: Any = StubHost()
    async with trio.open_nursery() as nursery:
        yield Studies(host, settings, None, nursery)
        nursery.cancel_scope.cancel()


def study(name: str, submitter: PeerId = OTHER, **fields: Any) -> StudySpec:
    document = {"name": name, "dataset": "iris", "num_trials": 3, "models": {"knn": {}}, **fields}
    return parse_study(document, submitter)


def offer(spec: StudySpec, closed: bool = False) -> StudyOffer:
    return StudyOffer(OTHER, spec, 1, OTHER, closed)


def end(studies: Studies, spec: StudySpec) -> None:
    page = StudyLedgerPage(spec.id, OTHER, 1, 0, (Closed("done", OTHER),), 1)
    studies.handle(page)


def slots(studies: Studies) -> dict[str, int]:
    return {d.machine.spec.name: d.machine.slots for d in studies.drivers.values()}


async def test_the_slots_go_to_one_study_at_a_time(studies: Studies) -> None:
    first, second = study("first"), study("second")
    studies.handle(offer(first))
    studies.handle(offer(second))
    assert slots(studies) == {"first": 3, "second": 0}

    end(studies, first)

    assert slots(studies) == {"first": 3, "second": 3}
    assert studies.drivers[first.id].machine.closed


async def test_a_study_that_is_submitted_after_another_is_over_has_the_slots(
    studies: Studies,
) -> None:
    first = studies.submit(study("first", ME))
    first.handle(CancelRequested())

    second = studies.submit(study("second", ME))

    assert second.machine.slots == 3
    assert second.machine.workers == {ME: 3}


async def test_studies_that_are_over_are_joined_only_on_demand(studies: Studies) -> None:
    studies.handle(offer(study("over"), closed=True))
    assert not studies.drivers

    studies.offers_wanted = OfferFilter(closed=True, study="over")
    studies.handle(offer(study("over"), closed=True))
    studies.handle(offer(study("another")))

    assert list(slots(studies)) == ["over"]


async def test_a_study_that_cannot_be_executed_here_is_not_joined(studies: Studies) -> None:
    wrong = study("wrong", models={"knn": {"neighbours": [1, 2]}})

    studies.handle(offer(wrong))

    assert not studies.drivers
    with pytest.raises(ConfigurationError, match="neighbours"):
        studies.submit(wrong)


async def test_a_peer_that_only_looks_needs_no_code_and_never_coordinates(
    studies: Studies,
) -> None:
    looking = Studies(
        StubHost(),  # type: ignore[arg-type]
        replace(studies._settings, slots=0, looks=True),
        None,
        studies._nursery,
    )
    code = study("code", models={"mine:build": {}}, strategy="mine:Strategy")

    studies.handle(offer(code))
    looking.handle(offer(code))

    assert not studies.drivers
    machine = looking.drivers[code.id].machine
    machine.handle(TimerFired("tick"), 1e6)  # its coordinator is silent
    assert machine.coordinating is None
    end(looking, code)
    assert machine.closed


async def test_for_one_study_too_many_the_oldest_that_is_over_is_left(
    studies: Studies, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(studies_module, "STUDIES_MAX", 2)
    first, second, third = (study(name) for name in ("first", "second", "third"))
    studies.handle(offer(first))
    studies.handle(offer(second))
    studies.handle(offer(third))
    assert list(slots(studies)) == ["first", "second"]

    end(studies, first)
    studies.handle(offer(third))
    studies.handle(offer(first))

    assert list(slots(studies)) == ["second", "third"]


async def test_a_study_goes_on_from_its_folder(studies: Studies) -> None:
    spec = study("mine", ME)
    asked = studies.submit(spec).machine.ledger.trials

    again = Studies(studies._host, studies._settings, None, studies._nursery)
    resumed = again.submit(spec).machine

    assert resumed.ledger.trials == asked
    assert resumed.coordinating is None  # it waits for others that may have gone on


async def test_a_study_whose_machine_fails_leaves_its_slots_to_the_next(
    studies: Studies, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = study("first"), study("second")
    studies.handle(offer(first))
    studies.handle(offer(second))

    def fail(*_args: object) -> None:
        raise IndexError("a bug")

    monkeypatch.setattr(studies.drivers[first.id].machine, "handle", fail)
    end(studies, first)
    studies.handle(offer(first))

    assert slots(studies) == {"second": 3}


async def test_a_bug_in_a_study_reaches_the_user_who_submitted_it(
    studies: Studies, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = study("own", submitter=ME)
    studies.handle(offer(own))

    def fail(*_args: object) -> None:
        raise IndexError("a bug")

    monkeypatch.setattr(studies.drivers[own.id].machine, "handle", fail)
    with pytest.raises(IndexError, match="a bug"):
        end(studies, own)
