from pathlib import Path

import pytest

from dashboard.config import DashboardConfig
from swarm.core.errors import ConfigurationError

ANY = "0.0.0.0"  # noqa: S104 -- what is being refused


@pytest.mark.parametrize("host", [ANY, "::", "192.168.1.5", "swarm.example"])
def test_an_address_that_other_machines_can_reach_must_be_allowed(host):
    with pytest.raises(ConfigurationError, match="--allow-remote"):
        DashboardConfig(host=host)

    assert DashboardConfig(host=host, allow_remote=True).host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9", "::1", "localhost"])
def test_loopback_addresses_need_no_permission(host):
    assert DashboardConfig(host=host).display_host == "localhost"


@pytest.mark.parametrize(
    "wrong", [{"port": -1}, {"port": 65536}, {"clients_max": 0}, {"updates_per_s_max": 0}]
)
def test_values_out_of_range_are_refused_by_name(wrong):
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        DashboardConfig(**wrong)


def test_only_known_names_are_answered():
    config = DashboardConfig(allowed_hosts=("Swarm.Lab",))

    assert config.answers_to("localhost")
    assert config.answers_to("swarm.lab.")
    assert not config.answers_to("evil.example")
    assert not config.answers_to("10.0.0.7")


def test_behind_a_remote_address_any_address_is_answered_but_no_unknown_name():
    config = DashboardConfig(host=ANY, allow_remote=True)

    assert config.answers_to("10.0.0.7")
    assert not config.answers_to("evil.example")


TOKEN = "a token long enough"  # noqa: S105 (protects nothing)


def test_with_a_token_a_public_address_is_allowed_and_viewing_needs_it():
    config = DashboardConfig(host=ANY, token=TOKEN)

    assert config.view_needs_token
    assert config.answers_to("10.0.0.7")
    assert not config.answers_to("evil.example")
    assert not DashboardConfig(token=TOKEN).view_needs_token


def test_a_token_that_is_sent_unencrypted_causes_a_warning(tmp_path):
    file = tmp_path / "file.pem"
    file.write_text("pem")

    assert "unencrypted" in DashboardConfig(host=ANY, token=TOKEN).warning
    assert DashboardConfig(token=TOKEN).warning == ""
    assert DashboardConfig(host=ANY, token=TOKEN, behind_tls_proxy=True).warning == ""
    assert DashboardConfig(host=ANY, token=TOKEN, tls_cert=file, tls_key=file).warning == ""


def test_the_printed_settings_do_not_contain_the_token():
    assert TOKEN not in repr(DashboardConfig(token=TOKEN))


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        ({"token": "short"}, "at least 16 characters, got 5"),
        ({"tls_cert": "x"}, "must be given together"),
        ({"tls_cert": "/nowhere", "tls_key": "/nowhere"}, "is not a file"),
    ],
)
def test_invalid_settings_of_access_are_refused(wrong, rule):
    paths = {k: Path(v) if k.startswith("tls") else v for k, v in wrong.items()}

    with pytest.raises(ConfigurationError, match=rule):
        DashboardConfig(**paths)
