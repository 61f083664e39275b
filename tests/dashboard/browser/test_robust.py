"""The page in bad conditions: without scripts, without news, with hostile names."""

from fake_run import FakeRun
from fake_source import nothing_yet
from on_page import SIX, live, rows
from playwright.sync_api import expect
from waiting import wait_for

WATCH_POLICY = """
globalThis.policyViolations = [];
document.addEventListener("securitypolicyviolation", () => policyViolations.push("stopped"));
"""
HOSTILE = '"><img src=x onerror="globalThis.planted = 1"><script>planted = 1</script>'


def test_without_scripts_the_page_says_so_and_shows_the_numbers(serve, chromium):
    served = serve("--piped")
    snapshot = FakeRun(6).at(46.8)
    snapshot["peers"][0]["name"] = HOSTILE
    served.show(snapshot)
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()

    page.goto(served.url)

    expect(page.locator("body")).to_contain_text("needs JavaScript, which is off")
    expect(page.locator("#plain")).to_contain_text("51.4 % after round 4")
    expect(page.locator("tbody tr")).to_have_count(6)
    expect(page.locator("tbody")).to_contain_text(HOSTILE)
    expect(page.locator("tbody img")).to_have_count(0)
    expect(page.locator("#plain ul")).to_contain_text("peer-5 is lost")
    expect(page.locator("#view")).to_be_hidden()
    context.close()


def test_a_name_cannot_become_markup_anywhere(serve, open_page):
    served = serve("--piped")
    run = FakeRun(6)
    snapshot = run.at(48.9)
    for peer in snapshot["peers"]:
        peer.update(name=HOSTILE + peer["name"], site=HOSTILE, addresses=[HOSTILE])
        peer["data"]["label"] = HOSTILE
    for line in [*snapshot["events"], *snapshot["alerts"]]:
        line["text"] = HOSTILE
    snapshot["session"].update(model=HOSTILE, dataset=HOSTILE, dataset_label=HOSTILE)
    served.show(snapshot)

    page = open_page(served.url)
    expect(page.locator("#peers tbody tr")).to_have_count(6)
    page.locator("#peers tbody th button").first.click()
    expect(page.locator("#peer-panel")).to_contain_text(HOSTILE)
    for tab in ("Search", "Log", "Training"):
        page.get_by_role("link", name=tab).click()

    assert page.evaluate("globalThis.planted === undefined")
    expect(page.locator("img:not([src='static/mark.svg'])")).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth") == 1440


def test_a_page_that_hears_nothing_says_that_it_is_stale(serve, open_page):
    served = serve("--piped")
    served.show(FakeRun(6).at(16.0))
    page = open_page(served.url)
    expect(page.locator("#title")).to_contain_text("Live")

    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("Nothing has arrived for 0:", timeout=20_000)
    expect(page.locator("#title")).to_contain_text("Stale")
    served.show(FakeRun(6).at(17.0))
    expect(page.locator("#title")).to_contain_text("Live")
    expect(alert).to_have_count(0)


def test_a_swarm_that_cannot_be_reached_is_said(serve, open_page):
    served = serve("--piped")
    alone = FakeRun(6).at(16.0)
    alone["observer"]["connected"] = 0
    served.show(alone)

    page = open_page(served.url)

    expect(page.get_by_role("alert")).to_contain_text("The dashboard cannot reach the swarm.")


def test_nothing_moves_while_a_run_is_watched(serve, open_page):
    served = serve("--piped")
    run = FakeRun(6)
    served.show(nothing_yet() | {"version": 1})
    page = open_page(served.url)
    expect(page.locator("#title")).to_contain_text("Live")
    served.show(run.at(0.5) | {"version": 2})
    expect(page.locator("#peers tbody tr")).to_have_count(6)
    page.evaluate(
        """() => { globalThis.shift = 0; new PerformanceObserver((list) => {
          for (const entry of list.getEntries()) shift += entry.value;
        }).observe({ type: "layout-shift", buffered: false }); }"""
    )

    for moment_s in (5.0, 8.9, 12.0, 25.0, 41.5, 48.9, 120.0):
        served.show(run.at(moment_s))
        expect(page.locator("#title")).to_contain_text("Live")
        page.wait_for_timeout(150)

    expect(page.locator(".figure.round")).to_contain_text("Finished after 12 rounds")
    assert page.evaluate("shift") < 0.02


def test_the_policy_stops_a_planted_inline_style_and_script(serve_shared, chromium):
    page = chromium.new_page()
    page.add_init_script(WATCH_POLICY)
    page.goto(serve_shared(*SIX).url)
    live(page)

    page.evaluate(
        """() => {
          const style = document.createElement("style");
          style.textContent = "body { display: none }";
          const script = document.createElement("script");
          script.textContent = "globalThis.planted = true";
          document.head.append(style, script);
        }"""
    )
    wait_for(page, "policyViolations.length === 2")

    assert page.evaluate("globalThis.planted === undefined")
    assert page.locator("body").is_visible()
    page.close()


def test_names_from_other_peers_cannot_become_markup(serve, open_page):
    served = serve("--piped")
    hostile = FakeRun(6).at(46.8)
    hostile["peers"][0]["name"] = "<img src=x onerror=alert(1)>"
    hostile["events"][-1]["text"] = "<b id=planted>bold</b>"
    served.show(hostile)

    page = live(open_page(served.url))

    expect(page.locator("#spoken")).to_contain_text("<b id=planted>bold</b>")
    expect(rows(page).filter(has_text="<img src=x onerror=alert(1)>")).to_have_count(1)
    expect(page.locator("#planted")).to_have_count(0)


def test_a_page_whose_scripts_did_not_arrive_is_loaded_again(serve_shared, chromium):
    page = chromium.new_page()
    refused = []

    def once(route):
        if refused:
            route.continue_()
        else:
            refused.append(route.request.url)
            route.abort("connectionreset")

    page.route("**/static/js/peers.js", once)
    page.goto(serve_shared(*SIX).url)

    live(page)
    assert len(refused) == 1
    assert page.evaluate("sessionStorage.getItem('swarm-retries')") is None
    page.close()


def test_if_scripts_never_arrive_the_numbers_are_shown_without_them(serve_shared, chromium):
    page = chromium.new_page()
    page.route("**/static/js/peers.js", lambda route: route.abort("connectionreset"))

    page.goto(serve_shared(*SIX).url)

    expect(page.locator("#plain")).to_be_visible()
    expect(page.locator("#plain")).to_contain_text("51.4 % after round 4")
    expect(page.locator("#view")).to_be_hidden()
    page.close()
