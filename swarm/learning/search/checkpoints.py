"""Checkpoints: safetensors files from which another peer resumes a trial exactly.

Theory of operation. All folds of a trial are trained side by side, epoch by epoch, so one file
after an epoch holds the whole trial. Arrays are named "fold/key": for each fold everything that
its estimator has learnt, optimizer included. Random numbers need no state: each epoch draws its
own from the trial's seed. The metadata has the epoch and a fingerprint of everything that
decides what is computed; a checkpoint of another trial is refused. Paths are not part of the
fingerprint, so another machine can resume, and neither is the number of epochs, so a trial can be
prolonged. Equal states give equal bytes, so equal checkpoints are one blob. Nothing in a file is
code.
"""

import hashlib
import json
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from swarm.core.errors import LearningError
from swarm.learning.blob_files import write_blob
from swarm.learning.estimators.family import State
from swarm.learning.search.trial_records import Checkpoint, TrialTask


def write_checkpoint(task: TrialTask, epoch: int, folds: list[State], folder: str) -> Checkpoint:
    """Write the folds' states after an epoch to a new file; equal states give equal bytes.

    Raises:
        StorageError: The file cannot be written.
    """
    arrays = {
        f"{fold:03}/{key}": state[key] for fold, state in enumerate(folds) for key in sorted(state)
    }
    # One entry only: safetensors writes several entries in an order that changes.
    data = save(arrays, metadata={"trial": f"{fingerprint(task)} {epoch}"})
    path, blob = write_blob(data, folder, "checkpoint")
    return Checkpoint(str(path), blob)


def read_checkpoint(task: TrialTask, path: str) -> tuple[int, list[State]]:
    """Read a checkpoint: the epoch after which it was written, and the state of each fold.

    Raises:
        LearningError: The file is not a checkpoint, or belongs to another trial.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            trial, _, epoch = (file.metadata() or {}).get("trial", "").partition(" ")
            folds: list[State] = [{} for _ in range(task.folds)]
            if trial != fingerprint(task):
                raise LearningError(f"{Path(path).name} is not a checkpoint of this trial")
            for name in file.keys():  # noqa: SIM118 - the file is not a mapping
                fold, _, key = name.partition("/")
                folds[int(fold)][key] = file.get_tensor(name)
            return int(epoch), folds
    except (SafetensorError, OSError, ValueError, KeyError, IndexError) as error:
        raise LearningError(f"{path} is not a checkpoint: {error}") from error


def fingerprint(task: TrialTask) -> str:
    """Digest of everything that decides what is computed, without paths and number of epochs.

    Example:
        >>> from dataclasses import replace
        >>> from swarm.learning.estimators.table_source import TableSource
        >>> task = TrialTask("keras-mlp", {"batch_size": 8}, TableSource("digits"), "accuracy")
        >>> fingerprint(task) == fingerprint(replace(task, epochs=9, checkpoint_dir="/tmp"))
        True
    """
    params = {name: value for name, value in task.params.items() if name != "epochs"}
    data = [Path(task.data.name).name, task.data.target, task.data.kind, task.data.max_examples]
    facts = [task.model, params, data, task.folds, task.seed]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
