"""Windows and relations on small hand-made histories."""

from typing import Any

import pytest

from swarm.core.ids import Digest
from swarm.federation.ancestry import (
    STALENESS_MAX,
    Known,
    UnknownAncestorError,
    relate,
    window_of,
)
from swarm.federation.records import Contributor, GlobalModel, Merged


def index(*heads: GlobalModel) -> dict[Digest, GlobalModel]:
    return {head.digest: head for head in heads}


def by(session: Any, base: GlobalModel, *peers: int, num_examples: int = 100) -> dict[str, Any]:
    """Contributors for a head on `base`: these peers only."""
    chosen = tuple(session.peers[k] for k in peers)
    return {"contributors": session.contributors(base, chosen, num_examples)}


class History:
    """Fork at head 0: two heads by peers 0 to 2, one by peers 3 to 5."""

    def __init__(self, session: Any) -> None:
        self.fork = session.head0
        self.a1 = session.child(self.fork, **by(session, self.fork, 0, 1, 2))
        self.a2 = session.child(self.a1, **by(session, self.a1, 0, 1, 2))
        self.b1 = session.child(self.fork, term=1, **by(session, self.fork, 3, 4, 5))

    @property
    def known(self) -> Known:
        return index(self.fork, self.a1, self.a2, self.b1)


@pytest.fixture
def history(session: Any) -> History:
    return History(session)


# -- windows


def test_staleness_counts_heads_back_to_the_base(session: Any) -> None:
    heads = session.chain(6)

    window = window_of(index(*heads), heads[6])

    assert [window.staleness(head.digest) for head in heads[::-1]] == [0, 1, 2, 3, 4, None, None]
    assert window.missing is None


def test_a_window_says_which_ancestor_it_lacks(session: Any) -> None:
    heads = session.chain(6)

    assert window_of(index(*heads[4:]), heads[6]).missing == heads[3].digest
    assert window_of(index(*heads[:2]), heads[1]).missing is None


def test_weights_shrink_with_the_root_of_staleness(session: Any) -> None:
    heads = session.chain(3)
    peer = session.peers[0]
    window = window_of(index(*heads), heads[3])

    weights = [window.weight([Contributor(peer, h.digest, 100, 1.0)]) for h in heads[::-1]]

    assert weights == pytest.approx([100, 100 / 2**0.5, 100 / 3**0.5, 50])
    with pytest.raises(UnknownAncestorError):
        window.weight([Contributor(peer, heads[0].blob.digest, 100, 1.0)])


def test_a_stale_contribution_named_since_its_base_does_not_count_again(session: Any) -> None:
    head0 = session.head0
    head1 = session.child(head0, **by(session, head0, 0, 1, 2))
    late = Contributor(session.peers[3], head0.digest, 100, 9.0)
    fresh = session.contributors(head1, session.peers[:3])
    head2 = session.child(head1, contributors=(*fresh, late))

    before = window_of(index(head0, head1), head1)
    after = window_of(index(head0, head1, head2), head2)

    assert before.may_apply_stale(late)
    assert not after.may_apply_stale(late)
    assert not before.may_apply_stale(Contributor(session.peers[0], head0.digest, 100, 1.0))


def test_a_stale_contribution_named_by_a_merged_branch_does_not_count_again(
    session: Any, history: History
) -> None:
    merging = session.child(
        history.a2,
        merged=(Merged(history.b1.digest, 300),),
        **by(session, history.a2, 0, 1, 2),
    )

    window = window_of({**history.known, **index(merging)}, merging)

    assert not window.may_apply_stale(Contributor(session.peers[4], history.fork.digest, 100, 1.0))


def test_a_contribution_too_many_heads_back_does_not_count(session: Any) -> None:
    heads = session.chain(STALENESS_MAX + 1)
    stranger = Contributor(session.peers[0], heads[0].digest, 100, 1.0)

    assert not window_of(index(*heads), heads[-1]).may_apply_stale(stranger)


# -- relations


def test_examples_count_from_where_two_lineages_parted(history: History) -> None:
    relation = relate(history.known, history.a2, history.b1)

    assert relation.examples == (600, 300)
    assert relation.share == pytest.approx(1 / 3)
    assert not relation.conflict
    assert len(relation.only_theirs) == 3


def test_an_ancestor_adds_nothing(history: History) -> None:
    assert relate(history.known, history.a2, history.a1).examples[1] == 0


def test_sides_that_name_one_contribution_conflict(session: Any, history: History) -> None:
    overlapping = session.child(history.fork, term=1, **by(session, history.fork, 2, 3, 4))

    relation = relate({**history.known, **index(overlapping)}, history.a2, overlapping)

    assert relation.conflict == f"both sides name the contribution of {session.peers[2]}"
    assert len(relation.only_theirs) == 2


def test_a_branch_that_went_on_after_it_was_merged_counts_from_there(
    session: Any, history: History
) -> None:
    merging = session.child(
        history.a2,
        merged=(Merged(history.b1.digest, 300),),
        **by(session, history.a2, 0, 1, 2),
    )
    b2 = session.child(history.b1, **by(session, history.b1, 3, 4))

    relation = relate({**history.known, **index(merging, b2)}, merging, b2)

    assert relation.examples[1] == 200
    assert not relation.conflict


@pytest.mark.parametrize("weight", [50, 500], ids=["light", "heavy"])
def test_two_sides_that_merged_a_third_conflict(
    session: Any, history: History, weight: int
) -> None:
    """Whether the third lineage is greater than their fork or less."""
    start = history.fork
    third = session.child(start, term=2, **by(session, start, 5, num_examples=weight))
    root = session.child(start, **by(session, start, 0, 1, 2, 3, 4))
    merged = {"merged": (Merged(third.digest, weight),)}
    ours = session.child(root, **by(session, root, 0, 1), **merged)
    theirs = session.child(root, term=1, **by(session, root, 2, 3), **merged)

    relation = relate(index(start, third, root, ours, theirs), ours, theirs)

    assert "both sides merged" in relation.conflict


def test_a_missing_ancestor_is_named(session: Any, history: History) -> None:
    b2 = session.child(history.b1, **by(session, history.b1, 3))
    known = {d: h for d, h in history.known.items() if h is not history.b1}

    with pytest.raises(UnknownAncestorError) as caught:
        relate({**known, **index(b2)}, history.a2, b2)

    assert caught.value.digest == history.b1.digest


def test_what_lies_behind_the_fork_need_not_be_known(session: Any) -> None:
    heads = session.chain(3)
    ours = session.child(heads[3], **by(session, heads[3], 0, 1))
    theirs = session.child(heads[3], term=1, **by(session, heads[3], 2, 3))

    assert relate(index(heads[3], ours, theirs), ours, theirs).examples == (200, 200)


def test_without_a_common_ancestor_nothing_can_be_merged(session: Any, history: History) -> None:
    other = session.first(history.a1.blob)

    relation = relate({**history.known, **index(other)}, history.a1, other)

    assert relation.conflict == "they have no common ancestor"
