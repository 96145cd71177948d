"""The questions beyond the paper, on runs whose answers are known: class cuts, and the gain on new classes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from depthub.paper.class_cuts import cuts
from depthub.paper.documents import document
from depthub.paper.exhibit import Exhibit, ExhibitRow, paper
from depthub.paper.gain_on_new import gain
from depthub.paper.selection import Selection
from depthub.protocol import Count, Summary
from depthub.records.result import RunResult
from depthub.spec import Component, DataSpec, RunSpec, Training
from depthub.statistics.variance import VarianceComponents

SUMMARY = Summary("H", {"H": ("base", "new")})
SETS, CUTS, SEEDS = ("tones", "figures", "places"), (1, 2, 3, 4), (1, 2)


def run(method: Component, head: Component, data: str, seed: int, new: float, cut: Any = "published", epochs: int = 10) -> RunResult:
    """A run with 80 % on base classes."""
    spec = RunSpec(method, head, Component("BaseToNew", {"cut": cut}), DataSpec(data), training=Training(epochs=epochs), seed=seed)
    counts = {"base": Count(800, 1000), "new": Count(round(10 * new), 1000)}
    scores = {"base": 80.0, "new": counts["new"].percent}
    return RunResult(spec, counts, scores | {"H": 2 * 80.0 * scores["new"] / (80 + scores["new"])}, summary=SUMMARY)


def selected(exhibit: Exhibit, runs: Iterable[RunResult]) -> Selection:
    return Selection(exhibit, {}, {part.name: list(runs) for part in exhibit.suites})


@pytest.fixture(scope="module")
def table() -> Mapping[Any, float]:
    """New accuracy by cut, data set and seed."""
    draw = np.random.default_rng(0)
    return {(cut, name, seed): float(draw.integers(550, 650)) / 10 for cut in ("published", *CUTS) for name in SETS for seed in SEEDS}


def of_cuts(table: Mapping[Any, float]) -> list[RunResult]:
    coop, itm, dept = Component("CoOp"), Component("ITM"), Component("DePT", {"balance": 0.7})
    return [
        run(coop, head, name, seed, new + gained, cut)
        for (cut, name, seed), new in table.items()
        for head, gained in ((itm, 0.0), (dept, 3.0))
    ]


def test_the_components_are_those_of_the_shuffled_cuts(table: Mapping[Any, float]) -> None:
    shown = cuts(selected(paper().beyond["cuts"], of_cuts(table)))
    answers = {(answer["row"], answer["score"]): answer for answer in shown.values["answers"]}
    values = np.array([[[table[cut, name, seed] for seed in SEEDS] for cut in CUTS] for name in SETS])
    expected = VarianceComponents.of(values)
    new = answers["CoOp", "new"]
    assert new["components"]["mean"] == pytest.approx(expected.mean)
    assert new["components"]["of_cuts"]["variance"] == pytest.approx(expected.of_cuts.variance)
    assert new["cuts_needed"] == expected.cuts_needed(1.0)
    by_cut = {cut: np.mean([table[cut, name, seed] for name in SETS for seed in SEEDS]) for cut in ("published", *CUTS)}
    assert new["published_cut"]["rank"] == 1 + sum(by_cut[cut] >= by_cut["published"] for cut in CUTS)
    gained = answers["CoOp+DePT minus CoOp", "new"]
    assert gained["components"]["mean"] == pytest.approx(3.0)
    assert gained["components"]["of_cuts"]["variance"] == pytest.approx(0.0, abs=1e-9)
    assert not [row for row, _ in answers if "MaPLe" in row], "rows without runs are left out"


def test_rows_with_missing_runs_are_left_out_and_named(table: Mapping[Any, float]) -> None:
    runs = of_cuts(table)
    shown = cuts(selected(paper().beyond["cuts"], runs[:-1]))
    assert "CoOp+DePT is left out: 1 of 30 runs are missing." in shown.notes
    assert "MaPLe is left out: none of its runs is done." in shown.notes
    assert {answer["row"] for answer in shown.values["answers"]} == {"CoOp"}
    shuffled = [one for one in runs if one.spec.protocol.settings["cut"] != "published"]
    assert "CoOp is left out: the published cut is missing." in cuts(selected(paper().beyond["cuts"], shuffled)).notes


def test_controls_and_what_no_new_class_sees_are_told() -> None:
    head = {
        "itm": Component("ITM"),
        "off": Component("DePT", {"balance": 0.0, "fusion": "logits"}),
        "fused": Component("DePT", {"balance": 0.7, "fusion": "logits"}),
        "alone": Component("DePT", {"balance": 0.7, "fusion": "none"}),
    }
    coop = Component("CoOp")
    runs = [
        run(coop, head[name], data, seed, 60 + seed + place + (4 if name in ("fused", "alone") else 0))
        for name in head
        for place, data in enumerate(SETS)
        for seed in SEEDS
    ]
    runs += [run(coop, head["itm"], data, seed, 60.0, epochs=20) for data in SETS for seed in SEEDS]
    shown = gain(selected(paper().beyond["gain"], runs))
    text = " ".join(shown.notes)
    assert "CoOp+DePT, balance 0 counts exactly what CoOp counts in all 6 runs" in text
    assert "CoOp+DePT and CoOp+DePT, no fusion count the same on new classes in all 6 runs" in text
    assert "CoOp+DePT against CoOp, new: +4.00 points; on these data sets a difference is there" in text
    assert "so that the +2.05 in print" in text
    points = {(one["row"], one["score"]): one["points"] for one in shown.values["gains"]}
    assert points["CoOp+DePT", "new"] == pytest.approx(4.0)
    assert points["CoOp, 20 epochs", "new"] == pytest.approx(-2.5)


def test_nothing_done_is_said_and_nothing_is_drawn() -> None:
    shown = cuts(selected(paper().beyond["cuts"], []))
    assert "CoOp is left out: none of its runs is done." in shown.notes
    assert not shown.grids
    assert shown.picture is None


def test_a_row_without_a_host_has_no_gain() -> None:
    assert ExhibitRow("alone", {}).host == ""


WITH_RUNS = [one for one in paper().named(["all", "gain", "ablations", "cuts"]) if one.has_runs]


@pytest.mark.parametrize("exhibit", WITH_RUNS, ids=lambda one: one.name)
def test_an_exhibit_without_a_run_shows_what_is_in_print_and_measures_nothing(exhibit: Exhibit, tmp_path: Path) -> None:
    files = document(selected(exhibit, [])).write(tmp_path)
    text = files[0].read_text()
    assert "Measured here: nothing; none of the runs is done." in text
    values = json.loads(files[1].read_text())
    assert not any(values["runs"].values())
    if exhibit.kind in ("averages", "data sets", "pairs"):
        assert all(number.text in text for number in exhibit.printed if number.data == "average" and number.score == "H")
