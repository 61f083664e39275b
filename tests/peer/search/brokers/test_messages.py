"""Only valid trials and results are read; everything else is refused with its reason."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.core.errors import RemoteProtocolError
from swarm.peer.search.brokers.broker_messages import (
    SIZE_MAX,
    decode_result,
    decode_trial,
    encode_result,
    encode_trial,
)
from swarm.search.study import NOBODY
from swarm.search.trial import Trial, TrialResult, failed
from swarm.search.values import make_params
from tests.peer.search.studies_run import make_study

SPEC = make_study({"knn": {"n_neighbors": {"integer": [1, 9]}}, "svm": {"C": 2}})
TRIAL = Trial(SPEC.id, 0, "knn", make_params({"n_neighbors": 3}), 0, NOBODY)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def _changed(**fields: Any) -> bytes:
    return json.dumps({**json.loads(encode_trial(SPEC, TRIAL)), **fields}).encode()


def test_a_trial_arrives_with_its_study_and_the_types_of_its_values() -> None:
    message = decode_trial(encode_trial(SPEC, TRIAL))

    assert message.study == SPEC
    assert message.trial == TRIAL
    assert message.study.id == SPEC.id


@pytest.mark.parametrize(
    "result",
    [
        TrialResult(TRIAL.id, "complete", 0.5, 1.0, fold_values=(0.25, 0.75)),
        failed(TRIAL.id, "it did not work", 2.0),
    ],
)
def test_a_result_arrives_as_it_was_sent(result: TrialResult) -> None:
    message = decode_result(encode_result(SPEC.id, result))

    assert (message.study, message.result) == (SPEC.id, result)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "not a valid message"),
        (b"\x80\x04junk", "not a valid message"),
        (b"[]", "version must be 1, got None"),
        (_changed(version=2), "version must be 1, got 2"),
        (_changed(extra=1), "extra"),
        (_changed(trial={}), "not a valid message: KeyError: 'study'"),
        (b"[" * 100_000, "not a valid message"),
        (b" " * (SIZE_MAX + 1), f"at most {SIZE_MAX} bytes"),
        (encode_trial(make_study({"knn": {}}), TRIAL), "another study"),
    ],
)
def test_what_is_no_trial_is_refused_by_name(body: bytes, text: str) -> None:
    with pytest.raises(RemoteProtocolError, match=text):
        decode_trial(body)


def test_a_trial_of_a_model_that_its_study_has_not_is_refused() -> None:
    other = Trial(SPEC.id, 0, "dtree", (), 0, NOBODY)

    with pytest.raises(RemoteProtocolError, match="the study has no model 'dtree'"):
        decode_trial(encode_trial(SPEC, other))


@given(JSON)
def test_no_json_does_anything_else(value: Any) -> None:
    for body in (json.dumps(value).encode(), _changed(trial=value), _changed(study=value)):
        with pytest.raises(RemoteProtocolError):
            decode_trial(body)
        with pytest.raises(RemoteProtocolError):
            decode_result(body)
