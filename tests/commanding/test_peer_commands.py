"""Commands to peers: heard, obeyed and relayed, whatever runs on a peer."""

from swarm.commanding.commands import ALL_PEERS, Action, Command, RelayedCommands
from swarm.commanding.peer_commands import (
    PEERS_TOPIC,
    REPEAT,
    REPEAT_EVERY_S,
    REPEATS,
    Obey,
    PeerCommands,
    Resumed,
    SaveCommands,
)
from swarm.core.effects import PeerConnected, Publish, Send, Subscribe
from swarm.core.ids import PeerId, SessionId
from swarm.core.machine import SetTimer, TimerFired

ME, OTHER, OLGA, EVE = PeerId("me"), PeerId("other"), PeerId("olga"), PeerId("eve")
SESSION = SessionId("5" * 64)
UNIX_S = 1e9


def command(
    sequence: int, scope: str = ALL_PEERS, action: Action = "join", author: PeerId = OLGA
) -> Command:
    return Command(scope, author, sequence, action, UNIX_S + 100, session=SESSION)


def relayed(one: Command, sender: PeerId = OTHER) -> RelayedCommands:
    return RelayedCommands(one.scope, sender, (one,))


def started(me: PeerId = ME, *commands: Command) -> PeerCommands:
    machine = PeerCommands(me, [OLGA])
    resumed = machine.handle(Resumed(commands, UNIX_S), 0.0)
    assert resumed == [Subscribe(PEERS_TOPIC), *map(Obey, commands)]
    return machine


def test_a_new_command_is_saved_obeyed_and_relayed() -> None:
    machine, join = started(), command(1)

    effects = machine.handle(relayed(join), 1.0)

    assert effects == [
        SaveCommands((join,)),
        Obey(join),
        Publish(PEERS_TOPIC, relayed(join, ME)),
        SetTimer(REPEAT, 1.0 + REPEAT_EVERY_S),
    ]


def test_a_command_that_is_heard_again_is_obeyed_only_once() -> None:
    machine, join = started(), command(1)
    machine.handle(relayed(join), 1.0)

    assert machine.handle(relayed(join), 2.0) == []


def test_a_command_is_published_a_few_times_and_then_no_more() -> None:
    machine, join = started(), command(1)
    machine.handle(relayed(join), 1.0)
    published = 0
    for k in range(REPEATS + 3):
        effects = machine.handle(TimerFired(REPEAT), 3.0 + k)
        published += sum(isinstance(effect, Publish) for effect in effects)

    assert published == REPEATS


def test_a_peer_that_connects_is_sent_the_commands_in_force() -> None:
    machine, join = started(), command(1)
    machine.handle(relayed(join), 1.0)

    assert machine.handle(PeerConnected(EVE), 2.0) == [Send(EVE, relayed(join, ME))]


def test_a_command_to_another_peer_is_relayed_and_not_obeyed() -> None:
    machine, join = started(), command(1, scope=OTHER)

    effects = machine.handle(relayed(join), 1.0)

    assert effects == [
        Publish(PEERS_TOPIC, relayed(join, ME)),
        SetTimer(REPEAT, 1.0 + REPEAT_EVERY_S),
    ]


def test_a_command_to_this_peer_is_obeyed() -> None:
    machine, join = started(), command(1, scope=ME)

    assert Obey(join) in machine.handle(relayed(join), 1.0)


def test_of_two_commands_about_one_session_the_greater_counts_in_any_order() -> None:
    join, leave = command(1), command(2, scope=ME, action="leave")
    machine = started()
    machine.handle(relayed(leave), 1.0)

    assert machine.handle(relayed(join), 2.0) == []


def test_a_command_of_an_unknown_operator_is_neither_obeyed_nor_relayed() -> None:
    machine = started()

    assert machine.handle(relayed(command(1, author=EVE)), 1.0) == []
    assert machine.handle(PeerConnected(OTHER), 2.0) == []


def test_a_command_to_a_session_is_no_command_to_peers() -> None:
    pause = Command(ALL_PEERS, OLGA, 1, "pause", UNIX_S + 100)

    assert started().handle(relayed(pause), 1.0) == []


def test_an_expired_command_is_not_obeyed() -> None:
    assert started().handle(relayed(command(1)), 1e6) == []


def test_after_a_restart_the_commands_in_force_are_obeyed_once_more() -> None:
    join, leave = command(1), command(2, action="leave")
    machine = PeerCommands(ME, [OLGA])

    assert machine.handle(Resumed((leave,), UNIX_S), 0.0) == [Subscribe(PEERS_TOPIC), Obey(leave)]
    assert machine.handle(relayed(leave), 1.0) == []
    assert machine.handle(relayed(join), 2.0) == []
