"""tell_study(): a study's history in words."""

from collections.abc import Callable

from swarm.core.effects import PeerUnreachable
from swarm.search.effects import Note, RunTrial, Started, TrialFinished
from swarm.simulation.history import HistoryEntry


def tell_study(say: Callable[[str], None]) -> Callable[[HistoryEntry], None]:
    """Make a recorder that tells who coordinated, what ran where, and what was lost."""

    def record(entry: HistoryEntry) -> None:
        head = f"{entry.now_s:9.3f} {entry.peer}"
        match entry.event:
            case Started(contact=contact, submits=submits):
                say(f"{head} starts{', submits' if submits else f', told by {contact}'}")
            case TrialFinished(result):
                say(f"{head} finished {result.trial}: {result.state}")
            case PeerUnreachable(peer):
                say(f"{head} cannot reach {peer}")
        for effect in entry.effects:
            match effect:
                case Note(kind, text):
                    say(f"{head} {kind}: {text}")
                case RunTrial(trial, checkpoint):
                    resumed = ", from a checkpoint" if checkpoint is not None else ""
                    say(f"{head} runs {trial.id} (trial {trial.number}){resumed}")

    return record
