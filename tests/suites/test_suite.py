"""Suites and boards as data: grids, rows, controls, and what is wrong in a file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

import depthub
from depthub.errors import DepthubError
from depthub.registry.plugins import installed
from depthub.running.resolving import Resolver
from depthub.spec import Component, RunSpec
from depthub.suites import grid
from depthub.suites.forecast import Forecast
from depthub.suites.operations import counter
from depthub.suites.reading import read_board, read_suite, shipped

SUITE = """
board:
  protocol: BaseToNew
  data: [tones, weaves]
  seeds: [1, 2]
  cuts: [published, 7]
  reference: [{method: ZeroShot}]
rows:
  - method: [{name: CoOp, n_ctx: [2, 4]}, KgCoOp]
    head: [ITM, {name: DePT, cat: [CAT, SharedCAT]}]
    training: {epochs: [1, 2]}
controls: true
exclude:
  - {method: KgCoOp, data: weaves}
"""


def written(folder: Path, text: str) -> str:
    path = folder / "mine.yaml"
    path.write_text(text)
    return str(path)


def test_a_suite_is_every_combination_once(tmp_path: Path) -> None:
    suite = read_suite(written(tmp_path, SUITE))
    # zero-shot; 3 methods x 2 epochs x (ITM, DePT with 2 CATs, and their common control)
    assert len(suite.all_rows()) == 1 + 3 * 2 * 4
    specs = suite.specs()
    # 2 cuts x 2 seeds on each of 2 data sets, KgCoOp on one of them only
    assert len(specs) == 4 * (2 + 2 * (2 * 2 * 4) + 1 * (2 * 4))
    assert len({spec.run_id for spec in specs}) == len(specs)
    assert {spec.protocol for spec in specs} == {Component("BaseToNew"), Component("BaseToNew", {"cut": 7})}
    assert {spec.head.settings.get("balance") for spec in specs if spec.head.name == "DePT"} == {None, 0.0}
    assert [spec.data.name for spec in specs] == sorted(spec.data.name for spec in specs)
    assert {spec.training.epochs for spec in specs if spec.training and spec.method.name != "ZeroShot"} == {1, 2}


def test_samples_are_crossed_with_seeds(tmp_path: Path) -> None:
    suite = read_suite(written(tmp_path, SUITE.replace("cuts: [published, 7]", "samples: [1, 5]")))
    zero = [spec for spec in suite.specs() if spec.method.name == "ZeroShot" and spec.data.name == "tones"]
    assert sorted((spec.seed, spec.seed if spec.sample is None else spec.sample) for spec in zero) == [(1, 1), (1, 5), (2, 1), (2, 5)]
    assert RunSpec(seed=3, sample=3).run_id == RunSpec(seed=3).run_id


def test_a_progression_is_exact() -> None:
    assert grid.values([0, 0.1, "...", 1], float, "balance") == [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]
    assert grid.values(["a", "b"], list[str], "names") == [["a", "b"]]
    assert grid.values([["a"], ["b"]], list[str], "names") == [["a"], ["b"]]
    for wrong in ([0, "...", 1], [0, 0, "...", 1], [0, 0.3, "...", 1], [0, "...", "...", 1]):
        with pytest.raises(DepthubError, match=r"^balance is \["):
            grid.values(wrong, float, "balance")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("KgCoOp]", "KgCop]", r"mine.yaml: rows\[0\].method\[1\]: unknown method 'KgCop'; did you mean 'KgCoOp'"),
        ("n_ctx", "n_ctxs", r"rows\[0\].method\[0\]: CoOp has no setting 'n_ctxs'; did you mean 'n_ctx'"),
        ("weaves]\n", "weave]\n", r"board: data\[1\]: unknown data set 'weave'; did you mean 'weaves'"),
        ("SharedCAT", "SharedCT", r"rows\[0\].head\[1\].cat\[1\]: unknown head 'SharedCT'; did you mean 'SharedCAT'"),
        ("controls", "control", r"unknown key 'control'; did you mean 'controls'"),
        ("seeds: [1, 2]", "seeds: [1, 1]", r"board: seeds"),
        ("epochs: [1, 2]", "epoch: [1, 2]", r"rows\[0\].training: unknown field 'epoch' of a recipe; did you mean 'epochs'"),
        ("epochs: [1, 2]", "epochs: [-1, 2]", r"rows\[0\].training: "),
        ("protocol: BaseToNew", "protocol: FewShot", r"cuts: protocol FewShot has no setting 'cut'"),
        ("controls: true", "controls: true\ncontrols: true", r"the key 'controls' stands there twice"),
        ("controls: true", "controls: true\nname: ../outside", r"name: \"\.\./outside\" does not match"),
        ("rows:", "rows: []\nrow:", r"unknown key 'row'; did you mean 'rows'"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(old: str, new: str, message: str, tmp_path: Path) -> None:
    assert SUITE.count(old)
    with pytest.raises(DepthubError, match=message):
        read_suite(written(tmp_path, SUITE.replace(old, new)))


def test_unknown_names() -> None:
    with pytest.raises(DepthubError, match="unknown suite 'tabel1'; did you mean 'table1'"):
        read_suite("tabel1")
    with pytest.raises(DepthubError, match="unknown board 'shape'; did you mean 'shapes'"):
        read_suite("table1", "shape")


# methods x heads (with the control of DePT) x data sets x seeds; zero-shot once
RUNS = {
    "shapes": (1 + 9 * 3) * 7 * 5,
    "shapes-lite": (1 + 9 * 3) * 3 * 3,
    "beyond-prompts": (2 + 1 + 13 * 2) * 7 * 5,  # the board's two reference rows, and a linear probe in DePT
    "base-to-new": (1 + 9 * 3) * 11 * 3,
    "cross-dataset": (1 + 9 * 3) * 3,
    "domain-generalization": (1 + 9 * 3) * 3,
    "few-shot": (1 + 9 * 3) * 11 * 3 * 5,
    "table1": (1 + 1 + 1 + 4 + 1) * 11 * 3,  # zero-shot, CoOp, DePT, four CATs without fusion, one control
    "table2": (1 + 4 * 3) * 11 * 3,
    "table3": (1 + 4 * 3) * 3,
    "table4": (1 + 4 * 3) * 3,
    "table6": (1 + 4 * 3 * 3 + 0) * 11 * 3,  # 16 shots of CoOp are the reference row, too
    "figure4": (1 + 1 + 11) * 11 * 3,
    "figure3": (1 + 2) * 11 * 3,
    "figure4-epochs": (1 + 2) * 11 * 3,
    "figure5": (1 + 2 * 3) * 11 * 3,
    "oracle": (1 + 1) * 11 * 3,
    "ablations": (1 + 1 + 3 * 4 + 5 + 1) * 11 * 3,  # one of the five rates is the default's
    "gain": (1 + 3 * (3 + 1 + 1)) * 11 * 3,
    "cuts": (1 + 3 * 2) * 11 * 3 * 21,
}


@pytest.mark.parametrize("name", RUNS)
def test_shipped_suites_have_the_runs_of_their_tables(name: str) -> None:
    suite = read_suite(name)
    assert len(suite.specs()) == RUNS[name]
    assert {method.name for method, _ in suite.board.reference} == {"ZeroShot", "CoOp"}


def test_everything_shipped_is_known_here() -> None:
    assert shipped("suites").keys() == RUNS.keys()
    assert all(shipped("suites").values())
    boards = [read_board(name) for name in shipped("boards")]
    assert [board.name for board in boards if board.preliminary] == ["shapes-lite"]
    assert len(read_suite("figure4", "shapes").specs()) == 13 * 7 * 5


def test_a_control_counts_what_the_row_without_its_head_counts(tmp_path: Path) -> None:
    board = "board: {protocol: BaseToNew, data: [tones], shots: 2, seeds: [1], training: {epochs: 2}}\n"
    suite = read_suite(written(tmp_path, board + "rows: [{method: CoOp, head: [ITM, {name: DePT, balance: 0.7}]}]\ncontrols: true\n"))
    itm, dept, control = depthub.run_many(suite.specs(), runs=tmp_path / "runs")
    assert [run.spec.head.settings.get("balance") for run in (itm, dept, control)] == [None, 0.7, 0.0]
    assert control.counts == itm.counts
    assert control.counts != dept.counts


def test_a_forecast_counts_operations_and_images_until_it_has_seen_runs(tmp_path: Path) -> None:
    board = "board: {protocol: BaseToNew, data: [tones], shots: 2, seeds: [1, 2], training: {epochs: 2}}\n"
    suite = read_suite(written(tmp_path, board + "rows: [{method: [CoOp, {name: MaPLe, depth: 2}]}]\n"))
    runs = [Resolver()(spec) for spec in suite.specs()]
    work = counter(runs, installed())
    assert work
    coop, maple = work(runs[0]), work(runs[-1])
    images = 2 * len(runs[-1].stages[0].train.examples) + sum(len(task.examples) for task in runs[-1].stages[0].tests)
    assert (coop[1], maple[1]) == (0, images)
    assert maple[0] > coop[0] > 1e6
    forecast = Forecast(rate=1e9, work=work)
    estimate = forecast(runs[-1])
    assert estimate
    assert (estimate.seconds, estimate.source) == (pytest.approx(maple[0] / 1e9 + 0.004 * images), "operations")
    result = depthub.run(suite.specs()[0], runs=tmp_path / "runs")
    assert result.folder
    document = json.loads((result.folder / "run.json").read_text())
    forecast.learn([{**document, "cost": {"train_s": 3.0, "eval_s": 1.0}}])
    for other in (runs[1], replace(runs[0], spec=replace(runs[0].spec, head=runs[-1].spec.head, seed=7))):  # the recipe's, the data set's
        estimate = forecast(other)
        assert estimate
        assert (estimate.seconds, estimate.source) == (pytest.approx(4.0), "runs")
