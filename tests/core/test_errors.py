"""only_error(): what tasks wrapped is told as itself."""

from swarm.core.errors import StorageError, SwarmError, only_error


def test_an_error_in_groups_of_one_is_found_and_several_stay_together() -> None:
    full = StorageError("full")
    several = ExceptionGroup("tasks", [full, SwarmError("other")])

    assert only_error(full) is full
    assert only_error(ExceptionGroup("tasks", [ExceptionGroup("tasks", [full])])) is full
    assert only_error(ExceptionGroup("tasks", [several])) is several
