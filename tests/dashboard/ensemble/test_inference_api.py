"""The Open Inference Protocol v2, asked by Triton's own client and by any bytes at all."""

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import suppress
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import numpy as np
import pytest
import tritonclient.http as triton
from fake_ensembles import classification, ensemble
from fake_run import FakeRun
from fake_source import FakeSource
from hypothesis import given, settings
from hypothesis import strategies as st
from tritonclient.utils import InferenceServerException

from dashboard.app import create_app
from dashboard.config import DashboardConfig
from dashboard.ensemble.inference import read_request
from dashboard.ensemble.inference_api import HEADER_LENGTH
from swarm.core.errors import DataError, NoQuorumError, OverloadedError

HOUSES, TUMOURS = ensemble(), classification()
SNAPSHOT = FakeRun(6).at(45.0) | {"ensembles": [HOUSES, TUMOURS]}
INFER = "/v2/models/house-prices/infer"
LOT_AREA = {"name": "LotArea", "datatype": "FP64", "shape": [2, 1], "data": [9000, 12000]}


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def source():
    return FakeSource(SNAPSHOT)


@pytest.fixture
def browser(source):
    return create_app(source, DashboardConfig()).test_client()


@pytest.fixture
def client(source) -> Iterator[triton.InferenceServerClient]:
    """Triton's client, and the application behind a real socket."""
    with _Server(("127.0.0.1", 0), _Quiet) as server:
        server.set_app(create_app(source, DashboardConfig()))
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        with triton.InferenceServerClient(f"127.0.0.1:{server.server_port}") as client:
            yield client
        server.shutdown()
        thread.join()


def columns(binary: bool) -> list[triton.InferInput]:
    area = triton.InferInput("LotArea", [2, 1], "FP64")
    area.set_data_from_numpy(np.array([[9000.0], [np.nan]]), binary_data=binary)
    place = triton.InferInput("Neighborhood", [2, 1], "BYTES")
    place.set_data_from_numpy(np.array([["NAmes"], ["Öster"]], object), binary_data=binary)
    return [area, place]


# -- Triton's client


def test_a_public_client_sees_server_and_models(client):
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("house-prices")
    assert client.get_server_metadata()["extensions"] == ["binary_tensor_data"]
    described = client.get_model_metadata("house-prices")
    assert described["versions"] == [HOUSES["id"][:16]]
    assert described["inputs"] == [
        {"name": "LotArea", "datatype": "FP64", "shape": [-1, 1]},
        {"name": "YearBuilt", "datatype": "FP64", "shape": [-1, 1]},
        {"name": "SoldOn", "datatype": "FP64", "shape": [-1, 1]},
        {"name": "Neighborhood", "datatype": "BYTES", "shape": [-1, 1]},
    ]
    outputs = ["prediction", "lower", "upper", "spread"]
    assert [output["name"] for output in described["outputs"]] == outputs


@pytest.mark.parametrize("sent", [True, False], ids=["binary", "json"])
@pytest.mark.parametrize("wanted", [True, False], ids=["binary", "json"])
def test_a_public_client_asks_about_a_table(client, source, sent, wanted):
    outputs = [
        triton.InferRequestedOutput(name, binary_data=wanted) for name in ("upper", "prediction")
    ]

    got = client.infer("house-prices", columns(sent), outputs=outputs, request_id="seven")

    assert got.as_numpy("prediction").tolist() == [181_000, 182_000]
    assert got.as_numpy("upper").tolist() == [207_000, 208_000]
    assert got.as_numpy("lower") is None
    response = got.get_response()
    assert (response["id"], response["model_name"]) == ("seven", "house-prices")
    assert response["parameters"]["num_members"] == 2
    assert "no answer within 2 s" in response["parameters"]["missing"]
    ((asked, rows, coverage),) = source.asked
    assert (asked, coverage) == (HOUSES["id"], 0.9)
    assert rows["LotArea"][0] == 9000
    assert np.isnan(rows["LotArea"][1])
    assert rows["Neighborhood"].tolist() == ["NAmes", "Öster"]


def test_a_public_client_gets_all_outputs_unless_it_names_some(client):
    got = client.infer("house-prices", columns(binary=True), parameters={"coverage": 0.5})

    assert got.as_numpy("spread").tolist() == [9500, 9500]
    assert got.as_numpy("lower").tolist() == [158_000, 159_000]
    assert got.get_response()["parameters"]["coverage"] == 0.5


def test_a_public_client_asks_about_arrays(client, source):
    examples = triton.InferInput("input", [3, 4], "FP32")
    examples.set_data_from_numpy(np.arange(12, dtype=np.float32).reshape(3, 4))

    got = client.infer("tumours", [examples], model_version=TUMOURS["id"][:16])

    assert got.as_numpy("prediction").tolist() == [b"malignant"] * 3
    assert got.as_numpy("probabilities").tolist() == [[0.25, 0.75]] * 3
    assert source.asked[0][1].tolist() == np.arange(12).reshape(3, 4).tolist()


def test_a_public_client_reads_why_it_was_refused(client, source):
    wrong = triton.InferInput("LotAera", [1, 1], "FP64")
    wrong.set_data_from_numpy(np.array([[1.0]]))

    with pytest.raises(InferenceServerException, match="'LotAera' must be one of"):
        client.infer("house-prices", [wrong])
    with pytest.raises(InferenceServerException, match="no ensemble 'castles' is known"):
        client.infer("castles", columns(binary=True))
    source.refusal = NoQuorumError("1 member answered, at least 2 must")
    with pytest.raises(InferenceServerException, match="at least 2 must"):
        client.infer("house-prices", columns(binary=True))


# -- readiness and errors


def test_a_server_without_ensembles_is_live_but_not_ready(browser, source):
    source.show(SNAPSHOT | {"ensembles": []})

    assert browser.get("/v2/health/live").status_code == 200
    assert browser.get("/v2/health/ready").status_code == 400


def test_a_model_without_a_quorum_is_not_ready(browser, source):
    source.show(SNAPSHOT | {"ensembles": [HOUSES | {"ready": False}, TUMOURS]})

    assert browser.get("/v2/models/house-prices/ready").status_code == 400
    assert browser.get("/v2/models/tumours/ready").status_code == 200
    assert browser.get("/v2/health/ready").status_code == 400


def test_another_version_is_not_there(browser):
    assert browser.get(f"/v2/models/tumours/versions/{TUMOURS['id'][:16]}").status_code == 200
    refused = browser.get("/v2/models/tumours/versions/1")

    assert (refused.status_code, list(refused.json)) == (404, ["error"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"inputs": None}, "inputs must be a list of 1 to 4 tensors"),
        ({"inputs": [LOT_AREA | {"shape": [1, 2]}]}, "shape must be [1] or [1, 1]"),
        ({"parameters": {"coverage": 1.0}}, "coverage must be between 0 and 1, got 1.0"),
        ({"parameters": []}, "parameters must be an object, got list"),
        ({"outputs": [{"name": "probabilities"}]}, "prediction, lower, upper, spread"),
        ({"outputs": [{"name": "lower", "parameters": {"classification": 3}}]}, "not supported"),
        ({"outputs": [{"name": "lower", "parameters": {"binary_data": 1}}]}, "true or false"),
        ({"id": 7}, "id must be text"),
    ],
)
def test_what_breaks_a_rule_is_named(browser, source, change, words):
    refused = browser.post(INFER, json={"inputs": [LOT_AREA]} | change)

    assert refused.status_code == 400
    assert words in refused.json["error"]
    assert source.asked == []


def test_a_busy_swarm_says_when_to_try_again(browser, source):
    source.refusal = OverloadedError("busy: 8192 rows wait")

    refused = browser.post(INFER, json={"inputs": [LOT_AREA]})

    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")


def test_an_interval_that_is_not_calibrated_is_null(browser, source, monkeypatch):
    asked = source.ask(HOUSES["id"], {"LotArea": [1.0]}, 0.9, detail=False)
    uncalibrated = asked | {"lower": None, "upper": None}
    monkeypatch.setattr(source, "ask", lambda *_, **__: uncalibrated)

    got = browser.post(INFER, json={"inputs": [LOT_AREA], "outputs": [{"name": "lower"}]})

    assert got.json["outputs"][0]["data"] == [None]


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_compressed_request_is_refused(browser, encoding):
    refused = browser.post(INFER, data=b"x", headers={"Content-Encoding": encoding})

    assert refused.status_code == 415
    assert "send the body as it is" in refused.json["error"]


# -- any bytes


def test_a_deep_request_is_refused():
    with pytest.raises(DataError, match="must be JSON"):
        read_request(b'{"inputs":' + b"[" * 200_000, None, HOUSES)


@pytest.mark.parametrize("field", ["shape", "name", "datatype", "parameters"])
def test_a_deep_value_is_no_danger(field):
    deep = b"[" * 5000 + b"]" * 5000
    body = b'{"inputs": [{"name": "LotArea", "datatype": "FP64", "shape": [1], "data": [1], '

    with pytest.raises(DataError) as refused:
        read_request(body + b'"%b": %b}]}' % (field.encode(), deep), None, HOUSES)

    assert len(str(refused.value)) < 400


def test_a_number_of_many_digits_is_refused():
    with pytest.raises(DataError, match="must be JSON"):
        read_request(b'{"inputs":' + b"9" * 10_000 + b"}", None, HOUSES)


GOOD = json.dumps(
    {
        "inputs": [
            {
                "name": "LotArea",
                "datatype": "FP64",
                "shape": [2],
                "parameters": {"binary_data_size": 16},
            },
            {"name": "Neighborhood", "datatype": "BYTES", "shape": [2], "data": ["a", "b"]},
        ],
        "outputs": [{"name": "prediction", "parameters": {"binary_data": True}}],
    }
).encode()


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A good request with some bytes replaced, removed or inserted."""
    body = bytearray(GOOD + np.ones(2).tobytes())
    for _ in range(draw(st.integers(1, 6))):
        place = draw(st.integers(0, len(body)))
        body[place : place + draw(st.integers(0, 4))] = draw(st.binary(max_size=4))
    return bytes(body)


@settings(max_examples=300, deadline=None)
@given(
    mutated() | st.binary(max_size=200),
    st.sampled_from([None, str(len(GOOD)), "0", "-1", "9" * 40, "x"]) | st.text(max_size=4),
)
def test_any_request_is_read_or_refused(body, header_length):
    with suppress(DataError):
        assert read_request(body, header_length, HOUSES).outputs


def test_the_header_must_fit_the_body(browser):
    refused = browser.post(INFER, data=GOOD, headers={HEADER_LENGTH: str(len(GOOD) + 1)})

    assert refused.status_code == 400
    assert HEADER_LENGTH in refused.json["error"]
