"""The differences between two lists of objects that have a key."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, TypedDict


class ListChange(TypedDict):
    """A step from a list to a later one: remove items, then insert items, then change fields."""

    gone: list[int]
    """Indexes in the older list, ascending."""
    new: list[tuple[int, Any]]
    """Indexes in the later list, ascending, with the new items."""
    changed: list[tuple[int, dict[str, Any]]]
    """Indexes in the later list, ascending, with the fields that differ."""


Item = Mapping[str, Any]


def list_change(
    old: Sequence[Item], new: Sequence[Item], key: Callable[[Item], Hashable]
) -> ListChange | None:
    """Return the step from `old` to `new`, or None if only the whole list can express it.

    Only the whole list can express that the remaining items changed their order, that an item
    lost a field, or that a key occurs twice.

    >>> list_change([{"id": 1}, {"id": 2, "x": 3}], [{"id": 2, "x": 4}], lambda item: item["id"])
    {'gone': [0], 'new': [], 'changed': [(0, {'x': 4})]}
    """
    # Objects that both lists share need no key: of ten thousand links only a few change.
    held, kept = set(map(id, old)), set(map(id, new))
    come = {key(item) for item in new if id(item) not in held}
    went = {key(item) for item in old if id(item) not in kept}
    gone = [p for p, item in enumerate(old) if id(item) not in kept and key(item) not in come]
    added = [p for p, item in enumerate(new) if id(item) not in held and key(item) not in went]
    stay, places = _places_without(old, gone), _places_without(new, added)
    if len(stay) != len(places):
        return None
    changed: list[tuple[int, dict[str, Any]]] = []
    for was, place in zip(stay, places, strict=True):
        earlier, later = old[was], new[place]
        if earlier is later:
            continue
        if key(earlier) != key(later) or earlier.keys() != later.keys():
            return None
        if earlier != later:
            differs = {name: value for name, value in later.items() if earlier[name] != value}
            changed.append((place, differs))
    return ListChange(gone=gone, new=[(place, new[place]) for place in added], changed=changed)


def _places_without(items: Sequence[Item], out: Sequence[int]) -> Sequence[int]:
    if not out:
        return range(len(items))
    left_out = set(out)
    return [place for place in range(len(items)) if place not in left_out]
