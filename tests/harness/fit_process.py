"""A user's Keras script with one more line: it trains on some classes of the digits.

    python tests/harness/fit_process.py ADDRESS CLASSES

ADDRESS may be empty. Prints a JSON line for each epoch. Ctrl-C ends the fit and starts another one
of one epoch, as in a notebook.
"""

import json
import sys

import keras
import numpy as np
from sklearn.datasets import load_digits

import swarm


def main(address: str, classes: str) -> None:
    keras.utils.set_random_seed(1)
    digits = load_digits()
    x, y = (digits.images / 16).astype(np.float32).reshape(-1, 64), digits.target
    mine = np.isin(y[:1200], [int(c) for c in classes])
    model = keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Dense(32, activation="relu"),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(
        keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    ours = swarm.Swarm(address or None, ip="127.0.0.1", min_peers=3 if not address else 1)
    say = keras.callbacks.LambdaCallback(on_epoch_end=lambda _epoch, logs: print_line(logs))

    def fit(epochs: int) -> None:
        model.fit(
            x[:1200][mine],
            y[:1200][mine],
            epochs=epochs,
            verbose=0,
            validation_data=(x[1200:], y[1200:]),
            callbacks=[ours, say],
        )

    try:
        fit(100_000)
    except KeyboardInterrupt:
        print_line({"interrupted": True})
        fit(1)


def print_line(logs: object) -> None:
    print(json.dumps(logs, default=float), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
