"""MemberJobs: what a record of another member may make a process do."""

from dataclasses import replace
from pathlib import Path

import pytest

from swarm.core.ids import PeerId
from swarm.learning.ensemble.labelled import read_labelled, write_labelled
from swarm.learning.ensemble.model_files import ModelRefusedError
from swarm.learning.ensemble.proposing import propose_spec
from swarm.peer.processes.member_frames import (
    FitModel,
    FittedModel,
    Open,
    ScoreOf,
    ScoreOrRefusal,
)
from swarm.peer.processes.member_jobs import MemberJobs
from tests.harness.house_rows import TARGET, write_houses


def test_a_record_of_another_member_does_not_choose_what_is_imported(tmp_path: Path) -> None:
    data = write_houses(tmp_path / "rows.csv", 40, seed=1)
    spec = propose_spec(data, "houses", target=TARGET).spec
    write_labelled(tmp_path / "rows.swl", read_labelled(data, spec), spec)
    (tmp_path / "work").mkdir()
    opening = Open(spec, str(tmp_path), PeerId("me"), "ridge", allow_code=True)
    fitted = MemberJobs(opening).do(FitModel(False, 1.0), lambda share: None)
    assert isinstance(fitted, FittedModel)
    foreign = replace(fitted.model, learner="no_such_module:Class", format="code")
    jobs = MemberJobs(replace(opening, is_for_others=True))
    rule = "learner 'no_such_module:Class' is code, and not the learner of this member, 'ridge'"

    reply = jobs.do(ScoreOf(PeerId("other"), foreign, fitted.path), lambda share: None)

    assert isinstance(reply, ScoreOrRefusal)
    assert reply.refusal is not None
    assert rule in reply.refusal.reason
    with pytest.raises(ModelRefusedError, match=rule):
        jobs.predictor.load(foreign, Path(fitted.path))
    jobs.predictor.load(fitted.model, Path(fitted.path))
