"""`depthub runs list`, `show` and `diff`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import depthub
from depthub.boards.packing import pack_runs
from depthub.errors import DepthubError
from depthub.protocol import Count, Summary
from depthub.records.collection import results
from depthub.records.comparison import compare
from depthub.records.document import read
from depthub.records.result import RunResult
from depthub.records.store import Store
from depthub.spec import Component, DataSpec, RunSpec, Training
from depthub.types import ClassSet
from tests.finished import KINDS, TASKS, Finished


def test_runs_are_listed_and_bad_files_named(finished: Finished, call: Any, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(finished.runs, tmp_path / "runs"))
    (folder / "bad").mkdir()
    (folder / "bad" / "run.json").write_text("{")
    os.mkfifo(folder / "bad2")
    (folder / "bad3").mkdir()
    os.mkfifo(folder / "bad3" / "run.json")
    status, out, err = call("runs list", folder, "--json", where=False)
    rows = json.loads(out)
    assert status == 0
    assert {row["run_id"] for row in rows} == {result.spec.run_id for result in finished.results.values()}
    assert all(row["value"] == pytest.approx(finished.results[row["method"]].scores["H"]) for row in rows)
    assert err.count("\n") == 2
    assert "bad/run.json" in err
    assert "a named pipe" in err
    _, out, _ = call("runs list", folder, "--method", "CoOp", where=False)
    assert finished.run_id("CoOp")[:12] in out
    assert finished.run_id("MaPLe")[:12] not in out
    status, out, err = call("runs list", folder, "--data", "tones", where=False)
    assert (status, out) == (1, "")
    assert "no such run" in err
    status, _, err = call("runs list", tmp_path / "nowhere", where=False)
    assert status == 2
    assert "no folder" in err


def test_show_says_what_a_reader_needs(finished: Finished, call: Any) -> None:
    result = finished.results["CoOp"]
    status, out, _ = call("runs show", finished.run_id("CoOp")[:9], "--runs", finished.runs, where=False)
    assert status == 0
    for part in (
        result.spec.run_id,
        "method.n_ctx",
        "head.balance",
        "training.lr",
        "H",
        "worst first",
        "params_trainable",
        "torch",
    ):
        assert part in out
    _, out, _ = call("runs show", finished.folder("CoOp"), "--json", where=False)
    report = json.loads(out)
    assert report["scores"] == pytest.approx(dict(result.scores))
    for task in TASKS:
        accuracies = [row["accuracy"] for row in report["tasks"][task]["classes"]]
        assert accuracies == sorted(accuracies)
        assert sum(row["n_correct"] for row in report["tasks"][task]["classes"]) == result.counts[task].n_correct
    assert report["spec"] == result.spec.without_places().as_dict()


def test_diff_compares_settings_counts_and_images(finished: Finished, call: Any) -> None:
    one, other = finished.results["CoOp"], finished.results["MaPLe"]
    status, out, _ = call("runs diff", finished.folder("CoOp"), finished.folder("MaPLe"), "--json", where=False)
    report = json.loads(out)
    assert status == 0
    assert report["settings"]["method"] == ["CoOp", "MaPLe"]
    assert report["settings"]["method.n_ctx"] == [4, 2]
    assert report["settings"]["method.depth"] == [None, 2]
    assert "training.lr" not in report["settings"]
    for task in TASKS:
        right = [run.predictions[task].predicted == run.predictions[task].labels for run in (one, other)]
        table = report["mcnemar"][task]
        assert table == {
            "both": int((right[0] & right[1]).sum()),
            "first": int((right[0] & ~right[1]).sum()),
            "second": int((~right[0] & right[1]).sum()),
            "neither": int((~right[0] & ~right[1]).sum()),
        }
        assert report["counts"][task][0] == [one.counts[task].n_correct, one.counts[task].n_total]
        assert table["both"] + table["first"] == one.counts[task].n_correct
    _, out, _ = call("runs diff", finished.folder("CoOp"), finished.folder("MaPLe"), where=False)
    assert "both right" in out
    assert "settings that differ" in out


def test_runs_on_other_images_have_no_common_table(finished: Finished, tmp_path: Path) -> None:
    result = depthub.run(RunSpec(Component("ZeroShot"), data=DataSpec("tones"), backbone=finished.backbone, shots=1), runs=tmp_path)
    compared = compare(finished.results["ZeroShot"], result)
    assert compared.mcnemar == {}
    assert compared.settings["data.name"] == ("folder:pictures", "tones")
    same = compare(result, read(tmp_path / result.spec.run_id))
    assert (same.settings, same.inputs) == ({}, {})


def test_an_edited_prediction_is_refused_by_show_and_diff(finished: Finished, call: Any, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(finished.folder("CoOp"), tmp_path / "copy"))
    content = bytearray((folder / "predictions.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "predictions.safetensors").write_bytes(content)
    for command in (f"runs show {folder}", f"runs diff {folder} {finished.folder('CoOp')}"):
        status, out, err = call(command, where=False)
        assert (status, out) == (2, "")
        assert "predictions.safetensors is not the file" in err


def test_names_of_others_are_shown_and_not_obeyed(call: Any, tmp_path: Path) -> None:
    evil = "[red]a\x1b[31mb\u202e\nc"
    classes = ClassSet(evil, (0, 1), (evil, "plain"))
    spec = RunSpec(Component(evil, {evil: evil}), protocol=Component(evil), data=DataSpec(evil), training=Training())
    result = RunResult(
        spec,
        {evil: Count(1, 2, ((1, 1, 1), (0, 1, 1)))},
        {evil: 50.0},
        warnings=(evil,),
        summary=Summary(evil),
        tasks={evil: depthub.TestedTask(classes, (), "0" * 64)},
    )
    path = Store(tmp_path).save(result)
    for command in (f"runs list {tmp_path}", f"runs show {path}", f"runs diff {path} {path}"):
        status, out, _ = call(command, where=False)
        assert status == 0
        assert "\x1b" not in out
        assert "\u202e" not in out
        assert "[red]a" in out


def test_reading_needs_no_torch(finished: Finished) -> None:
    """The library and the commands that only read."""
    folder = finished.folder("CoOp")
    programs = [
        f"import depthub; r = depthub.read({str(folder)!r}); r.confusion('base'); depthub.results({str(finished.runs)!r}); depthub.Store",
        *(
            f"from depthub.cli import main; assert main({command!r}) == 0"
            for command in (["runs", "list", str(finished.runs)], ["runs", "show", str(folder)], ["runs", "diff", str(folder), str(folder)])
        ),
    ]
    for program in programs:
        subprocess.run(
            [sys.executable, "-c", f"{program}\nimport sys; assert 'torch' not in sys.modules"], check=True, stdout=subprocess.DEVNULL
        )


def test_packed_runs_are_listed_shown_and_compared(finished: Finished, call: Any, tmp_path: Path) -> None:
    pack_runs(finished.runs, tmp_path / "packed")
    status, out, _ = call("runs list", tmp_path / "packed", "--json", where=False)
    rows = json.loads(out)
    assert status == 0
    assert {row["run_id"]: row["value"] for row in rows} == {run.spec.run_id: run.scores["H"] for run in finished.results.values()}
    assert {(row["folder"], row["written"]) for row in rows} == {(None, None)}
    _, out, _ = call("runs list", tmp_path / "packed", where=False)
    assert out.count("packed") == len(KINDS)
    one, other = (finished.run_id(method)[:12] for method in ("CoOp", "MaPLe"))
    for command in (f"runs show {one}", f"runs diff {one} {other}"):
        from_folders, from_packed = (
            json.loads(call(command, "--json", "--runs", place, where=False)[1]) for place in (finished.runs, tmp_path / "packed")
        )
        assert from_packed == (from_folders | {"folder": None} if "show" in command else from_folders)
    with pytest.raises(DepthubError, match="no folder with its tuned parameters, as packed runs have none"):
        depthub.load(results(tmp_path / "packed")[0])
