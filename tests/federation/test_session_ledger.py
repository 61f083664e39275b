"""The session's ledger: what is kept, sent and answered, and that it stays small."""

from typing import Any

from swarm.core.ids import PeerId, RoundNumber, SessionId
from swarm.federation.effects import Note
from swarm.federation.ledger_entries import (
    PAGE_MAX,
    TEXT_MAX,
    LedgerEntry,
    LedgerPage,
    LedgerRequest,
)
from swarm.federation.session_ledger import (
    ENTRIES_MAX,
    ENTRIES_PER_AUTHOR_MAX,
    FACTS_EVERY_HEARTBEATS,
    OWN_PER_ROUND_MAX,
    SENT_TIMES,
    SessionLedger,
)

SESSION = SessionId("a" * 64)
ME, ANNA, BEN = PeerId("me"), PeerId("anna"), PeerId("ben")
ROUND = RoundNumber(3)


def ledger() -> SessionLedger:
    return SessionLedger(SESSION, ME, lambda digest: f"me signs {digest}".encode())


def entry(author: PeerId, sequence: int, **fields: Any) -> LedgerEntry:
    values: dict[str, Any] = {"kind": "lost", "round": ROUND, "subject": None, "text": "gone"}
    return LedgerEntry(SESSION, author, sequence, float(sequence), **{**values, **fields})


def request(first: int) -> LedgerRequest:
    return LedgerRequest(SESSION, ANNA, first)


def test_a_note_becomes_a_signed_entry_that_is_sent_to_the_cluster_a_few_times() -> None:
    mine = ledger()

    mine.note(Note("lost", "anna is gone", ANNA), ROUND, 1000.5)

    (kept,) = mine.entries
    expected = LedgerEntry(SESSION, ME, 1_000_500, 1000.5, "lost", ROUND, ANNA, "anna is gone")
    assert kept == expected.signed(f"me signs {expected.digest}".encode())
    pages = [mine.next_page("home") for _ in range(SENT_TIMES + 1)]
    assert pages == [LedgerPage(SESSION, ME, (kept,), None)] * SENT_TIMES + [None]


def test_notes_about_heads_are_not_kept() -> None:
    mine = ledger()

    for kind in ("head", "folded", "merged", "info"):
        mine.note(Note(kind, "something"), ROUND, 1.0)

    assert mine.entries == ()


def test_the_same_about_the_same_peer_is_noted_once_a_round() -> None:
    mine = ledger()

    for number in (3, 3, 4):
        mine.note(Note("rejected", "not finite", ANNA), RoundNumber(number), 1.0)
    mine.note(Note("rejected", "not finite", BEN), RoundNumber(4), 1.0)

    assert [(e.round, e.subject) for e in mine.entries] == [(3, ANNA), (4, ANNA), (4, BEN)]


def test_a_flood_of_notes_is_cut_off_and_long_texts_are_cut() -> None:
    mine = ledger()

    for k in range(100):
        mine.note(Note("rejected", "x" * 1000, PeerId(f"peer-{k}")), ROUND, 1.0)

    assert len(mine.entries) == OWN_PER_ROUND_MAX
    assert {len(e.text) for e in mine.entries} == {TEXT_MAX}


def test_sequences_grow_though_the_clock_stands_still_or_an_earlier_life_was_ahead() -> None:
    mine = ledger()
    mine.resume([entry(ME, 5000)])

    for peer in (ANNA, BEN):
        mine.note(Note("lost", "", peer), ROUND, 1.0)

    assert [e.sequence for e in mine.entries] == [5000, 5001, 5002]


def test_only_entries_of_neighbours_by_themselves_are_kept() -> None:
    mine = ledger()
    own, hearsay = entry(ANNA, 1), entry(BEN, 1)

    mine.take_page(LedgerPage(SESSION, ANNA, (own, hearsay), None), {ANNA})
    mine.take_page(LedgerPage(SESSION, BEN, (hearsay,), None), {ANNA})

    assert mine.entries == (own,)


def test_entries_of_another_session_are_not_kept() -> None:
    mine = ledger()

    assert not mine.keep(LedgerEntry(SessionId("b" * 64), ANNA, 1, 1.0, "lost", ROUND, None, ""))

    assert mine.entries == ()


def test_a_peer_that_floods_drives_out_only_its_own_entries() -> None:
    mine = ledger()
    mine.keep(entry(BEN, 1))

    for sequence in range(10 * ENTRIES_PER_AUTHOR_MAX):
        mine.keep(entry(ANNA, sequence))

    assert len(mine.entries) == 1 + ENTRIES_PER_AUTHOR_MAX
    assert mine.entries[0] == entry(BEN, 1)
    assert mine.entries[-1] == entry(ANNA, 10 * ENTRIES_PER_AUTHOR_MAX - 1)


def test_many_authors_together_stay_within_the_bound() -> None:
    mine = ledger()

    for k in range(20):
        for sequence in range(ENTRIES_PER_AUTHOR_MAX):
            mine.keep(entry(PeerId(f"peer-{k}"), sequence))

    assert len(mine.entries) == ENTRIES_MAX
    assert len({e.author for e in mine.entries}) == 20


def test_pages_lead_through_the_whole_ledger_and_then_on() -> None:
    mine = ledger()
    for sequence in range(2 * PAGE_MAX + 5):
        mine.keep(entry(ANNA, sequence))

    read: list[LedgerEntry] = []
    first, more = 0, True
    while more:
        page = mine.answer(request(first))
        assert page.next is not None
        read += page.entries
        first, more = page.next, page.more

    assert tuple(read) == mine.entries
    assert mine.answer(request(first)).entries == ()
    mine.keep(entry(BEN, 1))
    assert mine.answer(request(first)).entries == (entry(BEN, 1),)


def test_a_place_from_before_a_restart_is_answered_from_the_beginning() -> None:
    mine = ledger()
    mine.resume([entry(ANNA, 1)])

    assert mine.answer(request(900)).entries == (entry(ANNA, 1),)


def test_the_ledger_is_saved_only_when_something_is_new() -> None:
    mine = ledger()
    mine.resume([entry(ANNA, 1)])
    assert mine.unsaved() is None

    mine.note(Note("lost", "", BEN), ROUND, 1.0)

    assert mine.unsaved() == mine.entries
    assert mine.unsaved() is None


# -- names and sites


def test_name_and_site_are_entries_that_each_new_cluster_gets() -> None:
    mine = ledger()

    mine.introduce({"name": "Anna's laptop", "site": "Bern"}, 1000.5)

    facts = [(e.kind, e.subject, e.text) for e in mine.entries]
    assert facts == [("name", ME, "Anna's laptop"), ("site", ME, "Bern")]
    page = LedgerPage(SESSION, ME, mine.entries, None)
    assert [mine.next_page("home") for _ in range(SENT_TIMES + 1)] == [page] * SENT_TIMES + [None]
    assert [mine.next_page("other") for _ in range(SENT_TIMES + 1)] == [page] * SENT_TIMES + [None]


def test_facts_are_sent_again_for_neighbours_that_came_later() -> None:
    mine = ledger()
    mine.introduce({"name": "anna"}, 1.0)

    pages = [mine.next_page("home") for _ in range(2 * FACTS_EVERY_HEARTBEATS)]

    heard = ledger()
    for page in pages[SENT_TIMES:]:
        if page is not None:
            heard.take_page(page, {ME})
    assert [e.text for e in heard.entries] == ["anna"]
    assert sum(page is not None for page in pages) <= 3 * SENT_TIMES


def test_a_restarted_peer_makes_new_facts_only_if_they_changed() -> None:
    first, second = ledger(), ledger()
    first.introduce({"name": "old"}, 1.0)
    second.resume(first.entries)

    second.introduce({"name": "old"}, 2.0)
    assert second.entries == first.entries
    second.introduce({"name": "new"}, 1.0)  # its clock was set back

    assert [e.text for e in second.entries] == ["new"]
    assert second.entries[0].sequence > first.entries[0].sequence


def name(author: PeerId, sequence: int, text: str, about: PeerId | None = None) -> LedgerEntry:
    return entry(author, sequence, kind="name", subject=about or author, text=text)


def test_only_the_newest_name_that_a_peer_gives_itself_is_kept() -> None:
    mine = ledger()

    assert mine.keep(name(ANNA, 2, "anna"))
    assert not mine.keep(name(ANNA, 1, "earlier"))
    assert not mine.keep(name(BEN, 3, "impostor", about=ANNA))
    assert mine.keep(name(ANNA, 4, "renamed"))

    assert [e.text for e in mine.entries] == ["renamed"]
    assert mine.answer(request(0)).entries == mine.entries


def test_names_are_forgotten_after_everything_else_of_their_author() -> None:
    mine = ledger()
    mine.keep(name(ANNA, 1, "anna"))

    for sequence in range(2, 3 * ENTRIES_PER_AUTHOR_MAX):
        mine.keep(entry(ANNA, sequence))

    assert len(mine.entries) == ENTRIES_PER_AUTHOR_MAX
    assert "anna" in [e.text for e in mine.entries]


def test_names_without_end_stay_within_the_bound() -> None:
    mine = ledger()

    for k in range(2 * ENTRIES_MAX):
        mine.keep(name(PeerId(f"peer-{k}"), 1, "x"))

    assert len(mine.entries) == ENTRIES_MAX
    assert mine.keep(name(PeerId("peer-0"), 1, "back again"))
