import json
import subprocess
import sys

LOG_SOMETHING = """
import logging
from swarm.peer.host.logs import configure_logs

configure_logs({level!r}, "json")
logging.getLogger("swarm.network.dialer").debug("cannot dial %s", "10.0.0.1")
logging.getLogger("swarm.network.guards").info("dropped")
logging.getLogger("somelibrary").info("chatter")
try:
    1 / 0
except ZeroDivisionError:
    logging.getLogger("somelibrary").exception("failed")
"""


def lines(level: str) -> list[dict[str, str]]:
    program = LOG_SOMETHING.format(level=level)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_every_layer_logs_json_lines_from_the_chosen_level_on() -> None:
    debug, info = lines("debug"), lines("info")

    assert [x["event"] for x in debug] == ["cannot dial 10.0.0.1", "dropped", "failed"]
    assert [x["level"] for x in debug] == ["debug", "info", "error"]
    assert [x["event"] for x in info] == ["dropped", "failed"]


def test_a_traceback_is_one_field_of_one_line() -> None:
    *_, failed = lines("warning")

    assert "ZeroDivisionError" in failed["exception"]
    assert "timestamp" in failed


def test_a_program_that_has_its_own_logging_keeps_it() -> None:
    program = """
import logging
logging.basicConfig(format="theirs %(message)s", level="INFO")
import structlog
from swarm.peer.host.logs import configure_guest_logs
configure_guest_logs("warning")
logging.getLogger("theirs").info("still here")
structlog.get_logger().info("quiet")
structlog.get_logger().warning("heard")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )

    theirs, ours = done.stderr.splitlines()
    assert theirs == "theirs still here"
    assert "heard" in ours
