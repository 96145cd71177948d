"""Submissions of runs with class texts: their league, their setting on the board, and the choice among rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.submissions import row
from depthub.records import document as documents
from depthub.records.document import StoredRun
from depthub.records.packed import pack
from depthub.records.store import Store
from depthub.spec import TextsSpec
from depthub.submissions.board import of_folder
from depthub.submissions.choosing import chosen_runs
from depthub.submissions.definition import read
from depthub.submissions.files import RUNS
from depthub.submissions.validation import validate
from tests.submissions.conftest import SMALL
from tests.submissions.edits import adopt, edit

TEXTS = TextsSpec("mine.json", "ab" * 32)


def with_texts(runs: list[StoredRun]) -> list[StoredRun]:
    results = [replace(run.result, spec=replace(run.result.spec, texts=TEXTS)) for run in runs]
    return [StoredRun(documents.document(result), result) for result in results]


@pytest.fixture
def submission(board: Path) -> Path:
    """A submission of the board whose runs read class texts."""
    folder = board / "submissions/s-0000"
    (folder / RUNS).write_bytes(pack(with_texts(row(SMALL, 1, 0.6))))
    adopt(folder)
    return folder


def test_texts_must_be_disclosed(board: Path, submission: Path) -> None:
    (fault,) = validate(submission, read(board)).faults
    assert fault.fault.field == "league"
    assert fault.fault.reason.startswith("league is S, but CoOp")
    assert fault.fault.reason.endswith("is known to be of T; its runs read class texts: disclose language_model_texts")


def test_they_stand_in_a_setting_of_their_own(board: Path, submission: Path) -> None:
    def disclose(fields: dict[str, object]) -> None:
        fields["disclosures"]["language_model_texts"] = True  # type: ignore[index]
        fields["league"] = "T"

    edit(submission, disclose)
    assert validate(submission, read(board)).faults == ()
    assert {(row["setting"], row["rank"], row["submission"]) for row in of_folder(board, "made")["rows"]} == {
        ("BaseToNew, shapes", 1, "s-0001"),
        ("BaseToNew, shapes, league T, texts mine.json (abababab)", 1, "s-0000"),
    }


def test_a_row_with_texts_is_chosen_by_their_name(board: Path, tmp_path: Path) -> None:
    runs = row(SMALL, 1, 0.6)
    for run in (*runs, *with_texts(runs)):
        Store(tmp_path / "runs").save(run.result)
    for label, texts in (("CoOp", None), ("CoOp, texts mine.json (abababab)", TEXTS)):
        chosen = chosen_runs(tmp_path / "runs", read(board), label, per_data_settings=False)
        assert {run.result.spec.texts for run in chosen} == {texts}
