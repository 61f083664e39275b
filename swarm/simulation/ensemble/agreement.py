"""Agreement: whether live members know all of each other, as they must when nothing goes wrong."""

from swarm.ensemble.spec import EnsembleSpec
from swarm.simulation.ensemble.member_work import loss_of
from swarm.simulation.ensemble.peers import MemberPeer


def disagreement(members: list[MemberPeer], spec: EnsembleSpec) -> str:
    """What a member does not know yet, in words; empty if each knows all of the others."""
    for peer in members:
        missing = _missing_here(peer) or _missing_of_others(peer, members, spec)
        if missing:
            return f"{peer.name}: {missing}"
    return ""


def _missing_here(peer: MemberPeer) -> str:
    models = peer.machine.models
    champion, challenger = models.champion, models.challenger
    if peer.frozen:
        return "frozen"
    if champion is None:
        return "no champion"
    if peer.machine.fitting.is_running:
        return "fits"
    if challenger is not None and loss_of(challenger.version) <= loss_of(champion.version):
        return "a challenger that is not worse still waits"
    num_fitted = max(model.num_rows for model in models.kept)
    if peer.num_rows >= num_fitted * (1 + peer.machine.settings.refit_share):
        return f"{peer.num_rows} rows, and no model of more than {num_fitted}"
    return ""


def _missing_of_others(peer: MemberPeer, members: list[MemberPeer], spec: EnsembleSpec) -> str:
    machine = peer.machine
    card = machine.card()
    scored = {(each.owner, each.version) for each in card.scores}
    known = scored | {(each.owner, each.version) for each in card.refused}
    expected = set()
    for other in members:
        champion = other.machine.models.champion
        if champion is None:
            return f"{other.name} has no champion"
        key = (other.name, champion.version)
        if key not in known:
            return f"no score of {other.name}'s champion"
        if key in scored:
            expected.add(champion.version)
        known_card = machine.roster.card(other.name)
        newest = other.machine.card().number
        if other is not peer and (known_card is None or known_card.number != newest):
            return f"not the newest card of {other.name}"
        is_kept = spec.keep_models and champion.blob is not None and key in scored
        if is_kept and other is not peer and champion.version not in card.keeps:
            return f"no copy of {other.name}'s champion"
    residuals = card.residuals
    if residuals is None or set(residuals.versions) != expected:
        return "no residuals of all champions"
    return ""
