"""ConnectionRows applies changes only, and its links are those that the peers report."""

import random
from itertools import combinations

from swarm.core.ids import PeerId, RoundNumber, SessionId
from swarm.federation.messages import Status
from swarm.peer.observer.connection_rows import ConnectionRows
from swarm.watching.federation.live_state import SeenPeer

PEERS = [PeerId(f"peer-{k}") for k in range(7)]
WATCHER = PeerId("watcher")


def reporting(peer: PeerId, links: list[PeerId]) -> SeenPeer:
    session = SessionId("a" * 64)
    status = Status(session, peer, peer, "training", RoundNumber(1), 0.5, None, links=tuple(links))
    return SeenPeer(0.0, status)


def expected(registry: dict[PeerId, SeenPeer]) -> list[dict[str, PeerId]]:
    here = sorted(peer for peer, seen_peer in registry.items() if not seen_peer.gone)

    def reports(peer: PeerId, other: PeerId) -> bool:
        status = registry[peer].status
        return status is not None and other in status.links

    return [
        {"source": a, "target": b}
        for a, b in combinations(here, 2)
        if reports(a, b) or reports(b, a)
    ]


def test_after_any_changes_the_links_are_those_that_peers_report() -> None:
    for seed in range(50):
        chance = random.Random(seed)  # noqa: S311 -- reproducible
        connections, registry = ConnectionRows(), {}
        for _ in range(30):
            peer = chance.choice(PEERS)
            what = chance.random()
            if what < 0.6:
                others = [p for p in [*PEERS, WATCHER] if p != peer]
                registry[peer] = reporting(peer, chance.sample(others, chance.randint(0, 4)))
            elif what < 0.8:
                registry.pop(peer, None)
            elif peer in registry:
                registry[peer] = SeenPeer(0.0, registry[peer].status, gone="lost")

            connections.update(registry)

            assert connections.links == expected(registry), f"seed {seed}"


def test_unchanged_links_are_the_same_objects() -> None:
    a, b, c = PEERS[:3]
    connections = ConnectionRows()
    registry = {a: reporting(a, [b]), b: reporting(b, [a]), c: reporting(c, [])}
    connections.update(registry)
    before = connections.links

    connections.update({**registry, a: reporting(a, [b])})
    assert connections.links is before
    connections.update({**registry, c: reporting(c, [a])})

    assert connections.links == [{"source": a, "target": b}, {"source": a, "target": c}]
    assert connections.links[0] is before[0]
    assert before == [{"source": a, "target": b}]


def test_ids_of_other_peers_are_listed_with_the_number_of_their_links() -> None:
    a, b = PEERS[:2]
    connections = ConnectionRows()

    connections.update({a: reporting(a, [b, WATCHER]), b: reporting(b, [WATCHER])})
    assert dict(connections.others({a, b})) == {WATCHER: 2}
    connections.update(
        {a: reporting(a, [b]), b: SeenPeer(0.0, reporting(b, [WATCHER]).status, gone="left")}
    )

    assert dict(connections.others({a, b})) == {}
