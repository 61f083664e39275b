"""Bootstrap addresses as users give them: none, one, several, or something else."""

import pytest

from swarm.core.errors import ConfigurationError
from swarm.peer.host.host_settings import parse_bootstraps


def test_none_one_or_several_addresses_are_read() -> None:
    assert parse_bootstraps(None) == parse_bootstraps("192.0.2.7:4001")[:0] == ()
    assert [a.port for a in parse_bootstraps(["192.0.2.7:4001", "192.0.2.8:4002"])] == [4001, 4002]


@pytest.mark.parametrize("given", [7001, ["192.0.2.7:4001", 7001], b"192.0.2.7:4001"])
def test_what_is_no_text_is_refused_by_value_and_rule(given: object) -> None:
    with pytest.raises(ConfigurationError, match="a bootstrap address must be a text"):
        parse_bootstraps(given)  # type: ignore[arg-type]  # what a user may type
