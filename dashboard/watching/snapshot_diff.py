"""What differs between two snapshots. Only that is sent; the page merges it into what it holds."""

import math
from collections.abc import Callable, Hashable
from operator import itemgetter
from typing import Any, TypedDict, cast

from dashboard.watching.list_diff import Item, ListChange, list_change
from dashboard.watching.snapshot import CurvePoint, Event, Snapshot


class Update(TypedDict):
    """A step from one version to a later one."""

    base: int
    """The version it must be applied to; a page that holds another asks for everything."""
    version: int
    parts: dict[str, Any]
    """Top-level parts that differ, whole; never `curves` or `events`."""
    lists: dict[str, ListChange]
    """Top-level parts that are long lists and differ, by what differs in them."""
    curves: dict[str, Any]
    """`global` and `peers`, each with new or changed points only; absent if none."""
    events: list[Event]
    """Events with a higher `seq` than any before."""


_IN_PIECES = frozenset({"version", "curves", "events"})
_LISTS: dict[str, Callable[[Item], Hashable]] = {
    "peers": itemgetter("id"),
    "past_peers": itemgetter("id"),
    "clusters": itemgetter("id"),
    "links": itemgetter("source", "target"),
    "flows": itemgetter("seq"),
    "alerts": itemgetter("id"),
    "studies": itemgetter("id"),
}
"""Parts that grow with the swarm or the run, and what tells their items apart."""


def update_between(old: Snapshot, new: Snapshot) -> Update | None:
    """Return the step from `old` to `new`, or None when only a whole snapshot can express it.

    That is so when the session is another one, or history was taken back: a curve or an event
    that the page holds is gone.
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


def json_safe(value: Any) -> Any:
    """Replace what JSON cannot say (a diverged loss is NaN) by None, in every nested value.

    >>> json_safe({"loss": float("nan"), "peers": [1.5, float("inf")]})
    {'loss': None, 'peers': [1.5, None]}
    """
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: json_safe(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_safe(item) for item in value]
    return value


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
