"""Every rule that a schema cannot hold: what is changed, and where the fault is."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.submissions import row
from depthub.cli import main
from depthub.records.document import StoredRun
from depthub.records.packed import pack
from depthub.submissions.board import of_folder
from depthub.submissions.checking import verdicts
from depthub.submissions.definition import read
from depthub.submissions.files import RUNS, SUBMISSION
from depthub.submissions.validation import validate
from tests.submissions.conftest import SMALL
from tests.submissions.edits import adopt, edit, edit_run

Change = Callable[[dict[str, Any]], Any]


def faults(board: Path, name: str = "s-0000") -> list[tuple[str, str, str]]:
    """(file, field, reason) of each fault of a submission."""
    verdict = validate(board / "submissions" / name, read(board))
    return [(fault.file, fault.fault.field, fault.fault.reason) for fault in verdict.faults]


def test_the_untouched_submission_is_valid_and_levels_follow(board: Path) -> None:
    assert faults(board) == []
    document = of_folder(board, "made")
    assert sorted((row["submission"], row["level"], row["league"], row["complete"]) for row in document["rows"]) == [
        (name, "checked", "S", True) for name in ("s-0000", "s-0001")
    ]


def count(fields: dict[str, Any]) -> None:
    """One more correct image, consistently but for the predictions."""
    measured = fields["measurements"][0]
    measured["n_correct"] += 1
    measured["value"] = 100 * measured["n_correct"] / measured["n_total"]
    row = next(row for row in measured["per_class"] if row[0] < min(row[1:]))
    row[0] += 1
    base, new = (fields["measurements"][place]["value"] for place in (0, 1))
    fields["scores"] = {"base": base, "new": new, "H": 2 * base * new / (base + new)}


@pytest.mark.parametrize("forged", [True, False])
@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        (count, "", "predictions"),
        (lambda run: run["measurements"][0].update(value=99.0), "measurements[0]", "value is 99.0"),
        (lambda run: run["scores"].update(H=99.0), "scores", "scores"),
        (lambda run: run["spec"].update(seed=7), "run_id", "run_id is not the digest"),
        (lambda run: run.update(run_id="0" * 64), "run_id", "run_id is not the digest"),
        (lambda run: run.update(samples=0, unexpected=1), "", "unexpected"),
        (lambda run: run["top1"]["predicted"].update(base="AAAA"), "", "sha256 is not the digest of predictions"),
    ],
)
def test_an_edited_run_is_refused(board: Path, change: Change, field: str, words: str, forged: bool) -> None:
    if change is count and not forged:
        words = "sha256"  # which is noticed before the predictions are counted
        field = words
    edit_run(board / "submissions/s-0000", 1, change, forged=forged)
    listed = [fault for fault in faults(board) if fault[0] == f"{RUNS}, line 3"]
    assert any(at == field and words in reason for _, at, reason in listed), faults(board)


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        (lambda fields: fields["aggregates"]["average"]["H"].update(mean=99.9), "aggregates.average", "H.mean is 99.9"),
        (lambda fields: fields.update(id="other"), "id", "the folder's name"),
        (lambda fields: fields.update(board="other"), "board", "this is 'made'"),
        (lambda fields: fields.update(league="U"), "league", "the disclosures put the row into S"),
        (lambda fields: fields["disclosures"].update(teacher=True), "league", "the disclosures put the row into U"),
        (lambda fields: fields.update(supersedes="s-0000"), "supersedes", "cannot supersede itself"),
        (lambda fields: fields["runs"].update(bytes=1), "runs.bytes", "has"),
        (lambda fields: fields["method"].update(code_url="javascript:alert(1)"), "method.code_url", "does not match"),
        (lambda fields: fields.update(licence="MIT"), "licence", "CC-BY-4.0"),
        (lambda fields: fields.update(created="today"), "created", "does not match"),
        (lambda fields: fields.pop("claims"), "", "claims"),
    ],
)
def test_an_edited_document_is_refused(board: Path, change: Change, field: str, words: str) -> None:
    edit(board / "submissions/s-0000", change)
    assert any(file == SUBMISSION and at == field and words in reason for file, at, reason in faults(board)), faults(board)


def test_without_a_new_digest_every_edit_shows(board: Path) -> None:
    edit(board / "submissions/s-0000", lambda fields: fields["submitter"].update(name="Somebody else"), forged=False)
    assert faults(board) == [
        (SUBMISSION, "sha256", "sha256 is not the digest of the content; the file was edited, pack the submission again")
    ]


def test_all_faults_are_listed(board: Path) -> None:
    folder = board / "submissions/s-0000"
    edit_run(folder, 0, lambda run: run["measurements"][0].update(value=1.0))
    edit_run(folder, 2, lambda run: run["scores"].update(H=1.0))
    edit(folder, lambda fields: fields.update(board="x-y", league="T"))
    assert {(file, field) for file, field, _ in faults(board)} >= {
        (f"{RUNS}, line 2", "measurements[0]"),
        (f"{RUNS}, line 4", "scores"),
        (SUBMISSION, "board"),
        (SUBMISSION, "league"),
    }


def test_cells_are_all_there_and_no_others(board: Path) -> None:
    folder = board / "submissions/s-0000"
    header, *lines = (folder / RUNS).read_text().splitlines()
    (folder / RUNS).write_text("\n".join([header, *lines[1:], lines[1]]) + "\n")
    adopt(folder)
    reasons = [reason for _, _, reason in faults(board)]
    assert any("no runs of set0" in reason for reason in reasons)
    assert any("2 runs of set0" in reason for reason in reasons)


def test_runs_of_another_board_are_refused(board: Path) -> None:
    definition = json.loads((board / "definition.json").read_text())
    definition["shots"] = 4
    definition["cells"][0]["tests"]["base"]["images_sha256"] = "0" * 64
    definition["cells"][1]["samples"]["base"] = "0" * 64
    definition["cells"][2]["tests"]["new"]["labels_sha256"] = "0" * 64
    (board / "definition.json").write_text(json.dumps(definition))
    reasons = {(field, reason) for _, field, reason in faults(board)}
    assert ("spec.shots", "spec.shots is 2, the board's is 4") in reasons
    assert ("measurements", "task 'base': test images other than the board has") in reasons
    assert ("samples", "task 'base': the few-shot sample is not the board's") in reasons
    assert ("measurements", "task 'new': labels other than the board has") in reasons


def test_one_recipe_or_one_for_each_data_set(board: Path) -> None:
    folder = board / "submissions/s-0000"
    one, other = ({_cell(run): run for run in row(SMALL, number, 0.6)} for number in (1, 2))
    cells = sorted(one)
    for exchanged, reasons in ((cells[:1], ["settings differ between seeds of one data set"]), (cells[:2], [])):
        (folder / RUNS).write_bytes(pack([(other if cell in exchanged else one)[cell] for cell in cells]))
        adopt(folder)
        edit(folder, lambda fields: fields["disclosures"].update(per_data_settings=False))
        assert (RUNS, "spec", "2 recipes; expected one, or disclosures.per_data_settings") in faults(board)
        edit(folder, lambda fields: fields["disclosures"].update(per_data_settings=True))
        assert [reason for _, field, reason in faults(board) if field == "spec"] == reasons


def _cell(run: StoredRun) -> tuple[str, int]:
    return run.result.spec.data.name, run.result.spec.seed


@pytest.mark.parametrize("kind", ["link", "folder", "extra", "nested", "huge", "pipe", "missing"])
def test_path_tricks_are_refused(board: Path, kind: str) -> None:
    folder = board / "submissions/s-0000"
    secret = board / "secret.json"
    secret.write_text((folder / SUBMISSION).read_text())
    if kind == "link":
        (folder / SUBMISSION).unlink()
        (folder / SUBMISSION).symlink_to(secret)
    elif kind == "folder":
        target = board / "elsewhere"
        shutil.move(folder, target)
        folder.symlink_to(target)
    elif kind == "extra":
        (folder / "setup.py").write_text("raise SystemExit")
    elif kind == "nested":
        (folder / "runs/deep").mkdir(parents=True)
    elif kind == "huge":
        os.truncate(folder / SUBMISSION, 2**30)
    elif kind == "pipe":
        (folder / RUNS).unlink()
        os.mkfifo(folder / RUNS)
    else:
        (folder / RUNS).unlink()
    (verdict,) = (verdict for verdict in verdicts(board) if verdict.name == "s-0000")
    assert not verdict.valid
    assert not verdict.results


def test_a_run_stands_once(board: Path) -> None:
    copy = board / "submissions/s-0002"
    shutil.copytree(board / "submissions/s-0000", copy)
    edit(copy, lambda fields: fields.update(id="s-0002"))
    by_name = {verdict.name: verdict for verdict in verdicts(board)}
    assert by_name["s-0000"].valid
    assert not by_name["s-0002"].valid
    assert "is there already, in s-0000" in str(by_name["s-0002"].faults[0])
    edit(copy, lambda fields: fields.update(supersedes="s-0000"))
    assert all(verdict.valid for verdict in verdicts(board))
    assert sorted(row["submission"] for row in of_folder(board, "made")["rows"]) == ["s-0001", "s-0002"]


def test_nothing_merged_changes(board: Path, made_board: Path) -> None:
    def reasons() -> dict[str, list[str]]:
        return {verdict.name: [str(fault) for fault in verdict.faults] for verdict in verdicts(board, before=made_board)}

    assert reasons() == {"s-0000": [], "s-0001": []}
    edit(board / "submissions/s-0000", lambda fields: fields["submitter"].update(name="Thief"))
    shutil.rmtree(board / "submissions/s-0001")
    changed = reasons()
    assert "was merged and is changed" in changed["s-0000"][0]
    assert "is missing" in changed["s-0001"][0]


def test_nobody_supersedes_others_or_takes_their_runs(board: Path, made_board: Path) -> None:
    copy = board / "submissions/a-thief"
    shutil.copytree(board / "submissions/s-0000", copy)
    edit(copy, lambda fields: (fields.update(id="a-thief", supersedes="s-0000"), fields["submitter"].update(contact="@thief")))
    by_name = {verdict.name: [str(fault) for fault in verdict.faults] for verdict in verdicts(board, before=made_board)}
    assert by_name["a-thief"] == ["submission.json: supersedes: 's-0000' is a submission by somebody else"]
    edit(copy, lambda fields: fields.update(supersedes=None))
    by_name = {verdict.name: [str(fault) for fault in verdict.faults] for verdict in verdicts(board, before=made_board)}
    assert by_name["s-0000"] == []  # merged before, although its name comes later
    assert "is there already, in s-0000" in by_name["a-thief"][0]


@pytest.mark.parametrize("name", ["definition.json", "allowed_signers", "runs/mine.jsonl"])
def test_a_submission_changes_nothing_of_the_board(board: Path, made_board: Path, name: str) -> None:
    (board / name).parent.mkdir(exist_ok=True)
    with (board / name).open("a") as file:
        file.write(" ")
    faults = {verdict.name: [str(fault) for fault in verdict.faults] for verdict in verdicts(board, before=made_board)}
    assert faults["(board)"] == [f"{name}: is not as it was merged; those who keep the board change it, not a submission"]


def test_a_withdrawn_row_leaves_the_board(board: Path, made_board: Path) -> None:
    edit(board / "submissions/s-0000", lambda fields: fields.update(withdrawn="a fault in the code"))
    assert all(verdict.valid for verdict in verdicts(board, before=made_board))
    assert [row["submission"] for row in of_folder(board, "made")["rows"]] == ["s-0001"]


def test_an_invalid_submission_is_left_out_and_named(board: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(board / "submissions/s-0000", lambda fields: fields.update(board="other"))
    document = of_folder(board, "made")
    assert [row["submission"] for row in document["rows"]] == ["s-0001"]
    assert document["left_out"][0]["file"] == "submissions/s-0000"
    assert main(["leaderboard", "validate", str(board)]) == 1
    assert "s-0001: valid" in capsys.readouterr().out


def test_leagues_are_ranked_apart(board: Path) -> None:
    def teach(fields: dict[str, Any]) -> None:
        fields["disclosures"]["teacher"] = True
        fields["league"] = "U"

    edit(board / "submissions/s-0000", teach)
    document = of_folder(board, "made")
    assert {(row["setting"], row["rank"], tuple(row["disclosures"])) for row in document["rows"]} == {
        ("BaseToNew, shapes", 1, ()),
        ("BaseToNew, shapes, league U", 1, ("teacher",)),
    }


def test_validation_loads_no_torch(board: Path) -> None:
    import subprocess
    import sys

    program = "import sys; from depthub.cli import main; assert main(sys.argv[1:]) == 0; assert 'torch' not in sys.modules"
    for command in (["leaderboard", "validate", str(board)], ["submit", "check", str(board / "submissions/s-0000")]):
        subprocess.run([sys.executable, "-c", program, *command], check=True)
