"""`depthub leaderboard build`: the same bytes again, and past runs that cannot be used."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from depthub.boards import board, of_folder
from depthub.cli import main
from depthub.records import schema
from depthub.records.store import Store
from tests.boards.runs import result, saved, spoil, three


def test_the_command_writes_the_same_bytes_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for document in three():
        Store(tmp_path / "runs").save(document)
    arguments = ["leaderboard", "build", str(tmp_path / "runs"), "--title", "A | B"]
    for out in ("one", "two"):
        assert main([*arguments, "--out", str(tmp_path / out)]) == 0
    for name in ("leaderboard.json", "leaderboard.md"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    schema.validate(json.loads((tmp_path / "one/leaderboard.json").read_text()), "leaderboard", "it")
    assert "3 rows" in capsys.readouterr().out


def test_faults_of_the_command_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    path = Store(tmp_path / "damaged").save(result("CoOp"))
    path.write_text(path.read_text()[:100])
    for name, reason in (("none", "no folder"), ("empty", "no run files"), ("damaged", "not JSON")):
        assert main(["leaderboard", "build", str(tmp_path / name), "--out", str(tmp_path / "out")]) == 2
        error = capsys.readouterr().err
        assert reason in error
        assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_leaderboards_do_without_torch() -> None:
    program = "import sys; from depthub.cli.commands import leaderboard, quickstart; leaderboard.parser(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_bad_files_are_named_and_the_rest_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = saved(tmp_path / "private" / "runs", three())
    names = spoil(runs)
    assert main(["leaderboard", "build", str(runs), "--out", str(tmp_path / "out")]) == 0
    warnings = capsys.readouterr().err.splitlines()
    assert [line.startswith("depthub: warning: left out: ") for line in warnings] == [True] * 5
    assert all(any(name in line for line in warnings) for name in names)
    document = json.loads((tmp_path / "out/leaderboard.json").read_text())
    assert sorted(entry["file"] for entry in document["left_out"]) == sorted(names)
    assert sum(len(row["runs"]) for row in document["rows"]) == len(three()) - 4
    text = (tmp_path / "out/leaderboard.md").read_text()
    assert "5 runs are there and cannot be used" in text
    assert all(name in text for name in names)
    assert str(tmp_path) not in text + json.dumps(document)


def test_relative_folders_are_no_exception(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = spoil(saved(tmp_path, three()))
    monkeypatch.chdir(tmp_path)
    assert sorted(entry["file"] for entry in of_folder(Path(), "")["left_out"]) == sorted(names)


def test_where_nothing_can_be_used_there_is_no_board(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = saved(tmp_path / "runs", [result("CoOp", seed=s) for s in (1, 2, 3, 4)])
    spoil(runs)
    assert main(["leaderboard", "build", str(runs), "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert "none of 5 runs" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_superseded_results_are_not_looked_at(tmp_path: Path) -> None:
    runs = saved(tmp_path, three())
    expected = of_folder(runs, "")
    for folder in list(runs.iterdir()):
        shutil.copytree(folder, folder / "earlier-1")
        (folder / "earlier-1/run.json").write_text("damaged")
    assert of_folder(runs, "") == expected


def test_a_run_twice_is_refused_or_left_out(tmp_path: Path) -> None:
    runs = saved(tmp_path, three())
    folder = sorted(runs.iterdir())[0]
    shutil.copytree(folder, runs / "copy")
    document = of_folder(runs, "")
    assert [entry["file"] for entry in document["left_out"]] == ["copy"]
    assert document["rows"] == board(three())["rows"]


def test_a_board_of_packed_runs_names_damaged_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = saved(tmp_path / "private" / "runs", three())
    assert main(["leaderboard", "build", str(runs), "--pack", "--out", str(tmp_path / "board")]) == 0
    assert sorted(path.name for path in (tmp_path / "board/runs").iterdir()) == ["CoOp+DePT.jsonl", "CoOp.jsonl", "ZeroShot.jsonl"]
    expected = of_folder(runs, "")
    for place in (tmp_path / "board", tmp_path / "board/runs"):
        assert of_folder(place, "") == expected
    file = tmp_path / "board/runs/CoOp.jsonl"
    assert [row["label"] for row in of_folder(file, "")["rows"]] == ["CoOp"]
    content = file.read_text().splitlines(keepends=True)
    file.write_text("".join([*content[:3], content[3].replace('"train_s":1.0', '"train_s":2.0'), *content[4:]]))
    (entry,) = of_folder(tmp_path / "board", "")["left_out"]
    assert entry["file"] == "CoOp.jsonl, line 4"
    assert entry["reason"].startswith("CoOp.jsonl, line 4: sha256 is not the digest of the content")
    (entry,) = of_folder(file, "")["left_out"]
    assert entry["file"] == "CoOp.jsonl, line 4"
    file.write_text("".join(content[1:]))
    (entry,) = of_folder(tmp_path / "board/runs", "")["left_out"]
    assert entry["file"] == "CoOp.jsonl, line 1"
    assert "not a packed document (kind is 'run')" in entry["reason"]
    assert str(tmp_path) not in json.dumps(of_folder(tmp_path / "board", ""))
