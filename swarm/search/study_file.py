"""parse_study(): makes a study from the values of a TOML or JSON file; see docs/search.md."""

from collections.abc import Mapping
from typing import Any

from swarm.core.blobs import BlobRef
from swarm.core.errors import ConfigurationError
from swarm.core.ids import PeerId
from swarm.core.suggestions import did_you_mean
from swarm.search.catalog import FILE, MISSING_TARGET, MODELS, OBJECTIVES, TABLE_ENDINGS
from swarm.search.space import CATEGORICAL, FLOAT, INTEGER, Condition, Dimension, ModelSpace
from swarm.search.study import StudySpec
from swarm.search.values import Value, make_params

_FIELDS: dict[str, type] = {
    "name": str,
    "dataset": str,
    "data": str,
    "target": str,
    "missing_target": str,
    "examples_max": int,
    "objective": str,
    "direction": str,
    "folds": int,
    "epochs_max": int,
    "num_trials": int,
    "time_budget_s": float,
    "seed": int,
    "trial_limit_s": float,
    "heartbeat_s": float,
    "models": dict,
    "strategy": object,
}
_DIMENSION_FIELDS = ("integer", "float", "choices", "step", "log", "when")


def parse_study(
    document: Mapping[str, Any], submitter: PeerId, data: BlobRef | None = None
) -> StudySpec:
    """Check a document and make a spec from it.

    Args:
        document: The file's values.
        submitter: The peer that submits the study.
        data: The blob of the file that the field `data` names, if any.

    Raises:
        ConfigurationError: A field breaks a rule; the message begins with the field's path.
    """
    _check_table(document)
    fields: dict[str, Any] = {}
    for name, value in document.items():
        if name not in _FIELDS:
            hint = did_you_mean(str(name), _FIELDS) or f"; a study has {', '.join(_FIELDS)}"
            raise _wrong(str(name), f"unknown field{hint}")
        fields[name] = _typed(name, value, _FIELDS[name])
    for name in ("name", "models"):
        if name not in fields:
            raise _wrong(name, "must be given")
    fields["models"] = _models(fields["models"])
    if "strategy" in fields:
        fields |= _strategy(fields["strategy"])
    missing_target(document)
    fields.pop("missing_target", None)
    fields |= _data(fields, data)
    if "direction" not in fields:
        fields["direction"] = OBJECTIVES.get(fields.get("objective", "accuracy"), "maximize")
    try:
        return StudySpec(**fields, submitter=submitter)
    except ValueError as error:
        raise ConfigurationError(str(error)) from error


def data_file(document: Mapping[str, Any]) -> str | None:
    """The path of the submitter's own data, if the document names one.

    Raises:
        ConfigurationError: The path is not a text, or the document is not a table.
    """
    _check_table(document)
    value = document.get("data")
    return None if value is None else str(_typed("data", value, str))


def missing_target(document: Mapping[str, Any]) -> str:
    """What happens to rows of the submitter's table whose target is missing.

    Such rows are left out before the table is sent, so the study itself does not say.

    Raises:
        ConfigurationError: It is none of `MISSING_TARGET`.
    """
    value = document.get("missing_target", MISSING_TARGET[0])
    if value not in MISSING_TARGET:
        raise _wrong(
            "missing_target", f"must be one of {', '.join(MISSING_TARGET)}, got {_shown(value)}"
        )
    return str(value)


def _check_table(document: object) -> None:
    if not isinstance(document, Mapping):
        raise ConfigurationError(
            f"a study must be a dict of the values of a study file, got {_shown(document)}; "
            "tomllib.load and json.load read files"
        )


def _data(fields: dict[str, Any], data: BlobRef | None) -> dict[str, Any]:
    path = fields.pop("data", None)
    if path is None:
        if fields.get("dataset") == FILE:
            raise _wrong("data", "must name a table or an .npz file when dataset is 'file'")
        if "dataset" not in fields:
            raise _wrong("dataset", "must be given, unless data is")
        return {}
    if fields.setdefault("dataset", FILE) != FILE:
        raise _wrong("data", f"must not be given with a dataset, got {fields['dataset']!r}")
    ending = path.rpartition(".")[2].lower()
    if ending not in ("npz", *TABLE_ENDINGS):
        raise _wrong("data", f"must end in .npz, .{', .'.join(TABLE_ENDINGS)}, got {path!r}")
    if (ending != "npz") != bool(fields.get("target")):
        raise _wrong("target", "must name the column to predict, for tables only")
    return {"data": data, "data_format": "npz" if ending == "npz" else "csv"}


def _strategy(value: object) -> dict[str, Any]:
    if isinstance(value, str):
        return {"strategy": value}
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        raise _wrong("strategy", "must be a name, or a table with a name and options")
    options = {key: item for key, item in value.items() if key != "name"}
    for key, item in options.items():
        options[key] = _scalar(f"strategy.{key}", item)
    return {"strategy": value["name"], "strategy_options": make_params(options)}


def _models(models: dict[str, Any]) -> tuple[ModelSpace, ...]:
    if not models:
        raise _wrong("models", "must name at least one model")
    return tuple(_model(name, params) for name, params in models.items())


def _model(name: str, params: object) -> ModelSpace:
    path = f"models.{name}"
    if name not in MODELS and ":" not in name:
        if name.endswith(".keras"):
            raise _wrong(path, "model files are not sent to peers; name a module:function instead")
        raise _wrong(path, f"unknown model; there are {', '.join(MODELS)}, and module:function")
    if not isinstance(params, dict):
        raise _wrong(path, f"must be a table of hyperparameters, got {_shown(params)}")
    fixed: dict[str, Value] = {}
    dimensions = []
    for key, value in params.items():
        if isinstance(value, dict | list):
            dimensions.append(_dimension(f"{path}.{key}", key, value))
        else:
            fixed[key] = _scalar(f"{path}.{key}", value)
    try:
        return ModelSpace(name, tuple(dimensions), make_params(fixed))
    except ValueError as error:
        raise ConfigurationError(f"{path}: {error}") from error


def _dimension(path: str, name: str, value: dict[str, Any] | list[Any]) -> Dimension:
    if isinstance(value, list):
        value = {"choices": value}
    for key in value:
        if key not in _DIMENSION_FIELDS:
            raise _wrong(f"{path}.{key}", f"unknown; there are {', '.join(_DIMENSION_FIELDS)}")
    if sum(key in value for key in ("integer", "float", "choices")) != 1:
        raise _wrong(path, "must have exactly one of integer, float and choices")
    when = _condition(path, value["when"]) if "when" in value else None
    kinds: dict[str, Any] = {"when": when}
    if "choices" in value:
        kinds |= {"kind": CATEGORICAL, "choices": _choices(f"{path}.choices", value["choices"])}
    else:
        kinds |= _range(path, value)
    try:
        return Dimension(name, **kinds)
    except ValueError as error:
        raise ConfigurationError(f"{path}: {error}") from error


def _range(path: str, value: dict[str, Any]) -> dict[str, Any]:
    kind = INTEGER if "integer" in value else FLOAT
    bounds = value[kind]
    if not isinstance(bounds, list) or len(bounds) != 2:
        raise _wrong(f"{path}.{kind}", f"must be [low, high], got {_shown(bounds)}")
    low, high = (_typed(f"{path}.{kind}[{i}]", bounds[i], float) for i in range(2))
    step = _typed(f"{path}.step", value.get("step", 1.0 if kind == INTEGER else 0.0), float)
    log = _typed(f"{path}.log", value.get("log", False), bool)
    return {"kind": kind, "low": low, "high": high, "step": step, "log": log}


def _choices(path: str, value: object) -> tuple[Value, ...]:
    if not isinstance(value, list):
        raise _wrong(path, f"must be a list, got {_shown(value)}")
    return tuple(_scalar(f"{path}[{place}]", item) for place, item in enumerate(value))


def _condition(path: str, value: object) -> Condition:
    if not isinstance(value, dict) or len(value) != 1:
        raise _wrong(f"{path}.when", "must name one other hyperparameter and its value or values")
    ((name, wanted),) = value.items()
    values = wanted if isinstance(wanted, list) else [wanted]
    try:
        return Condition(name, tuple(_scalar(f"{path}.when.{name}", item) for item in values))
    except ValueError as error:
        raise ConfigurationError(f"{path}.when: {error}") from error


def _typed(path: str, value: Any, kind: type) -> Any:
    if kind is object:
        return value
    value = _plain(path, value)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise _wrong(path, f"must be {_WORDS[kind]}, got {_shown(value)}")
    return value


def _scalar(path: str, value: Any) -> Value:
    value = _plain(path, value)
    if type(value) not in (bool, int, float, str):
        raise _wrong(path, f"must be a number, a text or a boolean, got {_shown(value)}")
    scalar: Value = value
    return scalar


def _plain(path: str, value: Any) -> Any:
    """Convert a NumPy scalar, common in notebooks, to Python; refuse integers over 64 bits."""
    if type(value).__module__ == "numpy" and getattr(value, "shape", None) == ():
        value = value.item()
    if type(value) is int and not -(2**63) <= value < 2**63:
        raise _wrong(path, f"must fit in 64 bits, got {_shown(value)}")
    return value


def _shown(value: object) -> str:
    try:
        return f"{value!r:.80}"
    except ValueError:  # Python refuses to print integers of thousands of digits
        return "a number of thousands of digits"


def _wrong(path: str, rule: str) -> ConfigurationError:
    return ConfigurationError(f"{path}: {rule}")


_WORDS: dict[type, str] = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "a boolean",
    dict: "a table",
}
