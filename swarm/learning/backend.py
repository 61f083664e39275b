"""The one place that imports Keras: quietly, with few threads, without modules that are not used.

Importing this module takes seconds. Environment variables, read once:

SWARM_BACKEND          tensorflow (default), torch or jax; KERAS_BACKEND is understood too
SWARM_WORKER_THREADS   threads for one operation, 1 by default; a peer sets it for its learner
CUDA_VISIBLE_DEVICES   -1 hides GPUs: launchers of several peers and trials set it
TF_ENABLE_ONEDNN_OPTS  1 by default: TensorFlow leaves oneDNN off on processors without VNNI
"""

import contextlib
import gc
import importlib
import os
import sys
from typing import Any

from swarm.core.errors import ConfigurationError

_NOT_NEEDED = ("sklearn", "scipy", "pandas")
"""Keras and TensorFlow import these for wrappers not used here: a quarter of the import time.

pandas imports pyarrow, which starts a thread; a process with a second thread cannot be forked."""


def worker_threads() -> int:
    """Threads each worker may use, from SWARM_WORKER_THREADS."""
    text = os.environ.get("SWARM_WORKER_THREADS", "1")
    if not text.isdigit() or int(text) < 1:
        raise ConfigurationError(f"SWARM_WORKER_THREADS must be a positive number, got {text!r}")
    return int(text)


def _import_keras() -> Any:
    threads = worker_threads()
    os.environ["KERAS_BACKEND"] = os.environ.get(
        "SWARM_BACKEND", os.environ.get("KERAS_BACKEND", "tensorflow")
    )
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # others may use the GPU, too
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # read once, as TensorFlow is imported
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    collects = gc.isenabled()
    hidden = [name for name in _NOT_NEEDED if name not in sys.modules]
    gc.disable()  # an import makes hundreds of thousands of objects and no garbage
    if os.environ["KERAS_BACKEND"] != "tensorflow":
        hidden = [name for name in hidden if name != "scipy"]  # jax needs it
    for name in hidden:
        # None makes the import fail, which Keras and TensorFlow take as "not installed".
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        if os.environ["KERAS_BACKEND"] == "tensorflow":
            _limit_tensorflow(threads)
        return importlib.import_module("keras")
    finally:
        for name in hidden:
            del sys.modules[name]
        if collects:
            gc.enable()


def _limit_tensorflow(threads: int) -> None:
    threading = importlib.import_module("tensorflow").config.threading
    with contextlib.suppress(RuntimeError):  # a script that runs TensorFlow has chosen its threads
        threading.set_intra_op_parallelism_threads(threads)
        threading.set_inter_op_parallelism_threads(1)


def gpu_names() -> tuple[str, ...]:
    """Names of the GPUs that the backend uses."""
    match os.environ["KERAS_BACKEND"]:
        case "tensorflow":
            config = importlib.import_module("tensorflow").config
            details = config.experimental.get_device_details
            gpus = config.list_physical_devices("GPU")
            return tuple(details(gpu).get("device_name", gpu.name) for gpu in gpus)
        case "torch":
            cuda = importlib.import_module("torch").cuda
            return tuple(cuda.get_device_name(index) for index in range(cuda.device_count()))
        case "jax":
            devices = importlib.import_module("jax").devices()
            return tuple(device.device_kind for device in devices if device.platform == "gpu")
    return ()


keras: Any = _import_keras()
