"""Operators' commands: which are obeyed, in which order, for how long."""

import itertools
from typing import Any

import pytest

from swarm.commanding.commands import COMMANDS_MAX, VALID_FOR_S_MAX, Command, RelayedCommands
from swarm.commanding.registers import (
    CLOCK_ERROR_S_MAX,
    DROP_THRESHOLD,
    CommandRegisters,
    RefusedCommandError,
)
from swarm.core.effects import Publish
from swarm.core.ids import PeerId, SessionId
from swarm.federation.command_following import (
    FRESH_REPEATS,
    REMIND_EVERY_REPEATS,
    CommandFollowing,
)
from swarm.federation.effects import Leave, Note, SaveCommands

SESSION = SessionId("a" * 64)
ME, ANNA, OLGA, EVE = PeerId("me"), PeerId("anna"), PeerId("olga"), PeerId("eve")
NOW_S = 1_000_000.0


def command(action: Any, sequence: int = 1, author: PeerId = OLGA, **fields: Any) -> Command:
    values: dict[str, Any] = {"scope": SESSION, "expires_unix_s": NOW_S + 100}
    return Command(author=author, sequence=sequence, action=action, **{**values, **fields})


def registers(*trusted: PeerId, held: bool = False) -> CommandRegisters:
    return CommandRegisters(SESSION, trusted=trusted or (OLGA,), held=held)


def orders(*commands: Command, sender: PeerId = ANNA) -> RelayedCommands:
    return RelayedCommands(SESSION, sender, commands)


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"action": "explode"}, "action must be one of"),
        ({"action": "remove"}, "must name a peer"),
        ({"action": "pause", "subject": ANNA}, "must name a peer"),
        ({"action": "threshold"}, "must have a value"),
        ({"action": "threshold", "value": 1.5}, "threshold must be in"),
        ({"action": "pause", "value": 0.5}, "must have a value"),
        ({"action": "join"}, "must name a session"),
        ({"action": "stop", "session": SESSION}, "must name a session"),
        ({"action": "pause", "scope": ""}, "scope must have 1 to"),
        ({"action": "pause", "sequence": -1}, "sequence must be in"),
        ({"action": "pause", "expires_unix_s": float("inf")}, "must be finite"),
    ],
)
def test_a_command_that_makes_no_sense_cannot_be_made(fields: dict[str, Any], rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        command(**{"action": "pause", **fields})


def test_only_commands_of_trusted_operators_are_obeyed() -> None:
    mine = registers(OLGA)

    assert mine.take(command("pause"), NOW_S)
    with pytest.raises(RefusedCommandError, match="eve is no operator that this peer trusts"):
        mine.take(command("stop", 2, author=EVE), NOW_S)

    assert mine.run_state == "paused"
    assert mine.num_refused == 1


def test_without_operators_no_command_is_obeyed() -> None:
    mine = CommandRegisters(SESSION)

    with pytest.raises(RefusedCommandError):
        mine.take(command("pause"), NOW_S)

    assert mine.commands == ()


def test_a_refused_command_that_comes_again_is_counted_once() -> None:
    mine = registers()
    with pytest.raises(RefusedCommandError):
        mine.take(command("pause", author=EVE), NOW_S)

    assert not mine.take(command("pause", author=EVE), NOW_S)

    assert mine.num_refused == 1


def test_another_sessions_command_is_refused() -> None:
    with pytest.raises(RefusedCommandError, match="another session"):
        registers().take(command("stop", scope=SessionId("b" * 64)), NOW_S)


def test_an_expired_command_is_refused_and_clocks_may_differ_a_little() -> None:
    mine = registers()
    late = command("pause", expires_unix_s=NOW_S - CLOCK_ERROR_S_MAX - 1)
    with pytest.raises(RefusedCommandError, match="expired 61 s ago"):
        mine.take(late, NOW_S)

    assert mine.take(command("pause", expires_unix_s=NOW_S - CLOCK_ERROR_S_MAX), NOW_S)


def test_a_command_that_is_valid_for_too_long_is_refused() -> None:
    forever = command("pause", expires_unix_s=NOW_S + VALID_FOR_S_MAX + CLOCK_ERROR_S_MAX + 1)

    with pytest.raises(RefusedCommandError, match="not longer"):
        registers().take(forever, NOW_S)


def test_a_replayed_older_command_changes_nothing() -> None:
    mine = registers()
    mine.take(command("pause", 1), NOW_S)
    mine.take(command("resume", 2), NOW_S)

    assert not mine.take(command("pause", 1), NOW_S)

    assert mine.run_state == "running"
    assert mine.is_newer(command("pause", 1))


def test_the_same_commands_in_any_order_have_the_same_effect() -> None:
    two = (OLGA, ANNA)
    commands = [
        command("pause", 1),
        command("resume", 2),
        command("stop", 2, author=ANNA),
        command("remove", 3, subject=EVE),
        command("threshold", 4, value=0.25),
    ]

    ends = set()
    for order in itertools.permutations(commands):
        mine = registers(*two)
        for one in order:
            mine.take(one, NOW_S)
        ends.add((mine.run_state, mine.removed, mine.drop_threshold))

    assert ends == {("running", frozenset({EVE}), 0.25)}  # olga's name is the greater one


def test_a_removed_peer_can_be_readmitted() -> None:
    mine = registers()
    mine.take(command("remove", 1, subject=EVE), NOW_S)

    mine.take(command("readmit", 2, subject=EVE), NOW_S)

    assert mine.removed == frozenset()


def test_a_held_session_waits_until_it_is_started() -> None:
    mine = registers(held=True)
    assert (mine.run_state, mine.waits) == ("held", True)

    mine.take(command("start"), NOW_S)

    assert (mine.run_state, mine.waits, mine.stopped) == ("running", False, False)
    assert mine.drop_threshold == DROP_THRESHOLD


def test_no_more_commands_are_in_force_than_fit_in_a_message() -> None:
    mine = registers()
    for k in range(COMMANDS_MAX):
        mine.take(command("remove", k, subject=PeerId(f"peer-{k}")), NOW_S)

    with pytest.raises(RefusedCommandError, match="in force already"):
        mine.take(command("remove", 99, subject=EVE), NOW_S)

    assert len(mine.commands) == COMMANDS_MAX
    assert mine.take(command("readmit", 99, subject=PeerId("peer-0")), NOW_S)


def test_after_a_restart_what_was_obeyed_is_obeyed_unless_trust_was_withdrawn() -> None:
    old = command("pause", expires_unix_s=1.0)
    trusting, wary = registers(OLGA), registers(ANNA)

    trusting.resume([old])
    wary.resume([old])

    assert trusting.run_state == "paused"
    assert wary.run_state == "running"


# -- passing on


def obedience() -> CommandFollowing:
    return CommandFollowing(SESSION, ME, (OLGA,))


def test_a_new_command_is_noted_saved_and_relayed_a_few_times() -> None:
    mine = obedience()
    pause = command("pause")

    news, effects = mine.hear(orders(pause), NOW_S)

    assert news == [pause]
    note = Note(
        "paused", "the operator olga paused the run: no training begins until it is resumed"
    )
    assert effects == [note, SaveCommands((pause,))]
    passed_on = Publish("home", RelayedCommands(SESSION, ME, (pause,)))
    for _ in range(FRESH_REPEATS):
        assert mine.remind("home", None) == [passed_on]


def test_while_the_session_waits_the_cluster_is_reminded() -> None:
    mine = obedience()
    mine.hear(orders(command("pause")), NOW_S)

    told = [bool(mine.remind("home", None)) for _ in range(FRESH_REPEATS + 12)][FRESH_REPEATS:]

    assert told.count(True) == 12 // REMIND_EVERY_REPEATS


def test_once_it_runs_again_only_beacons_tell_of_it() -> None:
    mine = obedience()
    resume = command("resume", 2)
    mine.hear(orders(command("pause"), resume), NOW_S)
    for _ in range(FRESH_REPEATS):
        mine.remind("home", None)

    assert [mine.remind("home", None) for _ in range(9)] == [[]] * 9
    assert mine.remind("home", "all") == [Publish("all", RelayedCommands(SESSION, ME, (resume,)))]


def test_a_peer_that_is_behind_is_sent_the_newer_command() -> None:
    mine = obedience()
    mine.hear(orders(command("resume", 2)), NOW_S)
    for _ in range(FRESH_REPEATS):
        mine.remind("home", None)

    news, effects = mine.hear(orders(command("pause", 1)), NOW_S)

    assert (news, effects) == ([], [])
    assert mine.remind("home", None) == [
        Publish("home", RelayedCommands(SESSION, ME, (command("resume", 2),)))
    ]


def test_a_refused_command_is_noted_and_never_relayed() -> None:
    mine = obedience()

    news, effects = mine.hear(orders(command("stop", author=EVE)), NOW_S)

    assert news == []
    text = "a command was not followed: stop: eve is no operator that this peer trusts"
    assert effects == [Note("refused", text, EVE)]
    assert mine.remind("home", "all") == []


def test_a_peer_that_is_removed_leaves() -> None:
    _, effects = obedience().hear(orders(command("remove", subject=ME)), NOW_S)

    assert Leave("an operator removed this peer") in effects
