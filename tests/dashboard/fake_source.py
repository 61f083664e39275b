"""Invented sources of snapshots, and snapshots of runs that have hardly begun."""

import threading
from typing import Any

from fake_ensembles import answer
from fake_run import BEGAN_UNIX_S, FakeRun

from swarm.core.errors import SwarmError


def gathering(joined: int, min_peers: int = 6) -> dict[str, Any]:
    """A swarm in which `joined` peers wait for further ones."""
    snapshot = FakeRun(min_peers).at(0.0)
    snapshot["peers"] = snapshot["peers"][:joined]
    for peer in snapshot["peers"]:
        peer.update(role="waiting", cluster=None, tier=0, phase="starting", train_accuracy=None)
    snapshot.update(phase="gathering", head=None, clusters=[], links=[], flows=[], events=[])
    snapshot.update(round=1, version=joined)
    return snapshot


def nothing_yet() -> dict[str, Any]:
    """The snapshot of an observer that has found no peer."""
    snapshot = gathering(0)
    snapshot.update(session=None, phase="connecting", version=0)
    snapshot["observer"]["connected"] = 0
    return snapshot


class FakeSource:
    """A snapshot source that shows given snapshots, or plays a run by the clock."""

    def __init__(self, snapshot: dict[str, Any], past: list[dict[str, Any]] | None = None) -> None:
        self._snapshot = snapshot
        self.past = past or []
        self.commands: list[tuple[str, str | None, float | None]] = []
        self.asked: list[tuple[str, Any, float]] = []
        self.refusal: SwarmError | None = None
        """What the next questions fail with."""
        self._changed = threading.Condition()
        self.started = False
        self.stopped = False

    def show(self, snapshot: dict[str, Any]) -> None:
        with self._changed:
            self._snapshot = snapshot
            self._changed.notify_all()

    def start(self) -> None:
        self.started = True

    def stop(self) -> None:
        self.stopped = True

    def snapshot(self) -> Any:
        with self._changed:
            return self._snapshot

    def wait_change(self, seen_version: int, timeout_s: float) -> int:
        with self._changed:
            self._changed.wait_for(
                lambda: self._snapshot["version"] != seen_version, timeout=timeout_s
            )
            version: int = self._snapshot["version"]
            return version

    def rounds(self, first: int, count: int) -> Any:
        later = [record for record in self.past if record["round"] >= first]
        following = later[count]["round"] if len(later) > count else None
        history = self.snapshot()["history"]
        return {"rounds": later[:count], "next": following, "history": history}

    def alerts(self) -> Any:
        return self.snapshot()["alerts"]

    def command(
        self, action: str, peer: str | None, value: float | None, session: str | None = None
    ) -> Any:
        self.commands.append((action, peer, value))
        facts = {
            "id": f"{len(self.commands):064x}",
            "action": action,
            "peer": peer,
            "value": value,
            "session": session,
            "sequence": len(self.commands),
            "unix_s": BEGAN_UNIX_S,
            "expires_unix_s": BEGAN_UNIX_S + 600,
            "state": "pending",
            "confirmed_by": [],
            "waiting_for": [p["id"] for p in self.snapshot()["peers"]],
        }
        shown = self.snapshot()
        operator = {**shown["operator"], "commands": [*shown["operator"]["commands"], facts]}
        self.show({**shown, "operator": operator, "version": shown["version"] + 1})
        return facts

    def ask(self, ensemble: str, rows: Any, coverage: float, *, detail: bool) -> Any:
        self.asked.append((ensemble, rows, coverage))
        if self.refusal is not None:
            raise self.refusal
        asked = next(one for one in self.snapshot()["ensembles"] if one["id"] == ensemble)
        return answer(asked, rows, coverage, detail)
