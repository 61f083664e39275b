"""describe_refusal(): why a member does not answer, in words."""

from swarm.ensemble.messages import Refusal

_WORDS = {
    "busy": "it is busy",
    "budget": "this peer has used up its budget of rows",
    "not-allowed": "it does not answer this peer",
    "no-model": "it has no such model",
    "abstains": "it abstains: the rows are far from its own",
    "bad-rows": "it cannot use the rows",
    "failed": "it could not answer",
    "leaving": "it is leaving",
}


def describe_refusal(refusal: Refusal) -> str:
    """Describe a refusal.

    >>> describe_refusal(Refusal("id", "peer", 1, "peer", "busy", "256 questions wait"))
    'it is busy: 256 questions wait'
    """
    words = _WORDS[refusal.reason]
    return f"{words}: {refusal.detail}" if refusal.detail else words
