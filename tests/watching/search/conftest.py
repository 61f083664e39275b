"""A study, as tests of search make it."""

from tests.search.conftest import study

__all__ = ["study"]
