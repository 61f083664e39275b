"""Swarm: people with data on several machines train one model together, without a server.

    import swarm

    with swarm.start_peer(x_train, y_train, model="cnn", rounds=5, min_peers=2) as peer:
        print("others join at", peer.address)
        peer.wait_finished()
        model = peer.model()          # a keras.Model

    with swarm.start_search(slots=2) as search:
        trial, result = search.submit({"name": "iris", "dataset": "iris", "num_trials": 20,
                                       "models": {"knn": {"n_neighbors": [1, 3, 5]}}}).wait()

    with swarm.join_ensemble("192.168.1.5:4001") as ensemble:
        print(ensemble.predict(frame))  # values, intervals, and which members answered

Layers, from the top; imports point down only (see ARCHITECTURE.md). The dashboard is above all:

torch        training in a PyTorch loop
launch       starts many peers on one machine
peer         runs one peer
simulation   rehearses the deciding packages on virtual time
network      moves bytes
learning     computes
watching     observes, without input or output
federation   decides on federated training, without input or output
search       decides on hyperparameter searches, without input or output
ensemble     decides on ensembles that answer together, without input or output
commanding   operators' commands
core         words and rules that all packages share

pack         `python -m swarm.pack`: one .npz file from any data
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from swarm.core.session import SessionSpec
    from swarm.learning.datasets.pack import pack
    from swarm.peer.ensemble.prediction import Prediction
    from swarm.peer.ensemble.running_ensemble import Ensemble, join_ensemble
    from swarm.peer.federation.own_loop.keras_callback import Swarm
    from swarm.peer.federation.running_peer import RunningPeer, start_peer
    from swarm.peer.observer.observer import Observer
    from swarm.peer.search.running_search import RunningSearch, RunningStudy
    from swarm.peer.search.start_search import start_search

__all__ = [
    "Ensemble",
    "Observer",
    "Prediction",
    "RunningPeer",
    "RunningSearch",
    "RunningStudy",
    "SessionSpec",
    "Swarm",
    "join_ensemble",
    "pack",
    "start_peer",
    "start_search",
]

_MODULES = {
    "Ensemble": "swarm.peer.ensemble.running_ensemble",
    "Prediction": "swarm.peer.ensemble.prediction",
    "join_ensemble": "swarm.peer.ensemble.running_ensemble",
    "Observer": "swarm.peer.observer.observer",
    "RunningPeer": "swarm.peer.federation.running_peer",
    "RunningSearch": "swarm.peer.search.running_search",
    "RunningStudy": "swarm.peer.search.running_search",
    "SessionSpec": "swarm.core.session",
    "pack": "swarm.learning.datasets.pack",
    "Swarm": "swarm.peer.federation.own_loop.keras_callback",
    "start_peer": "swarm.peer.federation.running_peer",
    "start_search": "swarm.peer.search.start_search",
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use: lower layers must not load the layers above them."""
    if name not in _MODULES:
        raise AttributeError(f"module 'swarm' has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    """The public names: what completion shows after `swarm.`."""
    return sorted(__all__)
