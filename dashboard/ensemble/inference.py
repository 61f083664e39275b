"""Requests and answers of the Open Inference Protocol v2, as plain values.

https://github.com/kserve/open-inference-protocol and, for the binary form,
https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md
"""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard.ensemble.asking import DEFAULT_COVERAGE, ROWS_MAX
from dashboard.ensemble.tensors import (
    TEXT,
    Tensor,
    binary_tensor,
    json_tensor,
    read_tensors,
    shown,
)
from dashboard.watching.ensemble_types import EnsembleAnswer, EnsembleInfo
from swarm.core.errors import DataError

ARRAY_INPUT = "input"
"""Name of the only input of an ensemble whose examples are arrays."""
VERSION_LENGTH = 16
"""First characters of an ensemble's id: its version in this protocol."""
_ID_LENGTH_MAX = 256
_FP64 = "FP64"


@dataclass(frozen=True, slots=True)
class WantedOutput:
    """An output that a client asked for."""

    name: str
    is_binary: bool


@dataclass(frozen=True, slots=True, eq=False)
class InferRequest:
    """A request whose form was checked; the values are for the ensemble to check."""

    request_id: str
    rows: Any
    """As `SnapshotSource.ask` takes them."""
    coverage: float
    outputs: tuple[WantedOutput, ...]

    @property
    def num_rows(self) -> int:
        """Rows that the answer will have."""
        return len(next(iter(self.rows.values())) if isinstance(self.rows, dict) else self.rows)


def version_of(ensemble: EnsembleInfo) -> str:
    """The version of an ensemble in this protocol."""
    return ensemble["id"][:VERSION_LENGTH]


def metadata(ensemble: EnsembleInfo) -> dict[str, Any]:
    """Describe inputs and outputs: one input for each column, or one for arrays."""
    inputs = [
        _described(column["name"], TEXT if column["kind"] == "category" else _FP64, [-1, 1])
        for column in ensemble["columns"]
    ] or [_described(ARRAY_INPUT, "FP32", [-1, *ensemble["input_shape"]])]
    return {
        "name": ensemble["name"],
        "versions": [version_of(ensemble)],
        "platform": "swarm_ensemble",
        "inputs": inputs,
        "outputs": [
            _described(name, datatype, [-1, *shape])
            for name, (datatype, shape) in _outputs_of(ensemble).items()
        ],
    }


def read_request(body: bytes, header_length: str | None, ensemble: EnsembleInfo) -> InferRequest:
    """Read and check a request.

    Args:
        body: The whole body.
        header_length: The header `Inference-Header-Content-Length`; None if there is none.
        ensemble: The ensemble that is asked.

    Raises:
        DataError: A rule is broken; the message gives the value and the rule.
    """
    size = len(body) if header_length is None else _header_size(header_length, len(body))
    request = _object(body[:size])
    request_id = request.get("id", "")
    if not isinstance(request_id, str) or len(request_id) > _ID_LENGTH_MAX:
        raise DataError(f"id must be text of at most {_ID_LENGTH_MAX} characters")
    parameters = request.get("parameters", {})
    if not isinstance(parameters, dict):
        raise DataError(f"parameters must be an object, got {type(parameters).__name__}")
    tensors_max = max(1, len(ensemble["columns"]))
    tensors = read_tensors(request.get("inputs"), body[size:], tensors_max=tensors_max)
    return InferRequest(
        request_id,
        _rows(tensors, ensemble),
        _coverage(parameters.get("coverage", DEFAULT_COVERAGE)),
        _wanted(request.get("outputs"), parameters, ensemble),
    )


def write_answer(
    request: InferRequest, answer: EnsembleAnswer, ensemble: EnsembleInfo
) -> tuple[dict[str, Any], bytes]:
    """Return the JSON part of the response, and the binary data that follow it."""
    outputs, data = [], []
    for wanted in request.outputs:
        datatype, _ = _outputs_of(ensemble)[wanted.name]
        values = _output_values(wanted.name, answer)
        if wanted.is_binary:
            described, binary = binary_tensor(wanted.name, datatype, values)
            outputs.append(described)
            data.append(binary)
        else:
            outputs.append(json_tensor(wanted.name, datatype, values))
    response = {
        "model_name": ensemble["name"],
        "model_version": version_of(ensemble),
        "parameters": {
            "coverage": answer["coverage"],
            "combination": answer["combination"],
            "num_members": len(answer["members"]),
            "num_missing": len(answer["missing"]),
            "missing": "; ".join(f"{one['name']}: {one['reason']}" for one in answer["missing"]),
        },
        "outputs": outputs,
    }
    if request.request_id:
        response["id"] = request.request_id
    return response, b"".join(data)


def _header_size(text: str, body_size: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= body_size):
        raise DataError(
            "Inference-Header-Content-Length must be a whole number of at most the body's "
            f"{body_size} bytes, got {shown(text)}"
        )
    return int(text)


def _object(text: bytes) -> dict[str, Any]:
    try:
        request = json.loads(text)
    except (ValueError, RecursionError) as error:  # a JSONDecodeError is a ValueError
        raise DataError(f"the request must be JSON: {error!s:.120}") from error
    if not isinstance(request, dict):
        raise DataError(f"the request must be a JSON object, got {type(request).__name__}")
    return request


def _rows(tensors: list[Tensor], ensemble: EnsembleInfo) -> Any:
    names = [column["name"] for column in ensemble["columns"]] or [ARRAY_INPUT]
    for tensor in tensors:
        if tensor.name not in names:
            some = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
            raise DataError(f"input {tensor.name!r} must be one of the model's inputs: {some}")
        if len(tensor.values) > ROWS_MAX:
            raise DataError(
                f"input {tensor.name!r}: rows must be at most {ROWS_MAX}, got {len(tensor.values)}"
            )
    if not ensemble["columns"]:
        return _examples(tensors[0], ensemble)
    num_rows = len(tensors[0].values)
    for tensor in tensors:
        if tensor.values.shape not in {(num_rows,), (num_rows, 1)}:
            raise DataError(
                f"input {tensor.name!r}: shape must be [{num_rows}] or [{num_rows}, 1], like the "
                f"other columns, got {list(tensor.values.shape)}"
            )
    return {tensor.name: tensor.values.reshape(num_rows) for tensor in tensors}


def _examples(tensor: Tensor, ensemble: EnsembleInfo) -> NDArray[Any]:
    shape = tuple(ensemble["input_shape"])
    if tensor.values.dtype == object or tensor.values.shape[1:] != shape:
        raise DataError(
            f"input {tensor.name!r} must be numbers of shape {[-1, *shape]}, "
            f"got shape {list(tensor.values.shape)}"
        )
    return tensor.values


def _coverage(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1:
        raise DataError(f"parameters.coverage must be between 0 and 1, got {shown(value)}")
    return float(value)


def _wanted(
    outputs: Any, parameters: dict[str, Any], ensemble: EnsembleInfo
) -> tuple[WantedOutput, ...]:
    is_binary = _flag(parameters, "binary_data_output", default=False)
    known = _outputs_of(ensemble)
    if outputs is None or outputs == []:
        return tuple(WantedOutput(name, is_binary) for name in known)
    if not isinstance(outputs, list) or len(outputs) > len(known):
        raise DataError(f"outputs must be a list of at most {len(known)} outputs")
    return tuple(_wanted_output(one, list(known), is_binary) for one in outputs)


def _wanted_output(one: Any, known: list[str], is_binary: bool) -> WantedOutput:
    if not isinstance(one, dict) or one.get("name") not in known:
        name = one.get("name") if isinstance(one, dict) else one
        raise DataError(f"an output's name must be one of {', '.join(known)}, got {shown(name)}")
    parameters = one.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise DataError(f"output {one['name']!r}: parameters must be an object")
    for name in ("classification", "shared_memory_region"):
        if name in parameters:
            raise DataError(f"output {one['name']!r}: {name} is not supported")
    return WantedOutput(one["name"], _flag(parameters, "binary_data", default=is_binary))


def _flag(parameters: dict[str, Any], name: str, *, default: bool) -> bool:
    value = parameters.get(name, default)
    if not isinstance(value, bool):
        raise DataError(f"{name} must be true or false, got {shown(value)}")
    return value


def _described(name: str, datatype: str, shape: list[int]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape}


def _outputs_of(ensemble: EnsembleInfo) -> dict[str, tuple[str, list[int]]]:
    """Datatype and shape of one row, of each output by name."""
    if ensemble["classes"]:
        probabilities = (_FP64, [len(ensemble["classes"])])
        return {"prediction": (TEXT, []), "probabilities": probabilities, "spread": (_FP64, [])}
    return {name: (_FP64, []) for name in ("prediction", "lower", "upper", "spread")}


def _output_values(name: str, answer: EnsembleAnswer) -> NDArray[Any]:
    values: Any = answer["values" if name == "prediction" else name]  # type: ignore[literal-required]
    num_rows = len(answer["values"])
    if values is None:  # no interval is calibrated yet
        return np.full(num_rows, np.nan)
    if answer["classes"] and name == "prediction":
        texts = np.empty(num_rows, object)
        texts[:] = values
        return texts
    return np.array(values, np.float64)
