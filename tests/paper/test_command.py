"""`depthub paper` on small boards: real trainings, every number recomputed from the run files, pictures that are the same again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from depthub.records.store import Store
from depthub.statistics.averages import harmonic

BOARD = """
protocol: BaseToNew
companions: [cross.yaml, domains.yaml]
data: [tones, figures]
seeds: [1, 2]
shots: 2
training: {epochs: 10, batch_size: 32}
settings: {MaPLe: {depth: 3}}
"""
TRANSFER = """
protocol: NAME
data: [compose]
shots: 1
training: {epochs: 2, batch_size: 32}
settings: {MaPLe: {depth: 3}}
"""
LONGEST = 3600.0  # seconds: only what hangs takes so long


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("paper")
    (folder / "board.yaml").write_text(BOARD)
    for name, protocol in (("cross", "CrossDataset"), ("domains", "DomainGeneralization")):
        (folder / f"{name}.yaml").write_text(TRANSFER.replace("NAME", protocol))
    return folder


def paper(place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "depthub", "paper", *words, "--board", "board.yaml", "--seeds", "1", "2"]
    return subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=LONGEST, check=False)


def content(place: Path, name: str) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((place / "paper" / f"{name}.json").read_text())
    return values


@pytest.fixture(scope="module")
def done(place: Path) -> subprocess.CompletedProcess[str]:
    return paper(place, "table1", "table5", "figure4", "figure5")


@pytest.mark.usefixtures("done")
def test_averages_are_those_of_the_run_files(place: Path) -> None:
    table, runs = content(place, "table1"), {run.spec.run_id: run for run in Store(place / "runs").results()}
    of_row = [entry for entry in table["runs"]["table1"] if entry["rows"] == ["1 ITM alone (CoOp)"]]
    assert len(of_row) == 4
    for entry in of_row:
        counts = runs[entry["run_id"]].counts
        assert entry["counts"] == {task: [count.n_correct, count.n_total] for task, count in counts.items()}
    percents = [{task: 100 * correct / total for task, (correct, total) in entry["counts"].items()} for entry in of_row]
    mean = {score: sum(percent[score] for percent in percents) / 4 for score in ("base", "new")}
    shown = table["average"]["1 ITM alone (CoOp)"]
    assert shown["base"]["measured"] == pytest.approx(mean["base"], abs=1e-4)
    assert shown["H"]["measured"] == pytest.approx(harmonic(mean["base"], mean["new"]), abs=1e-4)
    assert shown["base"]["printed"] == 81.50
    assert shown["base"]["difference"] == pytest.approx(mean["base"] - 81.50, abs=1e-4)
    assert shown["base"]["spread_over"] == "data sets"


@pytest.mark.usefixtures("done")
def test_the_control_equals_the_method_alone_and_the_last_epoch_is_the_whole_training(place: Path) -> None:
    figure = content(place, "figure4")
    assert figure["control"]["runs"] == figure["control"]["equal"] == 4
    host = content(place, "table1")["average"]["1 ITM alone (CoOp)"]
    assert figure["balance"]["0"]["H"]["measured"] == host["H"]["measured"]
    assert figure["epochs"]["CoOp"]["10"]["new"]["measured"] == host["new"]["measured"]
    assert [*figure["epochs"]["CoOp"]] == [str(epoch) for epoch in range(1, 11)]
    assert len(figure["balance"]) == 11
    assert [figure["balance"][weight]["new"]["printed"] for weight in ("0", "0.1", "0.2", "0.7")] == [71.48, 70.94, None, 71.82]


@pytest.mark.usefixtures("done")
def test_table_5_says_what_the_paper_says_of_its_four_methods(place: Path) -> None:
    rows = {row["method"]: [row[key] for key in ("prompt type", "branch", "location")] for row in content(place, "table5")["methods"]}
    assert rows["CoOp"] == ["soft", "text encoder", "word embeddings"]
    assert rows["CoCoOp"] == ["soft (dynamic)", "text encoder", "word embeddings"]
    assert rows["KgCoOp"] == ["soft & hand-written", "text encoder", "word embeddings"]
    assert rows["MaPLe"] == ["soft", "image & text encoder", "deep features"]


def test_what_is_printed_and_written(place: Path, done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, done.stderr
    assert "Control: switched off, the second head leaves 4 of 4 runs with exactly the counts of CoOp." in done.stdout
    assert "The data sets and the model are not those in print" in done.stdout
    for name in ("figure4", "figure5"):
        with Image.open(place / "paper" / f"{name}.png") as picture:
            assert min(picture.size) > 500
        assert (place / "paper" / f"{name}.svg").read_text().startswith("<?xml")
    assert "](figure4.png)" in (place / "paper/figure4.md").read_text()
    assert "[Table 1: components of DePT around CoOp](table1.md)" in (place / "paper/index.md").read_text()


@pytest.mark.usefixtures("done")
def test_again_nothing_is_trained_and_every_file_is_the_same(place: Path) -> None:
    before = {path: path.read_bytes() for path in (place / "paper").iterdir()}
    again = paper(place, "table1", "table5", "figure4", "figure5")
    assert again.returncode == 0, again.stderr
    assert "paper: 0 runs to do" in again.stderr
    assert {path: path.read_bytes() for path in (place / "paper").iterdir()} == before


def test_transfer_stands_on_the_companions(place: Path) -> None:
    shown = paper(place, "table4", "--plan")
    assert shown.returncode == 0, shown.stderr
    assert "runs              18 (18 to do)" in shown.stdout


def test_the_plan_of_real_data_needs_none_of_it(place: Path) -> None:
    command = [sys.executable, "-m", "depthub", "paper", "all", "--board", "base-to-new", "--plan", "--json", "--tflops", "100"]
    plan = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=LONGEST, check=False)
    assert plan.returncode == 0, plan.stderr
    facts = json.loads(plan.stdout)
    assert "imagenet" in facts["absent"]
    assert facts["exhibits"]["table2"] == (1 + 8) * 11 * 3  # the suite has zero-shot, too
    assert sum(facts["exhibits"].values()) > facts["runs"] == facts["to_do"]
    costs = facts["costs"]
    assert costs["images_shared"] < costs["images_alone"]
    assert costs["shared"] < costs["alone"] < costs["published"]
    assert costs["hours"]["published"] == pytest.approx(costs["published"] / 1e14 / 3600)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["tabel2"], "unknown exhibit 'tabel2'; did you mean 'table2'"),
        (["table1", "--board", "nothing"], "unknown board 'nothing'"),
        (["table2", "--board", "cross-dataset"], "table2 needs protocol BaseToNew"),
        (["table1", "--seeds", "1", "2", "1"], "seed 1 is named twice"),
        (["table1", "--seeds", "-1"], "seed is -1, expected"),
        (["table1", "--out", "board.yaml"], "board.yaml, where the results go; choose another folder with --out"),
    ],
)
def test_mistakes_are_one_line(place: Path, words: list[str], message: str) -> None:
    command = [sys.executable, "-m", "depthub", "paper", *words]
    refused = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=LONGEST, check=False)
    assert refused.returncode == 2
    assert message in refused.stderr.splitlines()[-1]
    assert "Traceback" not in refused.stderr
