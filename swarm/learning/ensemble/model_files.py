"""Model files: written here, read back wherever models are scored; nothing is unpickled.

A `skops` file is a zip archive: `schema.json` names the type of each object, `.npy` members hold
arrays. `load_model` refuses a file, with the reason, before anything of it is made: too large,
unpacks to more than it may, an array that claims another size than it has, a type that no learner
needs. What was made is checked before it answers.
"""

import io
import json
import re
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import skops.io
from sklearn.pipeline import Pipeline

from swarm.core.errors import ConfigurationError, DataError
from swarm.ensemble.spec import EnsembleSpec
from swarm.learning.ensemble.learners import own_class
from swarm.learning.ensemble.model_checks import check_pipeline
from swarm.learning.ensemble.models import Model

FILE_BYTES_MAX = 256 << 20
UNPACKED_BYTES_MAX = 1 << 30
MEMBERS_MAX = 20_000
SCHEMA_BYTES_MAX = 32 << 20
SCHEMA_DEPTH_MAX = 100
_ENCODER = "swarm.learning.ensemble.row_encoder.RowEncoder"
_TREES = "swarm.learning.ensemble.tree_sum.TreeSum"
_CALIBRATED = "sklearn.calibration._CalibratedClassifier"
_SIGMOID = "sklearn.calibration._SigmoidCalibration"
_NETWORK = "swarm.learning.ensemble.keras_estimator.KerasEstimator"
OWN_TYPES = (_ENCODER, _TREES, _NETWORK, _CALIBRATED, _SIGMOID)
"""Types that skops itself does not trust, and we do."""
ALLOWED: dict[str, frozenset[str]] = {
    "DictNode": frozenset({"builtins.dict"}),
    "ListNode": frozenset({"builtins.list"}),
    "TupleNode": frozenset({"builtins.tuple"}),
    "JsonNode": frozenset({"builtins.str"}),
    "TypeNode": frozenset({"builtins.str"}),
    "NdArrayNode": frozenset({"numpy.ndarray", "numpy.float64", "numpy.float32", "numpy.int64"}),
    "ObjectNode": frozenset(
        {
            *OWN_TYPES,
            "sklearn.pipeline.Pipeline",
            "sklearn.linear_model._base.LinearRegression",
            "sklearn.linear_model._ridge.Ridge",
            "sklearn.linear_model._logistic.LogisticRegression",
            "sklearn.neighbors._classification.KNeighborsClassifier",
            "sklearn.neighbors._regression.KNeighborsRegressor",
            "sklearn.svm._classes.SVC",
            "sklearn.svm._classes.SVR",
            "sklearn.calibration.CalibratedClassifierCV",
            "sklearn.neural_network._multilayer_perceptron.MLPClassifier",
            "sklearn.neural_network._multilayer_perceptron.MLPRegressor",
            "sklearn.preprocessing._label.LabelBinarizer",
            "sklearn.preprocessing._data.StandardScaler",
            "sklearn.compose._target.TransformedTargetRegressor",
            "sklearn.dummy.DummyClassifier",
            "sklearn.dummy.DummyRegressor",
        }
    ),
}
"""What a file may hold: by the loader that skops names, the types. Everything else is refused."""
_DAMAGED = (
    OSError,
    ValueError,
    EOFError,
    RuntimeError,  # an archive with a password; RecursionError
    NotImplementedError,  # a way to compress that zipfile does not know
    LookupError,
    TypeError,
    AttributeError,
    MemoryError,
    zipfile.BadZipFile,
    zlib.error,
)


class ModelRefusedError(DataError):
    """A model file is not loaded; the message is the reason."""


def save_model(model: Model) -> bytes:
    """The file of a model.

    Raises:
        ConfigurationError: A learner of the user's own keeps something that cannot be stored.
    """
    try:
        return bytes(skops.io.dumps(model.pipeline, compression=zipfile.ZIP_DEFLATED))
    except Exception as error:  # whatever an object of the user's own does
        raise ConfigurationError(f"the fitted model cannot be stored: {error}") from error


def load_model(
    path: Path,
    spec: EnsembleSpec,
    learner: str = "",
    *,
    allow_code: bool = False,
    only_code: str = "",
) -> Model:
    """Load a model file of any origin, for a child process with limits.

    Args:
        path: The file.
        spec: The ensemble that it answers for.
        learner: The learner that it is said to come from; `module:Class` is code.
        allow_code: Whether that class may be imported.
        only_code: The only learner of code that is taken, or a built-in one, so none is; empty for
            any. A member that names a class must not choose what others import.

    Raises:
        ModelRefusedError: It breaks a rule; the message names it.
    """
    own = ""
    try:
        if ":" in learner:
            if only_code and learner != only_code:
                raise ConfigurationError(
                    f"learner {learner!r:.80} is code, and not the learner of this member, "
                    f"{only_code!r:.80}: no other code is imported"
                )
            own = learner.replace(":", ".")
            own_class(learner, allow_code=allow_code)
    except ConfigurationError as error:
        raise ModelRefusedError(str(error)) from error
    try:
        data = _checked_bytes(path, own)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of another version of scikit-learn
            trusted = [*OWN_TYPES, own] if own else list(OWN_TYPES)
            pipeline = skops.io.loads(data, trusted=trusted)
        check_pipeline(pipeline, spec, own=own)
    except ModelRefusedError:
        raise
    except DataError as error:
        raise ModelRefusedError(str(error)) from error
    except Exception as error:  # damage shows anywhere
        text = str(error).partition("\n")[0]
        raise ModelRefusedError(
            f"the model file is damaged: {type(error).__name__}: {text:.200}"
        ) from error
    assert isinstance(pipeline, Pipeline)  # noqa: S101 - checked
    return Model(pipeline, spec)


def _checked_bytes(path: Path, own: str) -> bytes:
    size = path.stat().st_size
    if size > FILE_BYTES_MAX:
        raise ModelRefusedError(f"the model file has {size:,} bytes, above {FILE_BYTES_MAX:,}")
    data = path.read_bytes()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = archive.infolist()
        if len(members) > MEMBERS_MAX or len({one.filename for one in members}) < len(members):
            raise ModelRefusedError(
                f"the model file has {len(members):,} members, above {MEMBERS_MAX:,}, or two of "
                "one name"
            )
        total = sum(one.file_size for one in members)
        if total > UNPACKED_BYTES_MAX:
            raise ModelRefusedError(
                f"the model file unpacks to {total:,} bytes, above {UNPACKED_BYTES_MAX:,}"
            )
        for one in members:
            if one.filename == "schema.json":
                continue
            if one.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise ModelRefusedError("the model file is packed by an unknown method")
            _check_array(archive, one)
        _check_schema(archive, own)
    return data


def _check_array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    """An array must have the size that its header claims: memory is set aside for that."""
    if not re.fullmatch(r"[0-9]{1,20}\.npy", member.filename):
        raise ModelRefusedError(f"the model file has a member {member.filename!r:.60}")
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        if version != (1, 0):
            raise ModelRefusedError("an array of the model file has another version than 1.0")
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        start = file.tell()
    if dtype.hasobject or dtype.kind not in "biufU":
        raise ModelRefusedError(f"an array of the model file holds {dtype}")
    size = int(np.prod(shape, dtype=object)) * dtype.itemsize
    if size != member.file_size - start:
        raise ModelRefusedError(
            f"an array of the model file claims shape {shape}, and has "
            f"{member.file_size - start:,} bytes"
        )


def _check_schema(archive: zipfile.ZipFile, own: str) -> None:
    """Each object must be of a type that a learner needs."""
    member = archive.getinfo("schema.json")
    if member.file_size > SCHEMA_BYTES_MAX:
        raise ModelRefusedError(f"the model file's schema has {member.file_size:,} bytes")
    parts: list[tuple[Any, int]] = [(json.loads(archive.read(member)), 0)]
    while parts:
        part, depth = parts.pop()
        if depth > SCHEMA_DEPTH_MAX:
            raise ModelRefusedError(f"the model file is nested deeper than {SCHEMA_DEPTH_MAX}")
        if isinstance(part, list):
            parts += [(each, depth + 1) for each in part]
        elif isinstance(part, dict):
            parts += [(each, depth + 1) for each in part.values()]
            if "__loader__" in part or "__class__" in part or "__module__" in part:
                _check_type(part, own)


def _check_type(part: dict[str, Any], own: str) -> None:
    loader = part.get("__loader__")
    name = f"{part.get('__module__')}.{part.get('__class__')}"
    if loader == "ObjectNode" and own and name == own:
        return
    if not isinstance(loader, str) or name not in ALLOWED.get(loader, ()):
        raise ModelRefusedError(
            f"the model file has the unknown type {name!r:.120} ({loader!r:.40})"
        )
