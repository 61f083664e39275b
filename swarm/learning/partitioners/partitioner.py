"""check_enough(): an example for every part."""

from swarm.core.errors import DataError


def check_enough(num_examples: int, num_parts: int) -> None:
    """Check that there is at least one example for each part.

    Raises:
        DataError: There are fewer.
    """
    if num_examples < num_parts:
        raise DataError(f"{num_examples} examples cannot be split among {num_parts} peers")
