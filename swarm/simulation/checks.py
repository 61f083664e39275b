"""Checks: how a broken promise is reported, whatever the workload."""

from collections.abc import Iterator
from contextlib import contextmanager


class CheckError(AssertionError):
    """A promise was broken."""


def require(condition: object, broken: str) -> None:
    """Check one promise.

    Raises:
        CheckError: The condition does not hold; `broken` says what is wrong.
    """
    if not condition:
        raise CheckError(broken)


@contextmanager
def noticing_errors() -> Iterator[None]:
    """Report an exception of a machine as a broken promise, because `handle` must not raise.

    Raises:
        CheckError: A machine raised an exception, or a promise was broken.
    """
    try:
        yield
    except CheckError:
        raise
    except Exception as error:
        raise CheckError(f"a machine raised {error!r}") from error
