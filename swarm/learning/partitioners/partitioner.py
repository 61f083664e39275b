"""check_enough(): what every way of splitting a data set requires."""

from swarm.core.errors import DataError


def check_enough(num_examples: int, num_parts: int) -> None:
    """Require an example for every part.

    Raises:
        DataError: There are fewer.
    """
    if num_examples < num_parts:
        raise DataError(f"{num_examples} examples cannot be split among {num_parts} peers")
