"""Swarm: people who hold data on several machines train one model together, with no server.

    import swarm

    with swarm.start_peer(x_train, y_train, model="cnn", rounds=5, min_peers=2) as peer:
        print("others join at", peer.address)
        peer.wait_finished()
        model = peer.model()          # a keras.Model

    with swarm.start_search(slots=2) as search:
        trial, result = search.submit({"name": "iris", "dataset": "iris", "num_trials": 20,
                                       "models": {"knn": {"n_neighbors": [1, 3, 5]}}}).wait()

Layers, from the top; imports point down only (see ARCHITECTURE.md):

    dashboard                                     watches
    swarm.peer                                    wires everything together
    swarm.simulation | .network | .learning       rehearses | moves bytes | does maths
    swarm.federation | .search                    decide, without input or output
    swarm.core                                    the words everyone speaks
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from swarm.core.session import SessionSpec
    from swarm.peer.federation.running_peer import RunningPeer, start_peer
    from swarm.peer.observer.observer import Observer
    from swarm.peer.search.running_search import RunningSearch, RunningStudy
    from swarm.peer.search.start_search import start_search

__all__ = [
    "Observer",
    "RunningPeer",
    "RunningSearch",
    "RunningStudy",
    "SessionSpec",
    "start_peer",
    "start_search",
]

_HOMES = {
    "Observer": "swarm.peer.observer.observer",
    "RunningPeer": "swarm.peer.federation.running_peer",
    "RunningSearch": "swarm.peer.search.running_search",
    "RunningStudy": "swarm.peer.search.running_search",
    "SessionSpec": "swarm.core.session",
    "start_peer": "swarm.peer.federation.running_peer",
    "start_search": "swarm.peer.search.start_search",
}


def __getattr__(name: str) -> Any:
    """Import the facade on first use: the layers below must not load what is above them."""
    if name not in _HOMES:
        raise AttributeError(f"module 'swarm' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
