"""The operator's sheet: a command is pending until the peers report it."""

import json

from fake_run import FakeRun, operated
from playwright.sync_api import Page, Request, Route, expect

TOKEN = "correct horse battery staple"  # noqa: S105 -- of a server that never was


class FakeOperator:
    """Replaces the server for signing in and for commands."""

    def __init__(self, page: Page) -> None:
        self.signed_in = False
        self.commands: list[dict[str, object]] = []
        page.route("**/api/v1/operator", self._state)
        page.route("**/api/v1/operator/session", self._session)
        page.route("**/api/v1/operator/commands", self._command)

    def _state(self, route: Route) -> None:
        csrf = "one" if self.signed_in else None
        route.fulfill(json={"enabled": True, "signed_in": self.signed_in, "csrf": csrf})

    def _session(self, route: Route, request: Request) -> None:
        if request.method == "POST" and request.post_data_json != {"token": TOKEN}:
            route.fulfill(json={"message": "this is not the operator's token"})
            return
        self.signed_in = request.method == "POST"
        route.fulfill(json={"csrf": "one"})

    def _command(self, route: Route, request: Request) -> None:
        assert request.headers["x-csrf-token"] == "one"
        self.commands.append(json.loads(request.post_data or ""))
        route.fulfill(status=202, json={})


def reported(snapshot, version, state, **changes):
    """The snapshot in which the peers report the state of the one command."""
    operator = operated(snapshot, state, **changes.pop("command", {})) | changes
    return snapshot | {"version": version, "operator": operator}


def enabled(snapshot, version):
    return snapshot | {"version": version, "operator": snapshot["operator"] | {"enabled": True}}


def sign_in(page: Page) -> None:
    page.get_by_role("button", name="Operator", exact=True).click()
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_role("button", name="Sign in").click()


def open_signed_in(served, open_page, snapshot):
    """Open the page of a dashboard that can give commands, and sign in."""
    served.show(enabled(snapshot, 20_000))
    page = open_page(served.url)
    operator = FakeOperator(page)
    expect(page.locator("#title")).to_contain_text("Live")
    sign_in(page)
    return page, operator


def test_a_dashboard_without_an_operator_key_says_how_to_use_one(serve_shared, open_page):
    page = open_page(serve_shared("--at", "46.8").url)

    page.get_by_role("button", name="Operator", exact=True).click()

    sheet = page.get_by_role("dialog", name="Operator")
    expect(sheet).to_contain_text("This dashboard only watches")
    expect(sheet.get_by_role("button", name="Pause")).to_have_count(0)


def test_a_command_is_pending_until_the_swarm_reports_it(serve, open_page):
    served = serve("--piped")
    snapshot = FakeRun(6).at(16.0)
    page, operator = open_signed_in(served, open_page, snapshot)
    sheet = page.get_by_role("dialog", name="Operator")
    expect(sheet).to_contain_text("The peers report running")
    expect(sheet.get_by_role("button", name="Resume")).to_be_disabled()

    sheet.get_by_role("button", name="Pause").click()
    expect(sheet.get_by_role("button", name="Pause")).to_be_enabled()
    assert operator.commands == [{"action": "pause"}]
    expect(sheet).to_contain_text("The peers report running")  # a click changes nothing

    served.show(reported(snapshot, 20_001, "pending"))
    expect(sheet.get_by_role("button", name="Pause: pending")).to_be_disabled()
    expect(sheet.locator(".command.pending")).to_contain_text("2 of 6 peers report it")
    served.show(reported(snapshot, 20_002, "confirmed", run_state="paused"))
    expect(sheet.locator(".command.confirmed")).to_contain_text("by 6 peers")
    expect(sheet).to_contain_text("The peers report paused")
    expect(sheet.get_by_role("button", name="Resume")).to_be_enabled()
    sheet.get_by_role("button", name="Close").click()
    expect(page.locator(".figure.round")).to_contain_text("Paused by an operator")


def test_a_peer_is_removed_only_after_a_second_click(serve, open_page):
    served = serve("--piped")
    snapshot = FakeRun(6).at(16.0)
    page, operator = open_signed_in(served, open_page, snapshot)
    page.get_by_role("button", name="Close").click()
    peer = snapshot["peers"][1]["id"]

    page.get_by_role("button", name="peer-2", exact=True).first.click()
    panel = page.get_by_role("complementary", name="peer-2")
    panel.get_by_role("button", name="Remove this peer").click()
    assert operator.commands == []
    panel.get_by_role("button", name="Confirm: remove this peer").click()
    expect(panel.get_by_role("button", name="Remove this peer")).to_be_enabled()
    assert operator.commands == [{"action": "remove", "peer": peer}]

    command = {"action": "remove", "peer": peer}
    served.show(reported(snapshot, 20_001, "pending", command=command))
    expect(panel).to_contain_text("Removing: 2 of 6 peers report it")
    served.show(reported(snapshot, 20_002, "confirmed", command=command, removed=[peer]))
    expect(panel.get_by_role("button", name="Readmit this peer")).to_be_visible()


def test_the_alert_threshold_is_given_as_a_share(serve, open_page):
    served = serve("--piped")
    snapshot = FakeRun(6).at(16.0)
    page, operator = open_signed_in(served, open_page, snapshot)
    sheet = page.get_by_role("dialog", name="Operator")

    sheet.get_by_label("Alert when the accuracy falls by more than").fill("12.5")
    sheet.get_by_role("button", name="Set").click()

    expect(sheet.get_by_role("button", name="Set")).to_be_enabled()
    assert operator.commands == [{"action": "threshold", "value": 0.125}]
    expect(sheet).to_contain_text("The peers report 10.0 %")


def test_signing_out_leaves_no_commands(serve, open_page):
    page, _ = open_signed_in(serve("--piped"), open_page, FakeRun(6).at(16.0))
    sheet = page.get_by_role("dialog", name="Operator")

    sheet.get_by_role("button", name="Sign out").click()

    expect(sheet.get_by_label("Token")).to_be_visible()
    expect(sheet.get_by_role("button", name="Pause")).to_have_count(0)
