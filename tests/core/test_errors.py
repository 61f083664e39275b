"""only_error(): an error is taken out of the groups in which tasks wrapped it."""

from swarm.core.errors import StorageError, SwarmError, only_error


def test_a_single_error_is_unwrapped_and_a_group_of_several_stays() -> None:
    full = StorageError("full")
    several = ExceptionGroup("tasks", [full, SwarmError("other")])

    assert only_error(full) is full
    assert only_error(ExceptionGroup("tasks", [ExceptionGroup("tasks", [full])])) is full
    assert only_error(ExceptionGroup("tasks", [several])) is several
