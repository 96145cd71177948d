"""Metrics of stored predictions: computed by hand, added by plugins, and left out where the scores are not there."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import depthub
from depthub.boards.packing import pack_runs
from depthub.cli import main
from depthub.errors import DepthubError, UnknownNameError
from depthub.records.measuring import metrics
from depthub.records.predictions import Predictions, best_only
from depthub.registry.plugins import Plugins, installed
from depthub.statistics.metrics import BUILT_IN
from depthub.testing import cases
from tests.conftest import MakeDistribution
from tests.records.documents import COUNTED, save_counted

SCORES = np.array(  # 8 images, 6 classes; the last class has no image
    [
        [5, 1, 0, 0, 0, -1],
        [1, 3, 0, 0, 0, -1],
        [2, 0, 0, 0, 0, -1],
        [0, 4, 0, 1, 0, -1],
        [0, 1, 2, 0, 0, -1],
        [0, 3, 0, 2, 1, -1],
        [6, 5, 4, 3, 2, 1],
        [0, 0, 0, 0, 1, -2],
    ],
    np.float64,
)
LABELS = np.array([0, 0, 0, 1, 2, 3, 4, 4])
PACKED = {"top5", "ece", "adaptive_ece", "brier", "nll"}  # what needs scores


def predictions_of(scores: Any, labels: Any) -> Predictions:
    """As the evaluation makes them."""
    best = np.argsort(-scores, axis=1, kind="stable")[:, :5].astype(np.int32)
    rows = np.arange(len(scores))
    return Predictions(
        labels.astype(np.int32),
        best,
        np.take_along_axis(scores, best, axis=1).astype(np.float32),
        scores[rows, labels].astype(np.float32),
        np.log(np.exp(scores).sum(axis=1)).astype(np.float32),
        scores.shape[1],
    )


@pytest.fixture
def by_hand() -> dict[str, float]:
    """All metrics from the scores, one image after the other, in float64."""
    probabilities = [[math.exp(s) / sum(map(math.exp, row)) for s in row] for row in SCORES.tolist()]
    predicted = [row.index(max(row)) for row in SCORES.tolist()]
    right = [p == y for p, y in zip(predicted, LABELS.tolist(), strict=True)]
    recall = {c: [r for r, y in zip(right, LABELS, strict=True) if y == c] for c in sorted(set(LABELS.tolist()))}
    shares = {c: sum(of_class) / len(of_class) for c, of_class in recall.items()}
    f1 = {c: 2 * sum(recall[c]) / (len(recall[c]) + predicted.count(c)) for c in recall}
    confidence = [max(row) for row in probabilities]
    order = sorted(range(8), key=lambda i: confidence[i])
    gaps = [confidence[i] - right[i] for i in range(8)]
    bins: dict[int, list[float]] = {}
    for gap, p in zip(gaps, confidence, strict=True):
        bins.setdefault(min(int(15 * p), 14), []).append(gap)
    top5 = [sorted(range(6), key=lambda c: (-row[c], c))[:5] for row in SCORES.tolist()]
    return {
        "accuracy": 100 * sum(right) / 8,
        "mean_per_class": 100 * sum(shares.values()) / len(shares),
        "worst_class": 100 * min(shares.values()),
        "macro_f1": 100 * sum(f1.values()) / len(f1),
        "top5": 100 * sum(y in best for y, best in zip(LABELS.tolist(), top5, strict=True)) / 8,
        "ece": sum(abs(sum(of_bin)) for of_bin in bins.values()) / 8,
        "adaptive_ece": sum(abs(gaps[i]) for i in order) / 8,  # 8 images in 15 bins: each has a bin of its own
        "brier": sum(gap**2 for gap in gaps) / 8,
        "nll": sum(-math.log(row[y]) for row, y in zip(probabilities, LABELS.tolist(), strict=True)) / 8,
    }


def test_every_metric_is_what_a_hand_computes(by_hand: dict[str, float]) -> None:
    predictions = predictions_of(SCORES, LABELS)
    assert {name: function(predictions) for name, function in BUILT_IN.items()} == pytest.approx(by_hand, rel=1e-6)
    assert (by_hand["accuracy"], by_hand["worst_class"], by_hand["top5"]) == (62.5, 0, 100)
    assert by_hand["mean_per_class"] == pytest.approx(100 * (2 / 3 + 1 + 1 + 0 + 1 / 2) / 5)


@pytest.fixture
def result() -> depthub.RunResult:
    """A result with one task of these predictions."""
    predictions = predictions_of(SCORES, LABELS)
    return replace(COUNTED, counts={"all": predictions.count()}, predictions={"all": predictions})


def test_what_predictions_do_not_give_is_left_out(result: depthub.RunResult, by_hand: dict[str, float]) -> None:
    assert metrics(result)["all"] == pytest.approx(by_hand, rel=1e-6)
    packed = best_only(LABELS.tolist(), result.predictions["all"].predicted, 6)
    assert metrics(replace(result, predictions={"all": packed}))["all"].keys() == BUILT_IN.keys() - PACKED
    few = predictions_of(SCORES[:4, :2], LABELS[:4])
    assert metrics(replace(result, predictions={"all": few}))["all"].keys() == BUILT_IN.keys() - {"top5"}
    assert metrics(replace(result, predictions={}), ["accuracy"]) == {"all": {}}
    assert [*metrics(result, ["nll", "accuracy"])["all"]] == ["nll", "accuracy"]
    with pytest.raises(UnknownNameError, match="unknown metric 'acuracy'; did you mean 'accuracy'"):
        metrics(result, ["acuracy"])


HOOK = "import numpy as np\nfrom depthub import hookimpl\n@hookimpl\ndef depthub_metrics():\n    return {}\n"


MODULES = count()  # Python keeps what it has imported: no two tests share a module
Install = Callable[[str, str], None]


@pytest.fixture
def plugin(make_distribution: MakeDistribution) -> Iterator[Install]:
    """Installs a plugin of a name with metrics, an expression; it is gone after the test."""

    def install(name: str, gives: str) -> None:
        module = f"metrics_{next(MODULES)}"
        make_distribution(name, {name: module}, {module: HOOK.format(gives)})

    installed.cache_clear()
    yield install
    installed.cache_clear()


def test_a_plugins_metric_stands_beside_the_others(plugin: Install, result: depthub.RunResult) -> None:
    plugin("mine", "{'errors': lambda p: int((p.predicted != p.labels).sum()), 'half': lambda p: np.float32(p.top(1) / 2)}")
    values = metrics(result)["all"]
    assert [*values][-2:] == ["errors", "half"]
    assert (values["errors"], values["half"]) == (3.0, 2.5)
    assert all(type(value) is float for value in values.values())
    report = next(report for report in installed().reports if report.name == "mine")
    assert report.provides == {"metrics": ("errors", "half")}
    with pytest.raises(DepthubError, match=r"plugin 'mine' of mine 1\.0 provides nothing but metrics"):
        cases("mine")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("1 / 0", r"fails: ZeroDivisionError: division by zero \(metrics_\d+\.py, line 6\)"),
        ("exit(3)", r"fails: SystemExit: 3"),
        ("'high'", r"gives 'high', expected a finite number \(metrics_\d+\.py, line 6\)"),
        ("float('nan')", "gives nan, expected a finite number"),
        ("None", "gives None, expected a finite number"),
        ("True", "gives True, expected a finite number"),
        ("p.top(7)", "fails: NotInPredictionsError"),
    ],
)
def test_a_broken_metric_is_named_in_one_line(body: str, says: str, plugin: Install, result: depthub.RunResult) -> None:
    plugin("mine", f"{{'bad': lambda p: {body}}}")
    if "NotIn" in says:
        assert metrics(result, ["bad"]) == {"all": {}}
        return
    with pytest.raises(DepthubError, match=f"^metric 'bad' of plugin 'mine' of mine 1.0 {says}") as caught:
        metrics(result)
    assert "\n" not in str(caught.value)
    assert metrics(result, ["accuracy"])["all"] == {"accuracy": 62.5}


def test_a_metric_cannot_change_what_the_next_one_reads(plugin: Install, result: depthub.RunResult) -> None:
    plugin("mine", "{'greedy': lambda p: p.labels.fill(0) or 0.0}")
    assert metrics(result, ["greedy", "accuracy"])["all"] == {"greedy": 0.0, "accuracy": 62.5}


@pytest.mark.parametrize(
    ("gives", "says"),
    [
        ("['accuracy']", "depthub_metrics fails: TypeError: ['accuracy'] is not a dictionary of functions by name"),
        ("{'accuracy': lambda p: 0.0}", "depthub_metrics: the name 'accuracy' is taken by plugin 'metrics' of depthub"),
        ("{'a b': lambda p: 0.0}", "gives a metric with name 'a b', expected letters"),
        ("{3: lambda p: 0.0}", "gives a metric with name 3, expected letters"),
        ("{'bad': 3}", "metric 'bad' is 3, expected a function of predictions"),
        ("{'bad': int}", "metric 'bad' is <class 'int'>, expected a function of predictions"),
        ("{'bad': lambda p, q: 0.0}", "metric 'bad' takes (p, q), expected (predictions)"),
    ],
)
def test_a_wrong_hook_costs_the_plugin_alone(gives: str, says: str, plugin: Install) -> None:
    plugin("bad", gives)
    plugin("good", "{'good': lambda p: 0.0}")
    plugins = Plugins({})
    bad = next(report for report in plugins.reports if report.name == "bad")
    assert not bad.works
    assert says in bad.faults[0]
    assert "\n" not in bad.faults[0]
    assert {"good", *BUILT_IN} == set(plugins.names("metrics"))


def test_two_plugins_cannot_have_one_name(plugin: Install) -> None:
    for name in ("first", "second"):
        plugin(name, "{'same': lambda p: 0.0}")
    plugins = Plugins({})
    faults = {report.name: report.faults for report in plugins.reports if report.faults}
    assert [*faults] == ["second"]
    assert "the name 'same' is taken by plugin 'first' of first 1.0" in faults["second"][0]
    assert plugins.loaded()[-1] == {"name": "first", "distribution": "first", "version": "1.0"}


def test_the_command_shows_what_there_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = save_counted(tmp_path / "runs").parent
    pack_runs(tmp_path / "runs", tmp_path / "packed")
    for place in (folder, tmp_path / "runs", tmp_path / "packed"):
        assert main(["runs", "metrics", str(place), "--json"]) == 0
        rows = json.loads(capsys.readouterr().out)
        assert [row["task"] for row in rows] == ["base", "new"]
        assert rows[0]["metrics"]["accuracy"] == pytest.approx(60)
        missing = {name for name, value in rows[0]["metrics"].items() if value is None}
        assert missing == (PACKED if place.name == "packed" else {"top5"})
    assert main(["runs", "metrics", str(tmp_path / "packed"), "--metric", "accuracy", "ece"]) == 0
    out = capsys.readouterr().out
    assert out.count("not in the stored predictions") == 1
    assert main(["runs", "metrics", str(folder), "--metric", "accuracy"]) == 0
    assert "not in the stored" not in capsys.readouterr().out
    assert main(["runs", "metrics", str(folder), "--metric", "acuracy"]) == 2
    assert "did you mean 'accuracy'?" in capsys.readouterr().err
    assert main(["runs", "metrics", str(tmp_path / "nowhere")]) == 2
