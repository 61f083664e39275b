"""swarm.Swarm beside plain `fit`, and swarm.torch.Swarm beside a plain PyTorch loop.

    python -m benchmarks.callback [--peers 3] [--torch] [--epochs 6] [--examples 10000]

Each peer is a process with one thread and an equal part of the data. It trains an epoch without a
swarm and one with it, in turn, so that both meet the same load of the machine. Printed for each
kind: the median of the seconds per epoch, and the accuracy on the whole test set at the end. Plain
peers train on their part alone.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from swarm.learning.data_config import DataConfig
from swarm.learning.datasets import load_dataset
from swarm.learning.datasets.dataset import Dataset
from tests.harness.reserved_ports import reserved_ports

ROOT = Path(__file__).parents[1]
BATCH = 32
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "CUDA_VISIBLE_DEVICES": "-1",
}


def main() -> None:
    """Start the peers, and print a line for each kind of epoch."""
    arguments = _parse()
    if arguments.part is not None:
        train = _train_torch if arguments.torch else _train_keras
        train(arguments)
        return
    _load(arguments)  # generates the data set, if it is not in the cache
    load = os.getloadavg()
    with reserved_ports(1) as (port,):
        children = [_start(arguments, part, port) for part in range(arguments.peers)]
        results = [json.loads(child.communicate()[0].splitlines()[-1]) for child in children]
    framework = "PyTorch" if arguments.torch else "Keras"
    print(
        f"{framework}, {arguments.peers} peers with {arguments.examples} examples each, "
        f"{arguments.epochs} epochs of each kind; load {load[0]:.1f} on {os.cpu_count()} cores"
    )
    plain_s, swarm_s = (
        statistics.median(s for r in results for s in r[kind]) for kind in ("plain_s", "swarm_s")
    )
    exchange_s = statistics.median(s for r in results for s in r["exchange_s"])
    print(f"plain: {plain_s:7.3f} s per epoch, accuracy {_listed(results, 'plain_accuracy')}")
    print(f"swarm: {swarm_s:7.3f} s per epoch, accuracy {_listed(results, 'swarm_accuracy')}")
    print(
        f"slower by {100 * (swarm_s / plain_s - 1):.1f} %; an exchange, the wait for others "
        f"included, takes {exchange_s:.3f} s ({100 * exchange_s / plain_s:.1f} % of an epoch)"
    )


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--peers", type=int, default=1)
    parser.add_argument("--torch", action="store_true")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--examples", type=int, default=10_000)
    parser.add_argument("--data-dir")
    parser.add_argument("--cache-dir", default="/tmp/swarm-benchmark")  # noqa: S108
    parser.add_argument("--part", type=int, help="which peer this process is")
    parser.add_argument("--port", type=int, default=0)
    return parser.parse_args()


def _start(arguments: argparse.Namespace, part: int, port: int) -> subprocess.Popen[str]:
    own = ["--part", str(part), "--port", str(port)]
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.callback", *sys.argv[1:], *own],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, **ONE_THREAD},
    )


def _listed(results: list[dict[str, Any]], name: str) -> str:
    return ", ".join(f"{r[name]:.3f}" for r in results)


def _load(arguments: argparse.Namespace) -> Dataset:
    name = "cifar10" if arguments.data_dir else "synthetic10"
    config = DataConfig(name, data_dir=arguments.data_dir, cache_dir=arguments.cache_dir)
    return load_dataset(config, lambda _progress: None)


def _data(arguments: argparse.Namespace) -> tuple[Any, Any, Any, Any]:
    """This peer's part, and the test set: float32 images (n, 32, 32, 3) and labels."""
    data = _load(arguments)
    begin = arguments.part * arguments.examples
    mine, test = np.arange(begin, begin + arguments.examples), np.arange(2000)
    return (
        data.train.x.take(mine).astype(np.float32) / 255,
        data.train.y[mine],
        data.test.x.take(test).astype(np.float32) / 255,
        data.test.y[test],
    )


def _joining(arguments: argparse.Namespace) -> dict[str, Any]:
    """Arguments of `Swarm`: the first peer starts a swarm that waits for all."""
    if arguments.part == 0:
        return {"ip": "127.0.0.1", "port": arguments.port, "min_peers": arguments.peers}
    return {"ip": "127.0.0.1", "address": f"127.0.0.1:{arguments.port}"}


def _report(seconds: dict[str, list[float]], **accuracies: float) -> None:
    print(json.dumps({name: s[1:] for name, s in seconds.items()} | accuracies))


def _train_keras(arguments: argparse.Namespace) -> None:
    import keras  # noqa: PLC0415 - only the processes of peers need it

    import swarm  # noqa: PLC0415 - its callback needs Keras

    x, y, x_test, y_test = _data(arguments)
    seconds: dict[str, list[float]] = {"plain_s": [], "swarm_s": [], "exchange_s": []}

    def build() -> Any:
        keras.utils.set_random_seed(0)
        model = keras.Sequential(
            [
                keras.Input((32, 32, 3)),
                keras.layers.Conv2D(32, 3, activation="relu"),
                keras.layers.MaxPooling2D(),
                keras.layers.Conv2D(64, 3, activation="relu"),
                keras.layers.MaxPooling2D(),
                keras.layers.Flatten(),
                keras.layers.Dense(128, activation="relu"),
                keras.layers.Dense(10, activation="softmax"),
            ]
        )
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    plain, together = build(), build()

    class Alternate(keras.callbacks.Callback):  # type: ignore[misc]
        """Trains the plain model for an epoch before each epoch of the other one."""

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            begun_s = time.perf_counter()
            plain.fit(x, y, batch_size=BATCH, verbose=0)
            seconds["plain_s"].append(time.perf_counter() - begun_s)
            self.begun_s = time.perf_counter()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            seconds["swarm_s"].append(time.perf_counter() - self.begun_s)

    class Timed(swarm.Swarm):
        """Measures the exchange at the end of an epoch."""

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            begun_s = time.perf_counter()
            super().on_epoch_end(epoch, logs)
            seconds["exchange_s"].append(time.perf_counter() - begun_s)

    together.fit(
        x,
        y,
        batch_size=BATCH,
        epochs=arguments.epochs,
        verbose=0,
        callbacks=[Timed(**_joining(arguments)), Alternate()],
    )
    accuracies = [m.evaluate(x_test, y_test, verbose=0)[1] for m in (plain, together)]
    _report(seconds, plain_accuracy=accuracies[0], swarm_accuracy=accuracies[1])


def _train_torch(arguments: argparse.Namespace) -> None:
    import torch  # noqa: PLC0415 - only the processes of peers need it

    import swarm.torch  # noqa: PLC0415 - it imports PyTorch

    torch.set_num_threads(1)
    x, y, x_test, y_test = (torch.from_numpy(a) for a in _data(arguments))
    x, x_test = x.movedim(3, 1).contiguous(), x_test.movedim(3, 1).contiguous()
    seconds: dict[str, list[float]] = {"plain_s": [], "swarm_s": [], "exchange_s": []}

    def build() -> tuple[Any, Any]:
        torch.manual_seed(0)
        model = torch.nn.Sequential(
            torch.nn.Conv2d(3, 32, 3),
            torch.nn.ReLU(),
            torch.nn.MaxPool2d(2),
            torch.nn.Conv2d(32, 64, 3),
            torch.nn.ReLU(),
            torch.nn.MaxPool2d(2),
            torch.nn.Flatten(),
            torch.nn.Linear(64 * 6 * 6, 128),
            torch.nn.ReLU(),
            torch.nn.Linear(128, 10),
        )
        return model, torch.optim.Adam(model.parameters())

    def batches() -> Iterator[tuple[Any, Any]]:
        order = torch.randperm(len(x))
        for chosen in order.split(BATCH):
            yield x[chosen], y[chosen]

    def train(model: Any, optimizer: Any, ours: Any = None) -> float:
        begun_s = time.perf_counter()
        for inputs, labels in batches():
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(inputs), labels).backward()
            optimizer.step()
            if ours is not None:
                before_s = time.perf_counter()
                if ours.step_end(examples=len(inputs)):
                    seconds["exchange_s"].append(time.perf_counter() - before_s)
        return time.perf_counter() - begun_s

    def accuracy(model: Any) -> float:
        with torch.no_grad():
            return float((model(x_test).argmax(1) == y_test).float().mean())

    plain, together = build(), build()
    every = -(-len(x) // BATCH)
    with swarm.torch.Swarm(*together, every=every, **_joining(arguments)) as ours:
        for _ in range(arguments.epochs):
            seconds["plain_s"].append(train(*plain))
            seconds["swarm_s"].append(train(*together, ours))
    _report(seconds, plain_accuracy=accuracy(plain[0]), swarm_accuracy=accuracy(together[0]))


if __name__ == "__main__":
    main()
