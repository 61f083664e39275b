"""The differences between two snapshots: the server sends only these, and the page merges them."""

from collections.abc import Callable, Hashable
from operator import itemgetter
from typing import Any, TypedDict, cast

from dashboard.page.list_diff import Item, ListChange, list_change
from dashboard.watching.snapshot_types import CurvePoint, Event, Snapshot


class Update(TypedDict):
    """A step from one version to a later one."""

    base: int
    """Version it must be applied to. A page that holds another one asks for a whole snapshot."""
    version: int
    parts: dict[str, Any]
    """Top-level parts that differ, each in whole; never `curves` or `events`."""
    lists: dict[str, ListChange]
    """Changes of the top-level parts that are long lists."""
    curves: dict[str, Any]
    """`global` and `peers`, with new or changed points only; absent without such points."""
    events: list[Event]
    """Events with a higher `seq` than all earlier ones."""


_IN_PIECES = frozenset({"version", "curves", "events"})
_LISTS: dict[str, Callable[[Item], Hashable]] = {
    "peers": itemgetter("id"),
    "past_peers": itemgetter("id"),
    "clusters": itemgetter("id"),
    "links": itemgetter("source", "target"),
    "flows": itemgetter("seq"),
    "alerts": itemgetter("id"),
    "studies": itemgetter("id"),
    "ensembles": itemgetter("id"),
}
"""Parts that grow with the swarm or the run, each with the key of its items."""


def update_between(old: Snapshot, new: Snapshot) -> Update | None:
    """Return the step from `old` to `new`, or None if only a whole snapshot can express it.

    Only a whole snapshot can express another session, or a history that lost a point of a curve
    or an event.
    """
    if _is_another_history(old, new):
        return None
    before = cast("dict[str, Any]", old)
    parts = {
        name: value
        for name, value in new.items()
        if name not in _IN_PIECES and before.get(name) != value
    }
    lists = {}
    for name, key in _LISTS.items():
        if name in parts:
            change = list_change(before[name], cast("list[Item]", parts[name]), key)
            if change is not None:
                lists[name] = change
                del parts[name]
    return Update(
        base=old["version"],
        version=new["version"],
        parts=parts,
        lists=lists,
        curves=_curve_changes(old, new),
        events=_new_events(old, new),
    )


def _is_another_history(old: Snapshot, new: Snapshot) -> bool:
    old_session, new_session = old["session"], new["session"]
    if old_session is not None and (new_session is None or old_session["id"] != new_session["id"]):
        return True
    if _last_seq(new) < _last_seq(old):
        return True
    if len(new["curves"]["global"]) < len(old["curves"]["global"]):
        return True
    new_curves = new["curves"]["peers"]
    return any(
        len(new_curves.get(peer, ())) < len(points)
        for peer, points in old["curves"]["peers"].items()
    )


def _last_seq(snapshot: Snapshot) -> int:
    events = snapshot["events"]
    return events[-1]["seq"] if events else -1


def _new_events(old: Snapshot, new: Snapshot) -> list[Event]:
    seen = _last_seq(old)
    return [event for event in new["events"] if event["seq"] > seen]


def _curve_changes(old: Snapshot, new: Snapshot) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    points = _changed_points(old["curves"]["global"], new["curves"]["global"])
    if points:
        changes["global"] = points
    peers = {}
    for peer, series in new["curves"]["peers"].items():
        points = _changed_points(old["curves"]["peers"].get(peer, []), series)
        if points:
            peers[peer] = points
    if peers:
        changes["peers"] = peers
    return changes


def _changed_points(old: list[CurvePoint], new: list[CurvePoint]) -> list[CurvePoint]:
    if old == new:
        return []
    before = {point["round"]: point for point in old}
    return [point for point in new if before.get(point["round"]) != point]
