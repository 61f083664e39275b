"""Hostile: a peer of the cohort that lies, floods, and sends what is invalid.

It cannot forge what another peer would have signed or sent. An honest machine inside follows the
session, so that the peer is asked into rounds and gets duties; what that machine says is twisted.
If its duty makes a record valid, the record names weights that fail the gates or that no peer can
pull. A root that lies about a mean is not noticed, so that is not rehearsed.
"""

import itertools
import math
import random
from collections.abc import Callable
from dataclasses import replace

from swarm.commanding.commands import Command, RelayedCommands
from swarm.core.blobs import BlobRef
from swarm.core.canonical import sha256_hex
from swarm.core.effects import Publish, Send
from swarm.core.ids import ClusterId, Digest, PeerId, RoundNumber, SessionId, Term, Tier
from swarm.core.machine import Effect, Event, TimerFired
from swarm.core.session import SessionSpec
from swarm.federation.effects import TrainingFinished
from swarm.federation.federation import Federation
from swarm.federation.ledger_entries import PAGE_MAX, LedgerEntry, LedgerPage, LedgerRequest
from swarm.federation.messages import (
    HISTORY_MAX,
    Contribution,
    HeadHistory,
    HeadRequest,
    Heartbeat,
    JoinRequest,
    SessionOffer,
    SessionQuery,
)
from swarm.federation.records import Aggregate, Branch, Contributor, GlobalModel, HeadKey
from swarm.federation.topics import cluster_topic, session_topic
from swarm.federation.tree import root_succession, succession
from swarm.federation.validity import slow_among, tree_of

FLOOD = 10
"""Number of messages of one kind sent at once."""
ATTACK_RATE = 0.5
"""Share of timers on which it sends something of its own."""
Keep = Callable[[PeerId, Digest, tuple[float, ...]], BlobRef]
"""Puts a vector in a peer's store, as its result of training from a base."""


class Hostile(Federation):
    """An honest machine whose effects are twisted at random."""

    def __init__(
        self,
        me: PeerId,
        spec: SessionSpec,
        sign: Callable[[Digest], bytes],
        chance: random.Random,
        keep: Keep,
        misled: PeerId | None = None,
    ) -> None:
        super().__init__(me, spec, sign)
        self._misled = misled
        """The newcomer that it shows an invented head, and nothing else."""
        self._invented: GlobalModel | None = None
        self.invents_branches = False
        """Whether it also announces branches of work that no peer did."""
        self._chance = chance
        self._keep = keep
        self._sign_forged = sign

    def handle(self, event: Event, now_s: float) -> list[Effect]:
        """Apply one event, and twist the effects."""
        if isinstance(event, TrainingFinished) and self._chance.random() < 0.5:
            event = replace(event, blob=self._bad_weights(event.base))
        effects = [self._twist(effect) for effect in super().handle(event, now_s)]
        if isinstance(event, TimerFired) and self._chance.random() < ATTACK_RATE:
            effects += self._chance.choice(_ATTACKS)(self)
        if isinstance(event, TimerFired) and self.invents_branches:
            effects += self._announce_invented_branch()
        return effects

    # -- twisted effects of the honest machine

    def _twist(self, effect: Effect) -> Effect:
        if not isinstance(effect, Publish | Send):
            return effect
        message = self._twist_message(effect.message)
        if isinstance(effect, Send) and effect.peer == self._misled:
            message = self._mislead(message)
        if isinstance(effect, Send):
            return Send(effect.peer, message)
        return Publish(effect.topic, message)

    def _twist_message(self, message: Event) -> Event:
        match message:
            case Contribution():
                return self._chance.choice([message, *self._bad_contributions(message)])
            case Aggregate():
                return self._chance.choice(self._bad_aggregates(message))
            case GlobalModel() if message.author == self.me:
                return self._chance.choice(self._bad_heads(message))
            case Heartbeat() | JoinRequest() if self._chance.random() < 0.3:
                return replace(message, head=self._false_key())
            case HeadHistory():
                return self._chance.choice([message, self._bad_history(message)])
        return message

    def _bad_contributions(self, message: Contribution) -> list[Contribution]:
        return [
            replace(message, num_examples=self.spec.num_examples_max + 1),
            replace(message, num_examples=self.spec.num_examples_max),
            replace(message, base=self._random_digest()),
            replace(message, session=SessionId(self._random_digest())),
            replace(message, blob=self._absent_blob()),
            replace(message, joiners=tuple(PeerId(f"made-up-{k}") for k in range(3))),
        ]

    def _bad_aggregates(self, message: Aggregate) -> list[Aggregate]:
        stranger = Contributor(PeerId("made-up-9"), message.base, 10**6, 1.0)
        bad = [
            replace(message, term=Term(message.term + 1 + self._chance.randrange(3))),
            replace(message, cluster=ClusterId("0123456789abcdef")),
            replace(message, tier=Tier(message.tier + 1)),
            replace(message, contributors=(stranger,), metrics=()),
            replace(message, contributors=(*message.contributors, stranger)),
            replace(message, blob=self._bad_weights(message.base)),
            replace(message, blob=self._absent_blob()),
        ]
        return [record.signed(self._sign_forged(record.digest)) for record in bad]

    def _bad_heads(self, message: GlobalModel) -> list[GlobalModel]:
        stranger = Contributor(
            PeerId("made-up-9"), message.parent or self._random_digest(), 10**6, 1.0
        )
        parent = self.lineage.get(message.parent) if message.parent is not None else None
        bad = [
            replace(message, examples_before=message.examples_before + 10**9),
            replace(message, round=RoundNumber(message.round + 1)),
            replace(message, contributors=(*message.contributors, stranger)),
            replace(message, parent=self._random_digest(), examples_before=10**9),
            replace(message, parent=None, round=RoundNumber(0), term=Term(0)),
            replace(message, slow=(PeerId("made-up-8"),)),
            replace(message, session=SessionId(self._random_digest())),
            replace(message, blob=self._absent_blob()),
        ]
        if parent is not None:
            ranking = self._ranking(parent)
            wrong = [k for k in range(len(ranking) + 1) if ranking[k : k + 1] != (self.me,)]
            bad.append(replace(message, term=Term(self._chance.choice(wrong))))
        return [record.signed(self._sign_forged(record.digest)) for record in bad]

    def _bad_history(self, message: HeadHistory) -> HeadHistory:
        mine = [h for h in message.heads if h.author == self.me]
        forged = [head for head in mine for head in self._bad_heads(head)]
        heads = [*message.heads, *forged, *reversed(message.heads)]
        self._chance.shuffle(heads)
        return replace(message, heads=tuple(heads[:HISTORY_MAX]))

    def _mislead(self, message: Event) -> Event:
        """Show a newcomer only a head that every other peer rejects."""
        held, misled = self.held, self._misled
        if not isinstance(message, HeadHistory) or held is None or misled is None:
            return message
        if self._invented is None:
            cohort = {*held.cohort, *self._chance.choice([[misled], []])}
            head = replace(
                held,
                parent=held.digest,
                round=RoundNumber(held.round + 1),
                term=Term(0),
                examples_before=held.total + self._chance.choice([1, 10**6]),
                blob=self._keep(self.me, held.digest, (1.0, 2.0, 3.0)),
                cohort=tuple(sorted(cohort)),
                contributors=(Contributor(self.me, held.digest, 100, 1.0),),
                merged=(),
                metrics=(),
                author=self.me,
            )
            head = replace(head, slow=slow_among(head, held))
            self._invented = head.signed(self._sign_forged(head.digest))
        return replace(message, heads=(self._invented,), adopted_unix_s=())

    # -- messages of its own

    def _send_false_heads(self) -> list[Effect]:
        held = self.held
        if held is None:
            return []
        ranking = self._ranking(held)
        place = Term(ranking.index(self.me) + 1 if self.me in ranking else 0)
        blob = self._keep(self.me, held.digest, (1e6, 1e6, 1e6))
        head = replace(
            held,
            parent=held.digest,
            round=RoundNumber(held.round + 1),
            term=place,
            examples_before=held.examples_before + held.weight,
            blob=blob,
            contributors=tuple(Contributor(peer, held.digest, 10**6, 1.0) for peer in held.cohort),
            merged=(),
            slow=(),
            metrics=(),
            author=self.me,
        )
        head = head.signed(self._sign_forged(head.digest))
        heads = [head, *self._bad_heads(head)[:-1]]
        return [Publish(session_topic(held.session), self._chance.choice(heads))]

    def _announce_invented_branch(self) -> list[Effect]:
        """Announce a head that keeps the rules, of work that a late peer did not finish.

        It follows the head of three rounds ago. If it followed a later one, peers that still hold
        that one could take it for the next head, by a standby that lies about the mean. This
        scenario is not about that.
        """
        past = list(itertools.islice(self.lineage.ancestors(self.held), 4)) if self.held else []
        if len(past) < 4 or self.me not in past[3].members:
            return []
        held, _, child, fork = past
        late = sorted(fork.members - {c.peer for c in child.contributors} - {self.me})
        if not late:
            return []
        place = root_succession(fork.digest, tree_of(fork, self.spec), frozenset(fork.slow))
        head = replace(
            child,
            term=Term(place.index(self.me)),
            blob=self._keep(self.me, fork.digest, (1e6, 1e6, 1e6)),
            contributors=(Contributor(late[0], fork.digest, 1000, 1.0),),
            merged=(),
            metrics=(),
            author=self.me,
        )
        head = replace(head, slow=slow_among(head, fork))
        head = head.signed(self._sign_forged(head.digest))
        history = HeadHistory(self.spec.id, self.me, (head,))
        request = JoinRequest(self.spec.id, self.me, held.key, (Branch(head.digest, self.me),))
        return [Send(peer, m) for peer in self._others() for m in (history, request)]

    def _send_false_heartbeats(self) -> list[Effect]:
        heartbeat = Heartbeat(self.spec.id, self.me, self._false_key())
        topics = (session_topic(self.spec.id), *self._heartbeats.topics)
        return [Publish(topic, heartbeat) for topic in topics]

    def _flood_with_join_requests(self) -> list[Effect]:
        request = JoinRequest(self.spec.id, self.me, self._false_key())
        topic = session_topic(self.spec.id)
        effects: list[Effect] = [Publish(topic, request) for _ in range(FLOOD)]
        return effects + [Send(peer, request) for peer in self._others()[:FLOOD]]

    def _flood_with_requests(self) -> list[Effect]:
        wanted = [self._random_digest(), None, self.held.digest if self.held else None]
        requests = [HeadRequest(self.spec.id, self.me, digest, HISTORY_MAX) for digest in wanted]
        others = self._others()
        sends: list[Effect] = [Send(peer, r) for peer in others[:3] for r in requests]
        return sends + [Send(peer, SessionQuery(self.me)) for peer in others[:3]]

    def _send_nonsense(self) -> list[Effect]:
        held = self.held
        if held is None:
            return []
        cluster = self._chance.choice([c for t in tree_of(held, self.spec).tiers for c in t])
        contribution = Contribution(
            self.spec.id, self.me, held.digest, 10**6, self._bad_weights(held.digest), 0.0, None
        )
        other = replace(self.spec, seed=self.spec.seed + 1)
        topic = cluster_topic(self.spec.id, cluster.id)
        effects: list[Effect] = [Publish(topic, contribution)]
        effects += [Send(peer, SessionOffer(self.me, other)) for peer in self._others()[:3]]
        effects += [
            Send(peer, HeadHistory(self.spec.id, self.me, (held,) * HISTORY_MAX))
            for peer in self._others()[:3]
        ]
        return effects

    def _give_commands(self) -> list[Effect]:
        """Give commands, although no peer trusts it as an operator."""
        topic = session_topic(self.spec.id)
        own = Command(
            scope=self.spec.id,
            author=self.me,
            sequence=self._chance.randrange(10**6),
            action=self._chance.choice(("pause", "stop", "start")),
            expires_unix_s=10**9,
        )
        own = own.signed(self._sign_forged(own.digest))
        return [Publish(topic, RelayedCommands(self.spec.id, self.me, (own,)))]

    def _fill_ledgers(self) -> list[Effect]:
        """Send whole pages of entries, and request those of every peer."""
        entries = tuple(
            LedgerEntry(
                session=self.spec.id,
                author=self.me,
                sequence=self._chance.randrange(10**9),
                unix_s=self._chance.uniform(0, 1e9),
                kind="lost",
                round=RoundNumber(self._chance.randrange(100)),
                subject=self._chance.choice([None, *self._others()]),
                text="x" * 256,
            )
            for _ in range(PAGE_MAX)
        )
        page = LedgerPage(self.spec.id, self.me, entries, None)
        effects: list[Effect] = [Publish(topic, page) for topic in self._heartbeats.topics]
        request = LedgerRequest(self.spec.id, self.me, 0)
        return effects + [Send(peer, request) for peer in self._others() for _ in range(FLOOD)]

    # -- parts

    def _false_key(self) -> HeadKey | None:
        held = self.held
        keys = [None, HeadKey(10**9, 0, self._random_digest())]
        if held is not None:
            keys.append(HeadKey(held.key.examples_before + 10**6, 0, held.digest))
            keys.append(HeadKey(0, 0, held.digest))
        return self._chance.choice(keys)

    def _bad_weights(self, base: Digest) -> BlobRef:
        bad = self._chance.choice([math.nan, math.inf, -math.inf])
        return self._keep(self.me, base, (bad, self._chance.random(), 0.0))

    def _absent_blob(self) -> BlobRef:
        return BlobRef(self._random_digest(), 10**6)

    def _random_digest(self) -> Digest:
        return sha256_hex(self._chance.randbytes(8))

    def _ranking(self, head: GlobalModel) -> tuple[PeerId, ...]:
        root = tree_of(head, self.spec).root
        return succession(head.digest, root, frozenset(head.slow))

    def _others(self) -> list[PeerId]:
        others = [p for p in (self.held.cohort if self.held else ()) if p != self.me]
        self._chance.shuffle(others)
        return others


_ATTACKS: tuple[Callable[[Hostile], list[Effect]], ...] = (
    Hostile._send_false_heads,
    Hostile._send_false_heartbeats,
    Hostile._flood_with_join_requests,
    Hostile._flood_with_requests,
    Hostile._send_nonsense,
    Hostile._give_commands,
    Hostile._fill_ledgers,
)
