"""combine_files(): combines members' weights files; needs neither a model nor Keras."""

from swarm.core.errors import NoContributionsError
from swarm.federation.effects import Rejection
from swarm.learning.errors import ForeignWeightsError
from swarm.learning.federation import gates, jobs
from swarm.learning.federation.aggregation import combine
from swarm.learning.federation.stale_updates import merge, rebase
from swarm.learning.federation.weights_files import Weights, read_weights, write_weights


def combine_files(job: jobs.Combine, norm_bound: float) -> jobs.Combined:
    """Combine the inputs that pass the gates, in the order given.

    Args:
        job: The files.
        norm_bound: The session's, see `gates.norm_faults`.

    Raises:
        NoContributionsError: No input passed; the message has each reason.
    """
    base = read_weights(job.base_path)
    accepted, reasons = _pass_gates(base, job.inputs, norm_bound)
    rejected = tuple(Rejection(name, reason) for name, reason in reasons.items())
    if not accepted:
        listed = "; ".join(f"{r.name}: {r.reason}" for r in rejected)
        raise NoContributionsError(f"no contribution passed the gates: {listed or 'none given'}")
    combined = combine(base, accepted)
    if job.merge is not None:
        try:
            combined = _merged(base, combined, job.merge)
        except ForeignWeightsError as error:
            rejected = (*rejected, Rejection(job.merge.name, str(error)))
    path, blob = write_weights(combined, job.output_dir)
    return jobs.Combined(str(path), blob, rejected)


def _pass_gates(
    base: Weights, inputs: tuple[jobs.CombineInput, ...], norm_bound: float
) -> tuple[list[tuple[Weights, float]], dict[str, str]]:
    contributions: dict[str, tuple[Weights, float]] = {}
    reasons: dict[str, str] = {}
    for given in inputs:
        try:
            weights = read_weights(given.path)
            gates.require_fit(base, weights)
            if given.stale_base_path is not None:
                weights = rebase(weights, read_weights(given.stale_base_path), base)
                gates.require_fit(base, weights)
        except ForeignWeightsError as error:
            reasons[given.name] = str(error)
        else:
            contributions[given.name] = (weights, given.weight)
    norms = {
        name: gates.update_norm(base, weights) for name, (weights, _) in contributions.items()
    }
    reasons |= gates.norm_faults(norms, norm_bound)
    return [c for name, c in contributions.items() if name not in reasons], reasons


def _merged(base: Weights, combined: Weights, given: jobs.MergeInput) -> Weights:
    branch = read_weights(given.path)
    gates.require_fit(base, branch)
    merged = merge(base, combined, branch, given.share)
    gates.require_fit(base, merged)
    return merged
