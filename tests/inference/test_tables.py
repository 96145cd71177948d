"""Finished runs as tables for pandas and polars."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from depthub.errors import DepthubError
from depthub.protocol import Count
from depthub.records.collection import Results, results
from depthub.records.result import RunResult
from depthub.spec import Component, RunSpec
from tests.finished import KINDS, Finished
from tests.models import COLOURS


@pytest.mark.parametrize("backend", ["pandas", "polars"])
def test_tables(backend: Any, finished: Finished) -> None:
    runs = results(finished.runs)
    assert len(runs) == len(KINDS)
    scores = runs.to_dataframe(backend)
    columns = {name: list(scores[name]) for name in scores.columns}
    assert columns["run_id"] == [run.spec.run_id for run in runs]
    assert columns["score.H"] == [run.scores["H"] for run in runs]
    assert columns["headline"] == ["H"] * 4
    assert list(scores.columns)[:7] == ["run_id", "method", "head", "protocol", "data", "shots", "seed"]
    depth = dict(zip(columns["method"], columns["method.depth"], strict=True))
    assert depth["MaPLe"] == 2
    assert str(depth["CoOp"]) in ("None", "<NA>")
    assert dict(zip(columns["method"], columns["head.balance"], strict=True))["CoOp"] == 0.7
    tasks = runs.to_dataframe(backend, what="tasks")
    assert len(tasks) == 8
    assert sum(tasks["n_correct"]) == sum(count.n_correct for run in runs for count in run.counts.values())
    classes = runs.to_dataframe(backend, what="classes")
    assert len(classes) == 20
    assert sum(classes["n_correct"]) == sum(tasks["n_correct"])
    assert set(classes["class"]) == set(COLOURS)
    assert list(results([]).to_dataframe(backend).columns) == list(scores.columns)[:7]


@pytest.mark.parametrize("backend", ["pandas", "polars"])
def test_columns_of_several_types_are_json(backend: Any) -> None:
    values = (1, "one", None, [1, 2], True)
    runs = [RunResult(RunSpec(Component("A", {"x": value, "y": n})), {"t": Count(1, 2)}, {"s": 50}) for n, value in enumerate(values)]
    table = results(runs).to_dataframe(backend)
    written = list(table["method.x"])
    assert [json.loads(one) for one in written if isinstance(one, str)] == [1, "one", [1, 2], True]
    assert list(table["method.y"]) == [0, 1, 2, 3, 4]
    assert list(table["score.s"]) == [50.0] * 5


def test_a_library_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(DepthubError, match=r"polars is not installed; pip install 'depthub\[dataframe\]'"):
        results([]).to_dataframe("polars")
    with pytest.raises(DepthubError, match="expected one of scores, tasks, classes; did you mean 'scores'"):
        results([]).to_dataframe(what="score")  # type: ignore[arg-type]
    with pytest.raises(DepthubError, match="expected one of pandas, polars"):
        results([]).to_dataframe("panda")  # type: ignore[arg-type]


def test_a_bad_file_is_left_out_with_a_warning(finished: Finished, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(finished.runs, tmp_path / "runs"))
    (folder / "bad").mkdir()
    (folder / "bad" / "run.json").write_text("{")
    with pytest.warns(UserWarning, match="left out: .*bad/run.json"):
        runs = results(folder)
    assert (len(runs), len(runs.left_out)) == (4, 1)
    assert isinstance(results(runs), Results)
    assert [run.spec.run_id for run in results(str(finished.folder("CoOp")))] == [finished.run_id("CoOp")]
    assert len(results(finished.results["CoOp"])) == 1  # type: ignore[arg-type]
    for wrong in (3, [finished.runs]):
        with pytest.raises(DepthubError, match="expected results, or the path of a folder of runs"):
            results(wrong)  # type: ignore[arg-type]
    with pytest.raises(DepthubError, match="no folder"):
        results(tmp_path / "none")
