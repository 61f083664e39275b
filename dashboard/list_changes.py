"""What differs between two lists of objects that are told apart by a key."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, TypedDict


class ListChange(TypedDict):
    """A step from a list to a later one: first take out, then put in, then change fields."""

    gone: list[int]
    """Places in the older list, ascending."""
    new: list[tuple[int, Any]]
    """Places in the later list, ascending, and what stands there."""
    changed: list[tuple[int, dict[str, Any]]]
    """Places in the later list, ascending, and the fields that differ."""


Item = Mapping[str, Any]


def list_change(
    old: Sequence[Item], new: Sequence[Item], key: Callable[[Item], Hashable]
) -> ListChange | None:
    """Return the step from `old` to `new`, or None if only the whole list can express it.

    That is so when those that stay stand in another order, an item lost a field, or a key is
    there twice.

    >>> list_change([{"id": 1}, {"id": 2, "x": 3}], [{"id": 2, "x": 4}], lambda item: item["id"])
    {'gone': [0], 'new': [], 'changed': [(0, {'x': 4})]}
    """
    before = {key(item): item for item in old}
    after = {key(item): item for item in new}
    if len(before) < len(old) or len(after) < len(new):
        return None
    gone = [place for place, name in enumerate(before) if name not in after]
    added = [
        (place, item) for place, (name, item) in enumerate(after.items()) if name not in before
    ]
    stay = [name for name in before if name in after]
    if stay != [name for name in after if name in before]:
        return None
    changed = []
    for place, (name, item) in enumerate(after.items()):
        held = before.get(name, item)
        if held is not item and held != item:
            if held.keys() != item.keys():
                return None
            changed.append((place, {k: v for k, v in item.items() if held.get(k) != v}))
    return ListChange(gone=gone, new=added, changed=changed)
