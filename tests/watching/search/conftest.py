"""The study of the tests of search."""

from tests.search.conftest import study

__all__ = ["study"]
