"""A member's model files: what the machine has not heard of yet is not deleted."""

import os
from pathlib import Path
from typing import cast

from swarm.peer.ensemble.member_folder import ANSWERS_KEPT_S, open_member_folder
from swarm.peer.ensemble.member_models import MemberModels
from swarm.peer.host.host import Host
from tests.ensemble.parts import digest, make_spec, model


def test_a_model_that_was_just_fitted_survives_a_save_that_does_not_name_it(
    tmp_path: Path,
) -> None:
    folder = open_member_folder(tmp_path, make_spec())
    models = MemberModels("member", folder, cast(Host, None))  # models at home need no host
    for number in (1, 2):
        written = tmp_path / "written"
        written.write_bytes(b"model")
        models.admit(model(number, at_home=True), written)
        models.keep_only((model(1, at_home=True), None, None))

    assert folder.model(digest(1), "skops").is_file()
    assert folder.model(digest(2), "skops").is_file()
    assert models.record(digest(2)) == model(2, at_home=True)


def test_old_answers_of_models_that_are_gone_are_deleted(tmp_path: Path) -> None:
    folder = open_member_folder(tmp_path, make_spec())
    for number in (1, 2, 3):
        (folder.validation / f"{digest(number)}.npz").write_bytes(b"answers")
    now_s = (folder.validation / f"{digest(1)}.npz").stat().st_mtime
    os.utime(folder.validation / f"{digest(3)}.npz", (now_s, now_s + 10.0))

    folder.keep_answers(frozenset({digest(1)}), now_s + ANSWERS_KEPT_S + 5.0)

    left = sorted(path.stem for path in folder.validation.iterdir())
    assert left == [digest(1), digest(3)]
