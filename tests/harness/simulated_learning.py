"""LogisticLearner: three weights that simulated peers really train, for realistic curves."""

import math
import random
from functools import lru_cache
from typing import NamedTuple

from swarm.core.ids import PeerId
from swarm.federation.records import Metrics
from swarm.simulation.federation.simulated_learning import SimulatedLearner, Vector

TRAIN_POINTS = 60
TEST_POINTS = 80
LEARNING_RATE = 0.02
SPREAD = 1.1
"""Standard deviation of the points of a class; the two centres are two apart."""


class Point(NamedTuple):
    """A point of the plane, and its class, 0 or 1."""

    x: float
    y: float
    label: int


class LogisticLearner(SimulatedLearner):
    """Logistic regression in the plane; each peer has its own points, more of one class."""

    def learn(self, peer: PeerId, vector: Vector) -> Vector:
        """One pass of stochastic gradient descent over the peer's points."""
        a, b, c = vector
        for point in points_of(peer)[:TRAIN_POINTS]:
            step = LEARNING_RATE * (point.label - _probability((a, b, c), point))
            a, b, c = a + step, b + step * point.x, c + step * point.y
        return a, b, c

    def measure(self, peer: PeerId, vector: Vector) -> Metrics:
        """Accuracy, and mean log loss in nats, on points that the peer does not train on."""
        test = points_of(peer)[TRAIN_POINTS:]
        right, loss = 0, 0.0
        for point in test:
            probability = _probability(vector, point)
            right += (probability > 0.5) == bool(point.label)
            loss -= math.log(max(1e-12, probability if point.label else 1 - probability))
        return Metrics(peer, right / len(test), loss / len(test), len(test))


@lru_cache(maxsize=1024)
def points_of(peer: PeerId) -> tuple[Point, ...]:
    """A peer's points, always the same ones."""
    chance = random.Random(peer)  # noqa: S311 -- reproducible on purpose
    share = chance.uniform(0.2, 0.8)
    points = []
    for _ in range(TRAIN_POINTS + TEST_POINTS):
        label = int(chance.random() < share)
        centre = 0.7 if label else -0.7
        points.append(Point(chance.gauss(centre, SPREAD), chance.gauss(centre, SPREAD), label))
    return tuple(points)


def _probability(vector: Vector, point: Point) -> float:
    a, b, c = vector
    return 1 / (1 + math.exp(-max(-40.0, min(40.0, a + b * point.x + c * point.y))))
