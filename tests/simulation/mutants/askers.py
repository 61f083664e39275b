"""Mutants of an ensemble's askers: each removes one rule of `swarm/ensemble`."""

from tests.simulation.mutants.mutant import Mutant

_OPEN = "ensemble/open_question.py"
_QUESTIONS = "ensemble/questions.py"
_TRUST = "ensemble/trust.py"

ASKERS = (
    Mutant(
        "owners-counted-again",
        "once",
        _OPEN,
        "        if wanted.answer is not None:\n            return\n",
        "",
        ("ensemble-liar", "ensemble-hedged"),
        also=(
            (
                _OPEN,
                "wanted.attempts.pop(answer.sender, None)\n",
                "wanted.attempts.get(answer.sender)\n",
            ),
        ),
    ),
    Mutant(
        "any-number-of-rows",
        "once",
        _OPEN,
        "        if num_rows != wanted_rows:\n",
        "        if False:\n",
        ("ensemble-liar",),
    ),
    Mutant(
        "no-quorum",
        "quorum",
        _OPEN,
        "self.num_needed = max(1, math.ceil(spec.quorum * num_present - _ROUNDING))",
        "self.num_needed = 1",
        ("ensemble-asked-lossy", "ensemble-silent"),
    ),
    Mutant(
        "all-waited-for",
        "patience",
        _OPEN,
        "        return min(self.due_s, max(waits_s, default=-math.inf))",
        "        return self.due_s",
        ("ensemble-silent",),
    ),
    Mutant(
        "none-waited-for",
        "patience",
        _OPEN,
        "        return min(self.due_s, max(waits_s, default=-math.inf))",
        "        return -math.inf",
        ("ensemble-asked",),
    ),
    Mutant(
        "copies-not-asked-for-the-lost",
        "copies",
        _QUESTIONS,
        "        return self._ask_copy(question, owner, now_s)\n\n    def _ask_copy(",
        "        return []\n\n    def _ask_copy(",
        ("ensemble-hedged",),
    ),
    Mutant(
        "copies-not-asked-for-the-slow",
        "copies",
        _QUESTIONS,
        "            for owner in question.owners_to_hedge(now_s):\n",
        "            for owner in ():\n",
        ("ensemble-hedged",),
    ),
    Mutant(
        "liars-keep-their-weight",
        "weight",
        _TRUST,
        "        if not is_lost and sum(rows) > OFF_ROWS_MAX:\n",
        "        if False:\n",
        ("ensemble-liar",),
    ),
    Mutant(
        "missing-members-not-named",
        "named",
        _QUESTIONS,
        "        missing = question.missing(now_s)\n",
        "        missing = ()\n",
        ("ensemble-crashes",),
    ),
)
