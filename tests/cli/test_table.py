"""The table that ends `depthub run`: the numbers of a leaderboard of the same runs, and names that stay names."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from depthub.cli import main
from depthub.cli.table import table
from depthub.errors import DepthubError
from depthub.protocol import Count, Summary
from depthub.records.result import RunResult
from depthub.records.store import Store
from depthub.spec import RunSpec, Training
from depthub.statistics.averages import harmonic
from tests.models import write_backbone, write_pictures

H = Summary("H", {"H": ("base", "new")})


def results(pairs: Sequence[tuple[int, int]]) -> list[RunResult]:
    """One run a seed, with so many of 100 base and new images right."""
    made = []
    for seed, (base, new) in enumerate(pairs, 1):
        scores = {"base": float(base), "new": float(new), "H": harmonic(base, new)}
        made.append(
            RunResult(RunSpec(seed=seed, training=Training()), {"base": Count(base, 100), "new": Count(new, 100)}, scores, summary=H)
        )
    return made


def shown(runs: Sequence[RunResult]) -> str:
    """The table as a terminal shows it."""
    console = Console(width=200, file=io.StringIO(), force_terminal=True, color_system=None)
    console.print(table(runs))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def cells(text: str) -> list[list[str]]:
    rows = [re.split("[│┃]", line) for line in text.splitlines()]
    return [[cell.strip() for cell in row[1:-1]] for row in rows if len(row) > 1]


def test_the_average_of_a_harmonic_score_is_that_of_the_leaderboard(tmp_path: Path) -> None:
    """H is 9 and 16, of which the mean is 12.5; base and new are 15 on average, and so is their harmonic mean."""
    runs = results([(6, 18), (24, 12)])
    assert ["H", "9.00", "16.00", "15.00 ± 4.95"] in cells(shown(runs))
    for run in runs:
        Store(tmp_path / "runs").save(run)
    assert main(["leaderboard", "build", str(tmp_path / "runs"), "--out", str(tmp_path)]) == 0
    (row,) = json.loads((tmp_path / "leaderboard.json").read_text())["rows"]
    assert row["average"]["H"] == {"mean": 15.0, "std": 4.9497, "n_seeds": 2}


def test_a_score_that_nothing_is_declared_of_is_averaged_by_the_mean() -> None:
    runs = [replace(run, summary=None, scores={**run.scores, "H": 1.0}) for run in results([(6, 18), (24, 12)])]
    assert ["H", "1.00", "1.00", "1.00 ± 0.00"] in cells(shown(runs))


def test_one_run() -> None:
    made = cells(shown(results([(6, 18)])))
    assert ["base", "6/100", "6.00"] in made
    assert ["H", "", "9.00"] in made


def test_runs_that_declare_their_scores_otherwise_are_not_averaged() -> None:
    one, other = results([(6, 18), (24, 12)])
    with pytest.raises(DepthubError) as caught:
        table([one, replace(other, summary=Summary("base", H.harmonic))])
    assert one.spec.run_id[:12] in str(caught.value)
    assert other.spec.run_id[:12] in str(caught.value)
    assert "\n" not in str(caught.value)


def test_names_stay_names() -> None:
    name = "[red]x[/red] \x1b[31m :smile: a\nb \u202e"
    run = RunResult(RunSpec(), {name: Count(1, 2)}, {name: 50.0}, summary=Summary(name))
    text = shown([run])
    assert "[red]x[/red] \\x1b[31m :smile: a b \\u202e" in text
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text)


def test_depthub_run_prints_what_the_leaderboard_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, backbone = write_pictures(tmp_path / "colours"), write_backbone(tmp_path / "model")
    model = ["--backbone.model", backbone.model, "--backbone.pretrained", backbone.pretrained]
    runs = ["--runs", str(tmp_path / "runs"), "--seeds", "1", "2", "3"]
    assert main(["run", "--data", data.name, *model, "--training.epochs", "1", "--shots", "2", *runs]) == 0
    printed = {row[0]: row[-1] for row in cells(capsys.readouterr().out)}
    assert main(["leaderboard", "build", str(tmp_path / "runs"), "--out", str(tmp_path)]) == 0
    (row,) = json.loads((tmp_path / "leaderboard.json").read_text())["rows"]
    assert {name: f"{s['mean']:.2f} ± {s['std']:.2f}" for name, s in row["average"].items()}.items() <= printed.items()
