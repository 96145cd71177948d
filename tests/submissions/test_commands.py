"""From runs to a verified row by the commands, on runs that were really trained: the embedded board's own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks.submissions import write_board
from depthub.boards import load_board
from depthub.cli import main
from depthub.errors import DepthubError
from depthub.records.store import Store
from depthub.registry.allowed_imports import LOADED, plugins_of
from depthub.registry.distributions import plugin_entries
from depthub.registry.plugins import installed
from depthub.submissions.checking import FEW
from depthub.submissions.definition import read
from depthub.submissions.files import VERIFICATION
from depthub.submissions.packing import packed
from depthub.submissions.rows import DISCLOSURES
from depthub.submissions.signatures import Signers, sign
from depthub.submissions.validation import validate
from depthub.submissions.verification import within
from tests.submissions.conftest import SMALL
from tests.submissions.edits import edit

RUNS = Path(__file__).parents[2] / "leaderboards/shapes/runs"
DECLARATION = {
    "submitter": {"name": "Ada <b>", "contact": "@ada", "relationship": "author"},
    "method": {"name": "CoOp+DePT", "summary": "a head", "code_url": "https://example.org", "licence": "MIT", "paper": None},
    "disclosures": dict.fromkeys(DISCLOSURES, False),
    "claims": [{"where": "Table 2", "data": "average", "score": "H", "value": 70.0}],
}


@pytest.fixture(scope="module")
def submitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A board of zero-shot and CoOp runs with a submission of CoOp with DePT."""
    board = tmp_path_factory.mktemp("submitted") / "board"
    (board / "runs").mkdir(parents=True)
    for name in ("ZeroShot.jsonl", "CoOp.jsonl"):
        shutil.copy(RUNS / name, board / "runs")
    assert main(["leaderboard", "define", str(board / "runs"), "--out", str(board), "--name", "shapes", "--title", "Embedded"]) == 0
    declaration = board.with_name("dept.yaml")
    declaration.write_text(yaml.safe_dump(DECLARATION))
    command = ["submit", "pack", str(declaration), "--runs", str(RUNS), "--board", str(board), "--row", "CoOp + DePT"]
    assert main(command) == 0
    assert main(["leaderboard", "build", str(board), "--out", str(board)]) == 0
    return board


@pytest.fixture
def board(submitted: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(submitted, tmp_path / "board"))


def test_the_row_stands_on_the_board_as_its_runs_do(submitted: Path) -> None:
    rows = {row["label"]: row for row in load_board(submitted)["rows"]}
    assert {label: row["level"] for label, row in rows.items()} == dict.fromkeys(("CoOp + DePT", "CoOp", "ZeroShot"), "checked")
    assert rows["CoOp + DePT"]["submission"] == "dept"
    committed = {row["label"]: row for row in load_board(RUNS.parent)["rows"]}
    assert all(rows[label]["per_data"] == committed[label]["per_data"] for label in rows)
    assert load_board(submitted)["title"] == "Embedded"


def test_check_shows_the_place_and_the_claims(submitted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["submit", "check", str(submitted / "submissions/dept")]) == 0
    out = capsys.readouterr().out
    assert "dept is valid: 35 runs, every prediction counted" in out
    assert "rank 1 of 3" in out
    assert "70.00" in out
    assert main(["submit", "check", str(submitted / "submissions/dept"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"submission": "dept", "valid": True, "faults": []}


def test_diff_counts_images(submitted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["submit", "diff", str(submitted / "submissions/dept"), "--against", "CoOp"]) == 0
    out = capsys.readouterr().out
    assert "only second" in out
    assert main(["leaderboard", "diff", str(submitted), "dept", "CoOp"]) == 0
    assert "digits" in capsys.readouterr().out
    assert main(["submit", "diff", str(submitted / "submissions/dept"), "--against", "CoOpp"]) == 2
    assert "did you mean 'CoOp'" in capsys.readouterr().err


def test_declarations_that_cannot_be_right(submitted: Path, tmp_path: Path) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({**DECLARATION, "methd": {}}, "unknown key 'methd'; did you mean 'method'"),
        ({**DECLARATION, "disclosures": {}}, "disclosures lacks language_model_texts"),
        ({**DECLARATION, "disclosures": {**dict.fromkeys(DISCLOSURES, False), "teacher": None}}, "disclosures lacks teacher"),
        ({**DECLARATION, "submitter": {"name": ""}}, "submitter"),
        ({**DECLARATION, "method": {**DECLARATION["method"], "code_url": "http://x"}}, "method.code_url"),  # type: ignore[dict-item]
    ]
    for fields, words in cases:
        path = tmp_path / "mine.yaml"
        path.write_text(yaml.safe_dump(fields))
        with pytest.raises(DepthubError, match=words.replace("'", ".")):
            packed(path, RUNS, read(submitted), tmp_path / "out", "CoOp + DePT")
    assert not (tmp_path / "out").exists()


def test_the_template_asks_for_every_disclosure(submitted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["submit", "new", "my-row", "--board", str(submitted)]) == 0
    fields = yaml.safe_load(Path("my-row.yaml").read_text())
    assert {*fields["disclosures"]} - {"notes"} == {*DISCLOSURES}
    assert main(["submit", "new", "My Row", "--board", str(submitted)]) == 2
    assert main(["submit", "pack", "my-row.yaml", "--runs", str(RUNS), "--board", str(submitted)]) == 2


def test_runs_of_several_rows_need_a_choice(submitted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(DECLARATION))
    assert main(["submit", "pack", str(path), "--runs", str(RUNS), "--board", str(submitted)]) == 2
    assert "runs of 3 rows" in capsys.readouterr().err


def test_nothing_incomplete_is_written(board: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = (RUNS / "CoOp+DePT.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "some.jsonl").write_text("".join(lines[:-2]))
    shutil.rmtree(board / "submissions/dept")
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(DECLARATION))
    assert main(["submit", "pack", str(path), "--runs", str(tmp_path / "some.jsonl"), "--board", str(board)]) == 1
    assert capsys.readouterr().out.count("no runs of") == 2
    assert list((board / "submissions").iterdir()) == []


def test_runs_are_done_again_and_the_record_is_signed(board: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    folder = board / "submissions/dept"
    command = ["submit", "verify", str(folder), "--sample", "1", "--seed", "3", "--identity", "lab@example.org", "--key", str(key)]
    assert main([*command, "--runs", str(tmp_path / "again")]) in (0, 1)  # processors of other kinds add up in another order
    record = json.loads((folder / VERIFICATION).read_text())
    assert record["allowed"] == ["depthub"]
    assert {entry["run_id"] for entry in record["compared"]} <= {run.spec.run_id for run in Store(RUNS).results()}
    assert [str(fault) for fault in validate(folder, read(board), Signers(board / "allowed_signers")).faults] == [
        "verification.jsonl, line 1: signature: not a signature of lab@example.org over this record "
        "that the board's allowed_signers confirm"
    ]
    (board / "allowed_signers").write_text(f"lab@example.org {key.with_suffix('.pub').read_text()}")
    verdict = validate(folder, read(board), Signers(board / "allowed_signers"))
    assert verdict.valid
    assert main(["leaderboard", "build", str(board), "--out", str(board)]) == 0
    agrees = all(within(entry["submitted"], entry["reproduced"], entry["n_total"]) for entry in record["compared"])
    (row,) = (row for row in load_board(board)["rows"] if row.get("submission") == "dept")
    assert row["level"] == ("reproduced" if agrees else "checked")
    for change in ({"seed": 4}, {"by": "other@example.org"}, {"by": "@ada"}, {"submission_sha256": "0" * 64}):
        (folder / VERIFICATION).write_text(json.dumps({**record, **change}) + "\n")
        assert not validate(folder, read(board), Signers(board / "allowed_signers")).valid
    changed = json.loads(json.dumps(record))
    changed["compared"][0]["submitted"] += 1
    (folder / VERIFICATION).write_text(json.dumps(changed) + "\n")
    assert "compared[0]" in str(validate(folder, read(board), Signers(board / "allowed_signers")).faults[0])


def test_code_that_nobody_allowed_does_not_run(board: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from dataclasses import replace

    from depthub.submissions.sample import Sample

    verdict = validate(board / "submissions/dept", read(board))
    run = replace(verdict.results[0], provenance={"plugins": [{"distribution": "Somebodys_Method"}]})
    with pytest.raises(DepthubError, match="--allow somebodys-method"):
        Sample(replace(verdict, results=(run,)), (run,), 0).require_allowed(["depthub"])


def test_plugins_of_named_distributions_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LOADED, "before")
    with plugins_of(["Depthub_Third.Party-Example"]):
        assert os.environ[LOADED] == ",".join(entry.name for entry in plugin_entries() if "third" in entry.distribution)
        assert os.environ[LOADED]
    assert os.environ[LOADED] == "before"
    with plugins_of([]):
        assert os.environ[LOADED] == ""


def test_around_such_a_block_the_process_has_all_its_plugins() -> None:
    assert "VisualPrompts" in installed().names("methods")
    with plugins_of([]):
        assert "VisualPrompts" not in installed().names("methods")
    assert "VisualPrompts" in installed().names("methods")


def test_a_row_of_many_submissions_has_its_predictions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_board(tmp_path, SMALL, FEW + 1)
    assert main(["leaderboard", "build", str(tmp_path), "--out", str(tmp_path)]) == 0
    assert main(["leaderboard", "diff", str(tmp_path), "s-0000", "s-0001"]) == 0
    assert "set00" in capsys.readouterr().out


def test_imports_of_named_distributions_alone() -> None:
    """In a process of its own: what is imported here already would be found."""
    program = """
import importlib.util
from depthub.registry import allowed_imports
with allowed_imports.only(["depthub"]):
    import torch, depthub_coop, json
    assert importlib.util.find_spec("pytest") is None
    try:
        import hypothesis
    except ModuleNotFoundError:
        pass
    else:
        raise SystemExit("imported")
import hypothesis
with allowed_imports.only(["depthub", "pytest"]):
    assert importlib.util.find_spec("pytest")
"""
    import sys

    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_missing_key_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DepthubError, match="cannot sign with"):
        sign(b"text", tmp_path / "none")


def test_the_tolerance_is_half_a_point_or_twice_the_standard_error() -> None:
    assert within(500, 505, 1000)  # half a point
    assert within(50, 63, 100)  # 13 points; 2 * sqrt(0.5 * 0.5 / 100 + 0.63 * 0.37 / 100) = 13.9
    assert not within(50, 65, 100)  # 15 points; 13.8
    assert not within(50_000, 50_600, 100_000)  # 0.6 points; 0.45


def test_the_comment_gives_place_or_faults(board: Path, submitted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["leaderboard", "validate", str(board), "--form", "markdown"]) == 0
    out = capsys.readouterr().out
    assert "**dept** (CoOp+DePT) is valid: 35 runs counted again." in out
    assert "rank 1 of 3" in out
    assert main(["leaderboard", "validate", str(board), "--before", str(submitted), "--form", "markdown"]) == 0
    assert "No new submissions" in capsys.readouterr().out
    edit(board / "submissions/dept", lambda fields: fields.update(board="<img src=x>"))
    assert main(["leaderboard", "validate", str(board), "--before", str(submitted), "--form", "markdown"]) == 1
    out = capsys.readouterr().out
    assert "was merged and is changed" in out
    assert "<img" not in out
