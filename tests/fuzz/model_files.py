"""Fuzz model files for longer than CI does: `python -m tests.fuzz.model_files --count 100000`.

Files of all learners are damaged from outside and from inside: bytes of the archive, values of its
schema, types, shapes and numbers of its arrays. Each is loaded and, if it passes, answers rows.
A crash of the process, or memory beyond the limit, is a fault; the seed replays it.
"""

import argparse
import io
import json
import multiprocessing
import resource
import sys
import tempfile
import time
import zipfile
from collections import Counter
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pandas as pd

from swarm.core.errors import DataError, LearningError
from swarm.ensemble.spec import EnsembleSpec
from swarm.learning.ensemble.labelled import LabelledRows, read_labelled
from swarm.learning.ensemble.learners import LEARNERS
from swarm.learning.ensemble.model_files import ModelRefusedError, load_model, save_model
from swarm.learning.ensemble.models import fit_model
from swarm.learning.ensemble.payloads import (
    decode_answers,
    decode_rows,
    encode_answers,
    encode_rows,
)
from swarm.learning.ensemble.proposing import propose_spec
from tests.fuzz.mutations import mutated, noise, seeded

MEMORY_MAX = 4 << 30
"""Address space of a process that loads damaged files."""
CHUNK = 2_000
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, 10**30, -(10**30), 0.5, 1e308, float("nan"), "",
    "x", "rbf", "builtins", "numpy", "list", [], {}, [[]], [None], "ObjectNode", "TupleNode",
)  # fmt: skip
_NUMBERS = (0.0, -1.0, 1.0, np.nan, np.inf, 1e300, -1e300, 2.0**31, -(2.0**31))
_TYPES = ("<f8", "<f4", "<i8", "<i4", "<u8", "|b1", "<U3", "|i1")


@cache
def problem(kind: str) -> tuple[EnsembleSpec, LabelledRows]:
    """A small mixed table and its spec."""
    rng = np.random.default_rng(0)
    size, town = rng.normal(size=40), rng.choice(["Rome", "Oslo"], 40)
    target: Any = size + (town == "Rome")
    if kind == "classification":
        target = np.where(target > 1, "c", np.where(target > 0, "b", "a"))
    size[::7] = np.nan
    frame = pd.DataFrame({"size": size, "town": town, "target": target})
    spec = propose_spec(frame, kind).spec
    return spec, read_labelled(frame, spec)


@cache
def corpus(*, with_keras: bool = False) -> tuple[tuple[str, str, bytes], ...]:
    """Valid files: learner, kind, bytes."""
    found = []
    for name, entry in LEARNERS.items():
        if entry.is_for_images or (name.startswith("keras") and not with_keras):
            continue
        for kind in entry.kinds:
            spec, rows = problem(kind)
            found.append((name, kind, save_model(fit_model(rows, spec, name, seed=0))))
    return tuple(found)


def damaged_model(random: Random, data: bytes) -> bytes:
    """Damage a model file, from outside or from inside."""
    if random.random() < 0.2:
        return mutated(random, [data])
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    for _ in range(random.randint(1, 3)):
        name = random.choice(sorted(members))
        if random.random() < 0.4:
            name = "schema.json"
        if name == "schema.json":
            members[name] = _damaged_schema(random, members[name])
        else:
            members[name] = _damaged_array(random, members[name])
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()


def outcome(path: Path, data: bytes, kind: str) -> str:
    """Load a file and have it answer; in a word, what came of it."""
    spec, rows = problem(kind)
    path.write_bytes(data)
    try:
        answers = load_model(path, spec).answers(rows.x)
    except ModelRefusedError:
        return "refused"
    except LearningError:
        return "fails"
    return "answers" if np.isfinite(answers).all() else "answers NaN"


def fuzz_payloads(random: Random, count: int) -> Counter[str]:
    """Decode damaged rows and answers."""
    spec, rows = problem("regression")
    valid = [encode_rows(rows.x, spec), encode_answers(np.ones((40, 1)))]
    found: Counter[str] = Counter()
    for _ in range(count):
        data = noise(random, 300) if random.random() < 0.1 else mutated(random, valid)
        try:
            if random.random() < 0.5:
                decode_rows(data, spec)
            else:
                decode_answers(data, 40, 1)
            found["taken"] += 1
        except DataError:
            found["refused"] += 1
    return found


def _damaged_schema(random: Random, content: bytes) -> bytes:
    try:
        schema = json.loads(content)
    except ValueError:
        return mutated(random, [content])
    part = schema
    while isinstance(part, dict | list) and part:
        key = random.choice(sorted(part) if isinstance(part, dict) else range(len(part)))
        if not isinstance(part[key], dict | list) or random.random() < 0.1:
            part[key] = random.choice(VALUES)
            break
        part = part[key]
    return json.dumps(schema).encode()


def _damaged_array(random: Random, content: bytes) -> bytes:
    try:
        array = np.load(io.BytesIO(content), allow_pickle=False)
    except Exception:
        return mutated(random, [content])
    choice = random.randrange(5)
    if choice == 0:
        return mutated(random, [content])
    with np.errstate(all="ignore"):
        if choice == 1 and array.dtype.kind in "iuf" and array.size:
            flat = array.reshape(-1).copy()
            value = np.float64(random.choice(_NUMBERS))
            flat[random.randrange(flat.size)] = value.astype(array.dtype)
            array = flat.reshape(array.shape)
        elif choice == 2 and array.dtype.kind in "iufb":
            array = array.astype(random.choice(_TYPES))
        elif choice == 3 and array.ndim:
            array = array[: random.randint(0, len(array))]
        else:
            array = array.reshape(random.choice([(-1,), (1, -1), (-1, 1)]))
    written = io.BytesIO()
    np.save(written, array)
    return written.getvalue()


def fuzz_chunk(seed: int, count: int) -> tuple[Counter[str], float]:
    """Load damaged files in this process, within limits; also its peak memory in MB."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX, MEMORY_MAX))
    random, found = seeded(seed), Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(count):
            _, kind, data = random.choice(corpus())
            found[outcome(Path(folder) / "model", damaged_model(random, data), kind)] += 1
    return found, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def main() -> int:
    """Fuzz; return 1 if a process crashed."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.model_files", description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    corpus()
    total, peak_mb, start_s = Counter[str](), 0.0, time.monotonic()
    context = multiprocessing.get_context("fork")
    for first in range(0, arguments.count, CHUNK):
        seed = arguments.seed * 1_000_000 + first
        count = min(CHUNK, arguments.count - first)
        with context.Pool(1) as pool:
            try:
                found, mb = pool.apply_async(fuzz_chunk, (seed, count)).get(timeout=600)
            except Exception as error:  # also a process that is gone
                print(f"fault with seed {seed}: {error!r}")
                return 1
        total, peak_mb = total + found, max(peak_mb, mb)
        print(f"{first + count:,}: {dict(total)}, at most {peak_mb:.0f} MB", flush=True)
    print(f"payloads: {dict(fuzz_payloads(seeded(arguments.seed), arguments.count))}")
    print(f"{time.monotonic() - start_s:.0f} s, no crash")
    return 0


if __name__ == "__main__":
    sys.exit(main())
