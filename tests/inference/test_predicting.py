"""`depthub predict`, and runs by the beginning of their ids."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from depthub.errors import DepthubError
from depthub.records.store import Store
from tests.finished import Finished


def test_predict_names_the_broken_picture_and_goes_on(finished: Finished, call: Any, tmp_path: Path) -> None:
    shutil.copytree(finished.pictures / "test", tmp_path / "all")
    (tmp_path / "all/red/broken.png").write_bytes(b"not a picture")
    (tmp_path / "all/notes.txt").write_text("no picture either")
    (tmp_path / "all/back").symlink_to(tmp_path / "all", target_is_directory=True)
    status, out, err = call("predict", finished.run_id("CoOp")[:6], tmp_path / "all", "--json", "--top", "2", "--task", "base")
    report = json.loads(out)
    assert status == 2
    assert err.count("\n") == 1
    assert "broken.png" in err
    assert [Path(one["path"]).name for one in report["failed"]] == ["broken.png"]
    names = finished.results["CoOp"].tasks["base"].classes.names
    assert report["classes"] == list(names)
    classified = finished.load("CoOp").classify([Path(one["path"]) for one in report["images"]], task="base")
    assert len(report["images"]) == 25
    assert [[(b["class"], b["probability"]) for b in one["best"]] for one in report["images"]] == [
        [(name, pytest.approx(value)) for name, value in row] for row in classified.best(2)
    ]


def test_predict_as_a_table(finished: Finished, call: Any) -> None:
    path = finished.tested("MaPLe", "new")[0]
    status, out, err = call("predict", finished.folder("MaPLe") / "run.json", path, path, "--classes", "red", "[bold]striped[/bold]")
    assert (status, err) == (0, "")
    assert "probability" in out
    assert "0." in out
    best = finished.load("MaPLe").classify(path, ["red", "[bold]striped[/bold]"]).names[0]
    assert best in out
    assert out.count(best) == 1  # a file that is named twice is one


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        (["no-such-run", "x.png"], "no run 'no-such-run'"),
        (["", "x.png"], "no run ''"),
        (["{id}", "{empty}"], "holds no picture"),
        (["{id}", "{picture}", "--task", "nwe"], "unknown test task 'nwe'; did you mean 'new'"),
        (["{id}", "{picture}", "--classes", "red", "RED"], "have the same words"),
        (["{id}", "{picture}", "--top", "0"], "--top"),
        (["{id}"], "missing: IMAGES"),
    ],
)
def test_predict_refuses_in_one_line(args: list[str], reason: str, finished: Finished, call: Any, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    values = {"id": finished.run_id("CoOp")[:8], "empty": tmp_path / "empty", "picture": finished.tested("CoOp", "base")[0]}
    status, out, err = call("predict", *(arg.format(**values) for arg in args))
    assert (status, out) == (2, "")
    assert reason in err
    assert err.count("\n") == 1


def test_a_run_is_found_by_the_beginning_of_its_id(finished: Finished, tmp_path: Path) -> None:
    store = Store(finished.runs)
    one = finished.run_id("CoOp")
    assert store.named(one[:10]).folder == finished.folder("CoOp")
    assert store.named(str(finished.folder("CoOp"))).folder == finished.folder("CoOp")
    twins = Store(tmp_path)
    for name in ("abc1", "abc2", "d"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").touch()
    with pytest.raises(DepthubError, match=r"2 runs in .* begin with 'abc'"):
        twins.named("abc")
    for name in ("*", "abd", ""):
        with pytest.raises(DepthubError, match="no run"):
            twins.named(name)
