"""An ensemble's history in words."""

from collections.abc import Callable

from swarm.core.effects import PeerUnreachable
from swarm.core.machine import Effect
from swarm.ensemble.effects import (
    Fit,
    Fitted,
    MemberStarted,
    Note,
    Predict,
    ScoreModel,
    Serve,
    Summarise,
)
from swarm.simulation.history import HistoryEntry


def ensemble_transcript(write: Callable[[str], None]) -> Callable[[HistoryEntry], None]:
    """Make a recorder that writes which models were fitted, scored and served, and by whom."""

    def record(entry: HistoryEntry) -> None:
        head = f"{entry.now_s:9.3f} {entry.peer}"
        match entry.event:
            case MemberStarted(card=card):
                write(f"{head} starts with card {card}")
            case Fitted(job, model):
                write(f"{head} fitted {model.version[:8]} (job {job})")
            case PeerUnreachable(peer):
                write(f"{head} cannot reach {peer}")
        for effect in entry.effects:
            words = _words(effect)
            if words:
                write(f"{head} {words}")

    return record


def _words(effect: Effect) -> str:
    words = ""
    match effect:
        case Note(kind, text):
            words = f"{kind}: {text}"
        case Fit(job):
            words = f"fits (job {job})"
        case ScoreModel(owner, model):
            words = f"scores {model.version[:8]} of {owner}"
        case Summarise(models):
            words = f"summarises {len(models)} models"
        case Serve(champion, challenger, copies):
            names = [str(each)[:8] for each in (champion, challenger)]
            words = f"serves {names[0]}, shadow {names[1]}, {len(copies)} copies"
        case Predict(asker, number, owner, version):
            words = f"predicts {number} of {asker} with {owner}'s {version[:8]}"
    return words
