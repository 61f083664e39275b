"""Lists are updated with their differences only."""

from typing import Any

from fake_run import FakeRun
from hypothesis import given
from hypothesis import strategies as st

from dashboard.page.list_diff import ListChange, list_change

Item = dict[str, Any]


def by_id(item: Any) -> Any:
    return item["id"]


def applied(old: list[Item], change: ListChange) -> list[Item]:
    """Apply a change as the page does in dashboard/static/js/list-diff.js."""
    items = [item for place, item in enumerate(old) if place not in change["gone"]]
    for place, item in change["new"]:
        assert place <= len(items)
        items.insert(place, item)
    for place, fields in change["changed"]:
        items[place] = items[place] | fields
    return items


keyed = st.dictionaries(st.integers(0, 12), st.integers(0, 3), max_size=10).map(
    lambda known: [{"id": name, "value": value} for name, value in sorted(known.items())]
)


@given(keyed, keyed)
def test_a_change_leads_from_the_old_list_to_the_new_one(old: list[Item], new: list[Item]) -> None:
    change = list_change(old, new, by_id)

    assert change is not None
    assert applied(old, change) == new


@given(keyed, st.permutations(range(10)))
def test_for_lists_in_any_order_a_change_is_correct_or_none(
    old: list[Item], order: list[int]
) -> None:
    new = [old[place] for place in order if place < len(old)]

    change = list_change(old, new, by_id)

    assert applied(old, change) == new if change is not None else new != old


def test_an_unchanged_row_is_not_sent() -> None:
    old = [{"id": 1, "state": "alive"}, {"id": 2, "state": "alive"}]
    new = [old[0], {"id": 2, "state": "lost"}]

    assert list_change(old, new, by_id) == ListChange(
        gone=[], new=[], changed=[(1, {"state": "lost"})]
    )


def test_a_duplicate_key_or_a_missing_field_needs_the_whole_list() -> None:
    one, less = {"id": 1, "state": "alive"}, {"id": 1}

    assert list_change([one], [one, one], by_id) is None
    assert list_change([one], [less], by_id) is None


def test_an_update_of_five_hundred_peers_only_has_the_fields_that_differ() -> None:
    run = FakeRun(500, 10)
    old, new = run.at(43.0)["peers"], run.at(43.1)["peers"]

    change = list_change(old, new, by_id)

    assert change is not None
    assert change["gone"] == change["new"] == []
    fields = {name for _, changed in change["changed"] for name in changed}
    assert fields == {"progress", "train_accuracy"}
