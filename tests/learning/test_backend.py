"""What the environment is like at the moment in which TensorFlow is imported, and reads it."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import os, sys

class Watch:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == "tensorflow":
            print(os.environ.get("TF_ENABLE_ONEDNN_OPTS"))
            sys.exit()

sys.meta_path.insert(0, Watch)
import swarm.learning.federation.learner  # what workers and the fork server load first
"""


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        pytest.param(None, "1", id="switched-on"),
        pytest.param("0", "0", id="the-user-has-switched-it-off"),
        pytest.param("1", "1", id="the-user-has-switched-it-on"),
    ],
)
def test_one_dnn_is_on_before_tensorflow_is_imported_unless_the_user_has_set_it(
    given: str | None, seen: str
) -> None:
    ours = ("TF_ENABLE_ONEDNN_OPTS", "SWARM_BACKEND", "KERAS_BACKEND")
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    if given is not None:
        environment["TF_ENABLE_ONEDNN_OPTS"] = given

    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert ended.stdout.strip() == seen
