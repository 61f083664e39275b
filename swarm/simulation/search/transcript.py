"""A study's history in words."""

from collections.abc import Callable

from swarm.core.effects import PeerUnreachable
from swarm.search.effects import Note, RunTrial, Started, TrialFinished
from swarm.simulation.history import HistoryEntry


def study_transcript(write: Callable[[str], None]) -> Callable[[HistoryEntry], None]:
    """Make a recorder that writes which peer coordinated, what ran where, and what was lost."""

    def record(entry: HistoryEntry) -> None:
        head = f"{entry.now_s:9.3f} {entry.peer}"
        match entry.event:
            case Started(contact=contact, submits=submits):
                write(f"{head} starts{', submits' if submits else f', contact {contact}'}")
            case TrialFinished(result):
                write(f"{head} finished {result.trial}: {result.state}")
            case PeerUnreachable(peer):
                write(f"{head} cannot reach {peer}")
        for effect in entry.effects:
            match effect:
                case Note(kind, text):
                    write(f"{head} {kind}: {text}")
                case RunTrial(trial, checkpoint):
                    resumed = ", from a checkpoint" if checkpoint is not None else ""
                    write(f"{head} runs {trial.id} (trial {trial.number}){resumed}")

    return record
