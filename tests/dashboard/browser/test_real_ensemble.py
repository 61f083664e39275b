"""A real dashboard asks real members: by our API, by Triton's client, and on the page."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
import tritonclient.http as triton
from playwright.sync_api import Page, expect

from tests.harness.ensemble_processes import EnsembleProcesses
from tests.harness.house_rows import write_houses

pytestmark = pytest.mark.network

FIT_WITHIN_S = 240.0
ROW = {"LotArea": 9600, "OverallQual": 7, "Neighborhood": "NAmes"}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A dashboard that knows two members which have scored each other."""
    folder: Path = tmp_path_factory.mktemp("ensemble")
    with EnsembleProcesses(folder) as swarm:
        for seed in (1, 2):
            rows = write_houses(folder / f"{seed}.csv", 120, seed)
            swarm.start(rows, "--learner", "ridge")
        command = [sys.executable, "-m", "dashboard", "--port", "0"]
        command += ["--bootstrap", swarm.address]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as dashboard:
            try:
                assert dashboard.stdout is not None
                address = dashboard.stdout.readline().strip().removeprefix("Dashboard: ")
                swarm.wait(lambda: num_scores(address) == 4, "the matrix", FIT_WITHIN_S)
                yield address
            finally:
                dashboard.terminate()
                dashboard.wait(20)


def num_scores(url: str) -> int:
    ensembles = httpx.get(f"{url}/api/v1/ensembles").json()["ensembles"]
    return sum(len(one["matrix"]) for one in ensembles)


def test_both_protocols_give_the_same_answer_of_both_members(url: str) -> None:
    asked = {"rows": [ROW], "detail": True}
    answer = httpx.post(f"{url}/api/v1/ensembles/SalePrice/predict", json=asked).json()
    inputs = []
    for name, value in ROW.items():
        datatype, kind = ("BYTES", object) if isinstance(value, str) else ("FP64", np.float64)
        inputs.append(triton.InferInput(name, [1, 1], datatype))
        inputs[-1].set_data_from_numpy(np.array([[value]], kind))
    with triton.InferenceServerClient(url.removeprefix("http://")) as client:
        assert client.is_server_ready()
        got = client.infer("SalePrice", inputs)

    low, high = answer["lower"][0], answer["upper"][0]
    assert low < answer["values"][0] < high
    assert [len(member["values"]) for member in answer["members"]] == [1, 1]
    assert answer["missing"] == []
    assert got.as_numpy("prediction").tolist() == pytest.approx(answer["values"])
    assert got.as_numpy("upper").tolist() == pytest.approx([high])


def test_rows_that_break_a_rule_are_refused_by_name(url: str) -> None:
    refused = httpx.post(
        f"{url}/api/v1/ensembles/SalePrice/predict", json={"rows": [{"LotArea": "big"}]}
    )

    assert refused.status_code == 400
    assert refused.json()["message"] == "row 1: column 'LotArea' has numbers, got 'big'"


def test_the_page_asks_and_draws_the_answer(url: str, open_page: Callable[..., Page]) -> None:
    page = open_page(f"{url}/ensemble")
    card = page.get_by_role("region", name="Ensemble SalePrice")

    card.get_by_role("button", name="Fill in means").click()
    card.get_by_role("button", name="Ask all members").click()

    expect(card.locator(".answer")).to_contain_text("2 members answered")
    expect(card.locator(".answer circle")).to_have_count(2)
    expect(card.locator("td.scored")).to_have_count(4)
    questions = card.get_by_role("region", name="Questions to SalePrice")
    expect(questions.locator("tbody tr").first).to_contain_text("none of 2 members")
    page.goto("about:blank")  # else it reports an error when its server ends first
