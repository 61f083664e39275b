"""The Ensemble tab: members, the matrix, the form and the drawing of an answer."""

import itertools
import re

import pytest
from fake_ensembles import classification, ensemble
from fake_run import FakeRun
from on_page import live
from playwright.sync_api import Page, expect

VERSIONS = itertools.count(50_000)


def shown(served, *ensembles):
    served.show(FakeRun(6).at(46.8) | {"ensembles": list(ensembles), "version": next(VERSIONS)})


@pytest.fixture
def served(serve_shared):
    one = serve_shared("--piped")
    shown(one, ensemble(), classification())
    return one


def card_of(page: Page, name: str = "house-prices"):
    return page.get_by_role("region", name=f"Ensemble {name}")


def test_members_are_shown_with_model_skill_and_drift(served, open_page):
    page = live(open_page(served.url + "/ensemble"))

    card = card_of(page)
    expect(card).to_contain_text("predicts SalePrice · scored by rmsle · combined by skill")
    expect(card).to_contain_text("2 within 2 s")
    rows = card.get_by_role("region", name="Members of house-prices").locator("tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.nth(0)).to_contain_text(re.compile(r"answers.*gbr.*480.*85.0 %.*0.131"))
    expect(rows.nth(2)).to_contain_text(re.compile(r"fits, 40.0 %.*2.4 of 1.5"))
    expect(card).to_contain_text("drifts: 2.4, above 1.5; its errors on new rows grow")
    expect(card).to_contain_text("310 rows answered in the shadow, mean difference 0.031")


def test_the_matrix_says_which_model_was_refused_and_why(served, open_page):
    page = live(open_page(served.url + "/ensemble"))

    matrix = card_of(page).get_by_role("region", name="Scores of house-prices")
    expect(matrix.locator("td.scored")).to_have_count(8)
    expect(matrix.locator("td.own")).to_have_count(3)
    expect(matrix.locator("td.refused")).to_have_attribute("title", re.compile("3 columns"))
    colours = matrix.locator("td.scored").evaluate_all(
        "cells => cells.map(cell => getComputedStyle(cell).backgroundColor)"
    )
    assert len(set(colours)) > 3


def test_new_questions_appear_with_the_members_that_answered(served, open_page):
    page = live(open_page(served.url + "/ensemble"))
    questions = card_of(page).get_by_role("region", name="Questions to house-prices")
    expect(questions.locator("tbody tr")).to_have_count(3)
    expect(questions).to_contain_text("0 members answered within 2 s, at least 2 must")

    later = ensemble()
    later["questions"].append(later["questions"][0] | {"seq": 3, "elapsed_s": 46.0})
    shown(served, later, classification())

    expect(questions.locator("tbody tr")).to_have_count(4)
    expect(questions.locator("tbody tr").first).to_contain_text("0:46")


def test_a_question_is_asked_with_the_keyboard_and_its_parts_are_drawn(served, open_page):
    page = live(open_page(served.url + "/ensemble"))
    form = page.get_by_role("form", name="Ask house-prices")

    form.get_by_label("LotArea").focus()
    page.keyboard.type("9000")
    page.keyboard.press("Enter")

    answer = card_of(page).locator(".answer")
    expect(answer).to_contain_text("181,000158,000 to 207,000with 90 % coverage")
    expect(answer).to_contain_text("2 members answered in 41 ms; combined by skill")
    expect(answer).to_contain_text("is missing: no answer within 2 s")
    drawing = answer.get_by_role("img")
    expect(drawing).to_have_accessible_name(
        re.compile("says 171,500.*says 190,500; combined 181,000, from 158,000 to 207,000")
    )
    expect(drawing.locator("circle")).to_have_count(2)


def test_means_fill_the_form_and_the_coverage_is_chosen(served, open_page):
    page = live(open_page(served.url + "/ensemble"))
    form = page.get_by_role("form", name="Ask house-prices")

    form.get_by_role("button", name="Fill in means").click()
    form.get_by_label("Coverage").select_option("0.5")
    with page.expect_request("**/predict") as asked:
        form.get_by_role("button", name="Ask all members").click()

    row = {
        "LotArea": "10516.8",
        "YearBuilt": "1971.3",
        "SoldOn": "2020-01-01",
        "Neighborhood": None,
    }
    assert asked.value.post_data_json == {"rows": [row], "coverage": 0.5, "detail": True}
    expect(card_of(page).locator(".answer")).to_contain_text("with 50 % coverage")


def test_an_array_is_checked_and_its_classes_are_drawn(served, open_page):
    page = live(open_page(served.url + "/ensemble"))
    form = page.get_by_role("form", name="Ask tumours")
    answer = card_of(page, "tumours").locator(".answer")

    form.get_by_label("One example: 4 numbers").fill("1, 2, x")
    form.get_by_role("button", name="Ask all members").click()
    expect(answer.get_by_role("alert")).to_have_text('the example must be numbers, got "x"')
    form.get_by_label("One example: 4 numbers").fill("1, 2, 3")
    form.get_by_role("button", name="Ask all members").click()
    expect(answer.get_by_role("alert")).to_have_text("the example must have 4 numbers, got 3")
    form.get_by_label("One example: 4 numbers").fill("1, 2, 3 4")
    form.get_by_role("button", name="Ask all members").click()

    expect(answer).to_contain_text("malignant75.0 %")
    expect(answer.get_by_role("region", name="Probabilities").locator("tbody tr")).to_have_count(3)


def test_what_is_typed_survives_new_snapshots(served, open_page):
    page = live(open_page(served.url + "/ensemble"))
    area = page.get_by_role("form", name="Ask house-prices").get_by_label("LotArea")
    area.fill("9000")

    shown(served, ensemble(4), classification())

    expect(
        card_of(page).get_by_role("region", name="Members of").locator("tbody tr")
    ).to_have_count(4)
    expect(area).to_have_value("9000")


def test_an_ensemble_without_members_waits(served, open_page):
    shown(served, ensemble(0))
    page = live(open_page(served.url + "/ensemble"))

    expect(card_of(page)).to_contain_text("waits for members")
    expect(card_of(page)).to_contain_text("No member was heard yet")
    expect(card_of(page)).to_contain_text("No model was scored yet")


@pytest.mark.parametrize("width", [360, 800, 1440])
def test_nothing_overflows_the_page(served, open_page, width):
    shown(served, ensemble(12), classification())
    page = live(open_page(served.url + "/ensemble", width=width))
    expect(card_of(page).locator("td.scored")).to_have_count(143)
    page.get_by_role("form", name="Ask house-prices").get_by_label("LotArea").press("Enter")
    expect(card_of(page).locator(".answer svg")).to_be_visible()

    assert page.evaluate("document.documentElement.scrollWidth") == width
