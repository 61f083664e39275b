"""Picks effects by kind, and brings a machine to the point where it combines."""

from typing import Any

from swarm.core.effects import BlobArrived, Publish
from swarm.core.machine import Effect
from swarm.federation.effects import Combine, TrainingFinished
from swarm.federation.federation import Federation
from swarm.federation.records import GlobalModel


def of(kind: type, effects: list[Effect]) -> list[Any]:
    return [effect for effect in effects if isinstance(effect, kind)]


def published(kind: type, effects: list[Effect]) -> list[Publish]:
    return [effect for effect in of(Publish, effects) if isinstance(effect.message, kind)]


def finished(head: GlobalModel, blob: Any) -> TrainingFinished:
    return TrainingFinished(head.digest, blob, 100, 4.0, None)


def all_in(session: Any, machine: Federation, head: GlobalModel) -> Combine:
    """Give the machine all contributions of its cluster; return the combination it asks for."""
    home = session.tree(head).home(machine.me)
    effects: list[Effect] = []
    for peer in home.peers:
        contribution = session.contribution(peer, head)
        machine.handle(contribution, 3.0)
        if peer == machine.me:
            effects += machine.handle(finished(head, contribution.blob), 3.0)
        effects += machine.handle(BlobArrived(contribution.blob), 3.0)
    (combine,) = of(Combine, effects)
    assert isinstance(combine, Combine)
    return combine
