"""The page behind a proxy that serves it under a path of its own, which it strips."""

from fake_run import FakeRun
from on_page import SIX, figure, live
from playwright.sync_api import expect
from prefix_proxy import prefix_proxy

TOKEN = "a token of this test"  # noqa: S105


def test_every_reference_works_under_the_path_of_a_proxy(serve_shared, open_page):
    with prefix_proxy(serve_shared(*SIX).port) as url:
        page = live(open_page(url))

        expect(figure(page, "Global test accuracy")).to_contain_text("51.4 %")
        page.get_by_role("link", name="Log").click()
        expect(page).to_have_url(f"{url}log")
        expect(page.get_by_role("heading", name="Events")).to_be_visible()
        page.reload()
        live(page)
        expect(page.get_by_role("heading", name="Events")).to_be_visible()
        with page.expect_download() as saved:
            page.get_by_role("link", name="Export as JSON lines").click()
        assert saved.value.path().read_text().startswith("{")

        page.goto(f"{url}training?round=2")
        expect(figure(page, "Round")).to_contain_text("The past, as the swarm remembers it")
        expect(page.locator("#peers tbody tr")).to_have_count(6)  # the round was loaded
        page.get_by_role("link", name="Swarm").first.click()
        expect(page).to_have_url(f"{url}training")
        live(page)
        images = page.evaluate("[...document.images].every((image) => image.naturalWidth > 0)")
        fonts = page.evaluate(
            "document.fonts.ready.then((fonts) => [...fonts].map((font) => font.status))"
        )
        assert images
        assert set(fonts) == {"loaded"}


def test_an_operator_signs_in_under_the_path_of_a_proxy(serve, open_page):
    served = serve("--piped", "--token", TOKEN)
    snapshot = FakeRun(6).at(46.8)
    operator = snapshot["operator"] | {"enabled": True}
    served.show(snapshot | {"version": 999_999, "operator": operator})
    with prefix_proxy(served.port) as url:
        page = live(open_page(url))
        page.get_by_role("button", name="Operator", exact=True).click()
        page.get_by_label("Token").fill(TOKEN)
        page.get_by_role("button", name="Sign in").click()

        expect(page.get_by_role("button", name="Sign out")).to_be_visible()
