"""Mutants of what keeps liars out of heads, and strangers from giving orders."""

from tests.simulation.mutants.mutant import Mutant

DEFENDING = (
    # G7: what breaks a rule or fails a gate never enters a head; nobody honest is quarantined
    Mutant(
        "term-not-checked",
        "G7",
        "validity.py",
        "        term < len(ranking) and ranking[term] == author,\n",
        "        True,\n",
        ("hostile-peer",),
    ),
    Mutant(
        "examples-not-checked",
        "G7",
        "validity.py",
        "        head.examples_before == parent.total,\n",
        "        True,\n",
        ("hostile-peer",),
    ),
    Mutant(
        "strangers-count",
        "G7",
        "validity.py",
        "        if contributor.peer not in base.members:\n",
        "        if False:\n",
        ("hostile-peer",),
    ),
    Mutant(
        "cap-not-checked",
        "G7",
        "validity.py",
        "        if contributor.num_examples > spec.num_examples_max:\n",
        "        if False:\n",
        ("hostile-peer",),
    ),
    Mutant(
        "authors-vouch-for-themselves",
        "G7",
        "branches.py",
        "return tuple(peer for peer in self.holders if alone or peer != head.author)",
        "return tuple(self.holders)",
        ("invented-branches",),
    ),
    Mutant(
        "relayers-are-blamed",
        "G7",
        "catching_up.py",
        "effects += self._judging.reject(head, error, now_s)\n",
        "effects += self._judging.offences.count(event.sender, str(error), now_s)\n",
        ("misled-newcomer",),
    ),
    Mutant(
        "nobody-is-quarantined",
        "G7",
        "offences.py",
        "        if count < OFFENCES_MAX or self.quarantined(peer, now_s):\n",
        "        if True:\n",
        ("hostile-peer",),
    ),
    # G9: operators that a peer trusts are followed, and nobody else
    Mutant(
        "strangers-obeyed",
        "G9",
        "command_book.py",
        "if command.author not in self._trusted:",
        "if False:",
        ("paused", "stopped", "removed"),
    ),
    Mutant(
        "older-orders-obeyed",
        "G9",
        "command_book.py",
        "if held is not None and command.key <= held.key:",
        "if held is not None and command.key == held.key:",
        ("paused",),
    ),
    Mutant(
        "orders-not-passed-on",
        "G9",
        "obedience.py",
        "return [Publish(topic, orders) for topic in topics if topic is not None]",
        "return []",
        ("paused", "stopped"),
    ),
    Mutant(
        "orders-forgotten-by-restarts",
        "G9",
        "obedience.py",
        "effects.append(SaveCommands(self.book.commands))",
        "pass",
        ("paused", "stopped"),
        also=(
            (
                "obedience.py",
                "return [Publish(topic, orders) for topic in topics if topic is not None]",
                "return []",
            ),
        ),
    ),
    Mutant(
        "paused-rounds-go-on",
        "G9",
        "federation.py",
        "if self.round is not None and not self.finished and not self.orders.waits:",
        "if self.round is not None and not self.finished:",
        ("paused",),
    ),
    Mutant(
        "removed-peers-stay",
        "G9",
        "obedience.py",
        'effects.append(Leave("an operator removed this peer"))',
        "pass",
        ("removed",),
    ),
)
