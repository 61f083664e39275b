"""Observation: completing the past, making alerts, confirming commands."""

from dataclasses import replace
from typing import Any

import pytest

from swarm.commanding.commands import Command, RelayedCommands
from swarm.core.effects import Publish, Send
from swarm.core.ids import PeerId, RoundNumber
from swarm.core.machine import Effect, TimerFired
from swarm.federation.effects import Started
from swarm.federation.ledger_entries import LedgerEntry, LedgerPage, LedgerRequest
from swarm.federation.messages import HISTORY_MAX, HeadHistory, HeadRequest, Heartbeat, Status
from swarm.federation.records import GlobalModel, Merged, Metrics
from swarm.federation.topics import session_topic
from swarm.federation.tree import succession
from swarm.watching.federation.alerts import SAME_WITHIN_S, Alert, alerts_of
from swarm.watching.federation.command_tracking import PARTIAL_AFTER_S, CommandGiven
from swarm.watching.federation.head_history import Point
from swarm.watching.federation.ledger_reader import ASKED_AT_ONCE_MAX, READ_AGAIN_AFTER_S
from swarm.watching.federation.observation import (
    ASK_AGAIN,
    Observation,
)
from swarm.watching.federation.peer_registry import (
    LOST_AFTER_S,
    QUARANTINE_SHOWN_S,
    SUSPECT_AFTER_S,
)
from tests.harness.federation_effects import of

ME, OLGA = PeerId("watcher"), PeerId("olga")
UNIX_S = 1_000_000.0


def sent(kind: type, effects: list[Effect]) -> list[Send]:
    return [effect for effect in of(Send, effects) if isinstance(effect.message, kind)]


class Watch:
    """An observation of the session, at its start."""

    def __init__(self, session: Any) -> None:
        self.session = session
        self.id = session.spec.id
        self.seen = Observation(ME, session.spec)
        self.seen.handle(Started(offered_by=session.peers[:1], unix_s=UNIX_S), 0.0)

    def hear(self, *heads: GlobalModel, now_s: float = 0.0, **fields: Any) -> list[Effect]:
        newest_first = tuple(sorted(heads, key=lambda h: h.key, reverse=True))
        history = HeadHistory(self.id, self.session.peers[0], newest_first, **fields)
        return self.seen.handle(history, now_s)

    def status(self, peer: PeerId, now_s: float, **fields: Any) -> None:
        known = {"name": f"name of {peer}", "phase": "training", "progress": 0.5, "head": None}
        known |= {"session": self.id, "sender": peer, "round": RoundNumber(1)}
        self.seen.handle(Status(**{**known, **fields}), now_s)

    def report(self, kind: str, author: PeerId, now_s: float, **fields: Any) -> None:
        entry = entry_of(self.session, kind, author, UNIX_S + now_s, **fields)
        self.seen.handle(LedgerPage(self.id, author, (entry,), None), now_s)


def entry_of(session: Any, kind: str, author: PeerId, unix_s: float, **fields: Any) -> LedgerEntry:
    values = {"sequence": int(unix_s * 1000), "round": RoundNumber(1), "subject": None, "text": ""}
    return LedgerEntry(
        session=session.spec.id,
        author=author,
        unix_s=unix_s,
        kind=kind,
        **{**values, **fields},
    )


@pytest.fixture
def watch(session: Any) -> Watch:
    return Watch(session)


def measured(session: Any, head: GlobalModel, accuracy: float) -> tuple[Metrics, ...]:
    return tuple(Metrics(peer, accuracy, 1.0 - accuracy, 10) for peer in head.cohort)


# -- names


def test_a_peer_that_is_gone_has_the_name_in_ledgers_and_makes_no_alert(
    watch: Watch,
) -> None:
    watch.report("name", OLGA, 1.0, subject=OLGA, text="Olga\u202e's <b>laptop\n" + "x" * 100)
    watch.report("site", OLGA, 2.0, subject=OLGA, text="Bern")

    name = watch.seen.name_of(OLGA)
    assert name.startswith("Olga\ufffd's <b>laptop\ufffdx")
    assert len(name) == 64
    assert watch.seen.site_of(OLGA) == "Bern"
    assert watch.seen.names() == {OLGA: name}
    assert watch.seen.alerts() == []


def test_no_peer_names_another(watch: Watch) -> None:
    watch.report("name", watch.session.peers[0], 1.0, subject=OLGA, text="impostor")

    assert watch.seen.name_of(OLGA) == OLGA[-6:]


def test_a_peers_own_status_counts_more_than_ledgers(watch: Watch) -> None:
    watch.status(OLGA, 1.0, name="Olga now", site="Lyon")
    watch.report("name", OLGA, 2.0, subject=OLGA, text="Olga then")
    watch.report("site", OLGA, 2.0, subject=OLGA, text="Bern")

    assert (watch.seen.name_of(OLGA), watch.seen.site_of(OLGA)) == ("Olga now", "Lyon")


# -- the past


def test_an_observer_asks_for_ancestors_until_it_reaches_head_0(watch: Watch) -> None:
    chain = watch.session.chain(6)

    (asked,) = sent(HeadRequest, watch.hear(*chain[4:]))
    assert asked.message == HeadRequest(watch.id, ME, chain[3].digest, HISTORY_MAX)
    assert watch.seen.past.missing == chain[3].digest
    effects = watch.hear(*chain[:4])

    assert sent(HeadRequest, effects) == []
    assert watch.seen.past.chain == tuple(reversed(chain))
    assert watch.seen.past.missing is None


def test_ancestors_that_no_child_names_are_not_believed(watch: Watch) -> None:
    chain = watch.session.chain(6)
    watch.hear(*chain[4:])
    other = replace(chain[3], admission=0.5)

    watch.hear(other)

    assert watch.seen.past.chain == (chain[6], chain[5], chain[4])


def test_curves_are_the_same_whether_the_past_came_at_once_or_in_pieces(session: Any) -> None:
    heads = [session.head0]
    for k in range(5):
        metrics = measured(session, heads[-1], 0.1 * (k + 1))
        heads.append(session.child(heads[-1], metrics=metrics))
    whole, pieces, live = Watch(session), Watch(session), Watch(session)

    whole.hear(*heads)
    pieces.hear(*heads[4:])
    pieces.hear(*heads[2:4])
    pieces.hear(*heads[:2])
    for head in heads:
        live.hear(head)

    expected = [Point(RoundNumber(k), pytest.approx(0.1 * (k + 1)), 1) for k in range(5)]
    assert [p.round for p in whole.seen.curve()] == [p.round for p in expected]
    assert [p.accuracy for p in whole.seen.curve()] == [p.accuracy for p in expected]
    for peer in (None, *session.peers):
        assert pieces.seen.curve(peer) == whole.seen.curve(peer) == live.seen.curve(peer)


def test_the_times_of_heads_come_from_peers_that_adopted_them(watch: Watch) -> None:
    chain = watch.session.chain(2)

    watch.hear(*chain, adopted_unix_s=(30.0, 20.0, 0.0), now_s=5.0)

    times = watch.seen.past.unix_s
    assert (times[chain[2].digest], times[chain[1].digest]) == (30.0, 20.0)
    assert chain[0].digest not in times


def test_ledgers_are_read_page_by_page_a_few_peers_at_a_time(watch: Watch) -> None:
    for peer in watch.session.peers:
        watch.status(peer, 1.0)

    first = sent(LedgerRequest, watch.seen.handle(TimerFired(ASK_AGAIN), 2.0))
    assert [s.message for s in first] == [LedgerRequest(watch.id, ME, 0)] * ASKED_AT_ONCE_MAX
    peer = first[0].peer
    page = LedgerPage(watch.id, peer, (entry_of(watch.session, "left", peer, 5.0),), 32, more=True)
    following = watch.seen.handle(page, 2.5)
    assert following == [Send(peer, LedgerRequest(watch.id, ME, 32))]
    assert watch.seen.handle(replace(page, more=False), 2.6) == []

    second = sent(LedgerRequest, watch.seen.handle(TimerFired(ASK_AGAIN), 4.0))
    assert {s.peer for s in second} == set(watch.session.peers) - {s.peer for s in first}
    assert sent(LedgerRequest, watch.seen.handle(TimerFired(ASK_AGAIN), 4.1)) == []
    for other in watch.session.peers:
        watch.status(other, 2.5 + READ_AGAIN_AFTER_S)
    again = sent(LedgerRequest, watch.seen.handle(TimerFired(ASK_AGAIN), 3 + READ_AGAIN_AFTER_S))
    assert Send(peer, LedgerRequest(watch.id, ME, 32)) in again


def test_pages_that_were_not_asked_for_cause_no_request(watch: Watch) -> None:
    page = LedgerPage(watch.id, PeerId("eve"), (), 32, more=True)

    assert watch.seen.handle(page, 1.0) == []


# -- states


def test_silent_peers_of_the_cohort_are_suspect_then_lost(watch: Watch) -> None:
    watch.hear(watch.session.head0)
    peer = watch.session.peers[1]
    watch.seen.handle(Heartbeat(watch.id, peer, None), 10.0)

    states = [
        watch.seen.state_of(peer, 10.0 + s) for s in (0, SUSPECT_AFTER_S + 0.1, LOST_AFTER_S + 0.1)
    ]

    assert states == ["alive", "suspect", "lost"]


def test_a_loss_noticed_in_the_cluster_is_shown_at_once_unless_the_peer_is_heard(
    watch: Watch,
) -> None:
    watch.hear(watch.session.head0)
    gone, here, neighbour = watch.session.peers[1:4]
    watch.status(gone, 10.0)
    watch.status(here, 14.9)

    for peer in (gone, here):
        sequence = watch.session.peers.index(peer)
        watch.report("lost", neighbour, 15.0, subject=peer, sequence=sequence)

    assert watch.seen.state_of(gone, 15.0) == "lost"
    assert watch.seen.state_of(here, 15.0) == "alive"


def test_a_quarantined_peer_is_shown_as_such_for_a_while(watch: Watch) -> None:
    watch.hear(watch.session.head0)
    bad, neighbour = watch.session.peers[1:3]
    watch.report("quarantined", neighbour, 10.0, subject=bad)
    for now_s in (11.0, 11.0 + QUARANTINE_SHOWN_S):
        watch.status(bad, now_s)
        state = watch.seen.state_of(bad, now_s)
        assert state == ("quarantined" if now_s < 100 else "alive")


# -- alerts


def test_one_thing_noticed_by_several_peers_is_one_alert(session: Any) -> None:
    gone = session.peers[5]
    entries = [
        entry_of(session, "lost", peer, 100.0 + k, subject=gone)
        for k, peer in enumerate(session.peers[:3])
    ]
    later = entry_of(session, "lost", session.peers[0], 200.0, subject=gone, sequence=7)

    alerts = alerts_of([later, *entries], (), (), 0.1, session.spec)

    assert [(a.unix_s, a.reporters) for a in alerts] == [
        (100.0, session.peers[:3]),
        (200.0, session.peers[:1]),
    ]
    assert {a.severity for a in alerts} == {"error"}
    assert SAME_WITHIN_S < 100


def test_heads_show_takeovers_stale_work_merges_and_missing_halves(session: Any) -> None:
    chain = session.chain(2)
    late = session.contributors(chain[1], session.peers[:1])
    some = session.contributors(chain[2], session.peers[1:4])
    branch = (Merged(chain[0].digest, 500),)
    head = session.child(chain[2], term=1, contributors=(*late, *some), merged=branch)

    alerts = alerts_of([], (head, *reversed(chain)), (), 0.1, session.spec)

    assert {(a.kind, a.round, a.subject) for a in alerts} == {
        ("takeover", 3, head.author),
        ("folded", 3, None),
        ("merged", 3, None),
        ("partition", 3, None),
    }


def test_a_takeover_in_a_ledger_and_in_a_head_is_one_alert(session: Any) -> None:
    head0 = session.head0
    head = session.child(head0, term=1)
    entry = entry_of(session, "takeover", head.author, 5.0, subject=head.author)

    alerts = alerts_of([entry], (head, head0), (), 0.1, session.spec)

    text = "; nothing was lost"
    assert alerts == [Alert("takeover", RoundNumber(1), head.author, text, 5.0, (head.author,))]


def test_a_fall_of_accuracy_beyond_the_threshold_is_an_alert(session: Any) -> None:
    curve = [Point(RoundNumber(k), a, 1.0) for k, a in enumerate((0.5, 0.45, 0.3, 0.6))]

    assert [a.round for a in alerts_of([], (), curve, 0.1, session.spec)] == [2]
    assert [a.round for a in alerts_of([], (), curve, 0.04, session.spec)] == [1, 2]
    assert alerts_of([], (), curve, 0.2, session.spec) == []


# -- commands


def command(watch: Watch, action: Any, sequence: int = 1, **fields: Any) -> Command:
    return Command(watch.id, OLGA, sequence, action, UNIX_S + 3600, **fields)


def test_a_command_is_published_and_again_until_all_live_peers_report_it(watch: Watch) -> None:
    pause = command(watch, "pause")
    peers = watch.session.peers[:2]
    for peer in peers:
        watch.status(peer, 1.0)
    published = Publish(session_topic(watch.id), RelayedCommands(watch.id, ME, (pause,)))

    assert watch.seen.handle(CommandGiven(pause), 1.0) == [published]
    (given,) = watch.seen.command_tracking.given
    assert given.state(UNIX_S + 1.0) == "pending"
    assert published in watch.seen.handle(TimerFired(ASK_AGAIN), 2.0)

    watch.status(peers[0], 3.0, obeyed=(pause.digest[:16],))
    watch.seen.look(3.0)
    assert given.state(UNIX_S + 3.0) == "pending"
    assert (given.confirmed_by, given.waiting_for) == ({peers[0]}, {peers[1]})
    assert given.state(UNIX_S + 2.0 + PARTIAL_AFTER_S) == "partial"
    watch.status(peers[1], 4.0, obeyed=(pause.digest[:16],))
    watch.seen.look(4.0)
    assert given.state(UNIX_S + 4.0) == "confirmed"
    assert published not in watch.seen.handle(TimerFired(ASK_AGAIN), 4.5)


def test_a_command_that_no_peer_reports_expires(watch: Watch) -> None:
    watch.status(watch.session.peers[0], 1.0)
    watch.seen.handle(CommandGiven(command(watch, "stop")), 1.0)

    (given,) = watch.seen.command_tracking.given
    assert given.state(UNIX_S + 3601) == "expired"


def test_a_command_is_in_force_when_peers_report_it_not_when_it_is_published(watch: Watch) -> None:
    gone = watch.session.peers[5]
    remove = command(watch, "remove", 1, subject=gone)
    threshold = command(watch, "threshold", 2, value=0.3)
    watch.seen.handle(RelayedCommands(watch.id, PeerId("anyone"), (remove, threshold)), 1.0)
    watch.status(watch.session.peers[0], 1.0)
    watch.seen.look(1.0)
    assert watch.seen.command_tracking.removed == frozenset()

    obeyed = tuple(c.digest[:16] for c in (remove, threshold))
    watch.status(watch.session.peers[0], 2.0, obeyed=obeyed)
    watch.seen.look(2.0)

    assert watch.seen.command_tracking.removed == {gone}
    assert watch.seen.command_tracking.drop_threshold == 0.3
    assert watch.seen.state_of(gone, 2.0) == "removed"


def test_the_aggregator_shown_is_the_first_of_the_succession_that_is_here(watch: Watch) -> None:
    head0 = watch.session.head0
    watch.hear(head0)
    root = watch.session.tree(head0).root
    ranking = succession(head0.digest, root, frozenset())
    for peer in watch.session.peers:
        watch.status(peer, 1.0 if peer == ranking[0] else 10.0)

    assert watch.seen.aggregator_of(root, 10.0) == ranking[1]


# -- the pace of the run


def test_the_time_left_is_known_within_the_first_round(watch: Watch) -> None:
    """The session has 4 rounds; the first peer tells when head 0 was adopted."""
    assert watch.seen.seconds_left(0.0) is None
    watch.hear(watch.session.head0, adopted_unix_s=(UNIX_S,))
    for peer in watch.session.peers:
        watch.status(peer, 10.0, progress=0.5)
    watch.seen.look(10.0)

    left_s = watch.seen.seconds_left(10.0)

    assert left_s == pytest.approx(4 * 10 / (0.5 * 0.95) - 10)


def test_without_a_time_of_the_head_the_part_that_was_seen_gives_the_pace(watch: Watch) -> None:
    watch.hear(watch.session.head0)
    for now_s, progress in ((100.0, 0.2), (110.0, 0.6)):
        for peer in watch.session.peers:
            watch.status(peer, now_s, progress=progress)
        watch.seen.look(now_s)

    left_s = watch.seen.seconds_left(110.0)

    in_round_s = 10 * 0.6 / 0.4
    assert left_s == pytest.approx(4 * in_round_s / (0.6 * 0.95) - in_round_s)


def test_a_peer_that_is_ready_has_done_its_part_of_the_round(watch: Watch) -> None:
    watch.hear(watch.session.head0, adopted_unix_s=(UNIX_S,))
    for peer in watch.session.peers:
        watch.status(peer, 9.5, phase="waiting", progress=0.0)
    watch.seen.look(9.5)

    assert watch.seen.seconds_left(9.5) == pytest.approx(0.5 + 3 * 10)


def test_training_accuracy_is_kept_along_the_run(watch: Watch) -> None:
    watch.hear(watch.session.head0)
    for now_s, progress in ((1.0, 0.1), (2.0, 0.5)):
        watch.status(watch.session.peers[0], now_s, progress=progress, train_accuracy=progress)
        watch.seen.look(now_s)

    assert [(p.at, p.accuracy) for p in watch.seen.training_curve.points] == [
        (0.1, 0.1),
        (0.5, 0.5),
    ]
