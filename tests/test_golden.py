"""The published implementations' numbers, reproduced: float64 within 1e-10, float32 within the tolerances stated with the records."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from depthub.backbone import Backbone
from depthub.cli import main
from depthub.data.fewshot import draw_both
from depthub.errors import DepthubError
from depthub.metrics import count, macro_f1
from depthub.plugins import installed
from depthub.schedule import learning_rate
from depthub.spec import Training
from depthub.testing.golden import Case, replay, tolerance
from depthub.types import ClassSet

HERE = Path(__file__).parent / "golden"
TRAINED = ["coop_ctx16_end", "coop_ctx4_init", "coop_dept", "cocoop", "kgcoop", "maple_depth3"]


@pytest.mark.parametrize("exact", ["shared", "plain"])
@pytest.mark.parametrize("precision", ["fp64", "fp32"])
@pytest.mark.parametrize("name", TRAINED)
def test_training_case(name: str, precision: str, exact: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Backbone, "exact", exact)
    deviations = replay(HERE / f"{name}.json", precision)
    assert len(deviations) >= 3 + 1 + 1 + 1 + 1 + 3
    assert ("sched/loss" in deviations) == has_schedule(name)
    assert {q: d for q, d in deviations.items() if not d <= tolerance(precision, q)} == {}


def has_schedule(name: str) -> bool:
    return "fp64/sched/loss" in np.load(HERE / f"{name}.npz")


def test_a_difference_shows(tmp_path: Path) -> None:
    for part in ("json", "npz"):
        shutil.copy(HERE / f"coop_ctx4_init.{part}", tmp_path)
    case = tmp_path / "coop_ctx4_init.json"
    with pytest.raises(DepthubError, match="say where with --model"):
        replay(case)
    arrays = dict(np.load(case.with_suffix(".npz")))
    arrays["start/prompt_learner.ctx"][0, 0] += 1e-3
    np.savez(case.with_suffix(".npz"), **arrays)
    deviations = replay(case, model=HERE)
    assert deviations["eval_start/text_features"] > 1e-6
    assert deviations["eval_start/image_features"] < 1e-12


def test_the_command_prints_deviations_and_fails_above_a_tolerance(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for part in ("json", "npz"):
        shutil.copy(HERE / f"coop_ctx4_init.{part}", tmp_path)
    assert main(["golden", str(tmp_path), "--model", str(HERE)]) == 0
    assert "fp64" in capsys.readouterr().out
    assert main(["golden", str(tmp_path), "--model", str(HERE), "--tolerance", "1e-30"]) == 1
    assert main(["golden", str(tmp_path / "nowhere")]) == 2


@pytest.mark.parametrize("precision", ["fp64", "fp32"])
def test_zero_shot(precision: str) -> None:
    case = Case(HERE / "zeroshot.json", precision)
    (template,) = case.meta["templates"]
    classes = ClassSet("golden", case.classes.ids, case.classes.names, template)
    tokens = case.backbone.tokenizer(classes.sentences())
    assert np.array_equal(tokens, case.arrays["tokens"])
    plugins = installed()
    method = plugins.get("methods", "ZeroShot")(case.backbone, classes)
    features = method.features(case.backbone, case.tensor("images_eval"), classes)
    logits = plugins.get("heads", "ITM")(case.backbone.dim, classes)(features)
    found = {
        "text_features_raw": features.text,
        "text_features": torch.nn.functional.normalize(features.text, dim=-1),
        "image_features": features.image,
        "logits": logits,
        "logit_scale": features.scale,
    }
    assert {q: d for q, v in found.items() if not (d := case.compare(q, v)[1]) <= tolerance(precision, "eval_start")} == {}


def test_few_shot_picks() -> None:
    meta = json.loads((HERE / "fewshot.json").read_text())
    arrays = np.load(HERE / "fewshot.npz")
    train, val = arrays["train_labels"].tolist(), arrays["val_labels"].tolist()
    for seed in meta["seeds"]:
        for shots in meta["shots"]:
            picks = dict(zip(("train", "val"), draw_both(train, val, shots, seed), strict=True))
            for part, rows in picks.items():
                where = f"seed{seed}/shots{shots}"
                assert rows == arrays[f"{where}/{part}"].tolist()
                labels = {"train": train, "val": val}[part]
                half = (len(meta["classnames"]) + 1) // 2
                base = [row for row in rows if labels[row] < half]
                assert base == arrays[f"{where}/base/{part}"].tolist()
                assert [labels[row] - half for row in rows if labels[row] >= half] == arrays[f"{where}/new/{part}_labels"].tolist()


def test_learning_rates() -> None:
    meta, arrays = json.loads((HERE / "lr_schedule.json").read_text()), np.load(HERE / "lr_schedule.npz")
    for name, told in meta["schedules"].items():
        training = Training(epochs=told["epochs"], warmup_epochs=told["warmup_epochs"], warmup_lr=told["warmup_lr"])
        found = [[learning_rate(base, epoch, training) for base in told["base_lr"]] for epoch in range(told["epochs"])]
        np.testing.assert_allclose(found, arrays[name], rtol=1e-12)


def test_metrics() -> None:
    meta, arrays = json.loads((HERE / "metrics.json").read_text()), np.load(HERE / "metrics.npz")
    predicted = torch.from_numpy(arrays["logits"]).argmax(dim=-1).numpy()
    assert np.array_equal(predicted, arrays["predictions"])  # ties included
    counts = count(predicted, arrays["labels"], arrays["logits"].shape[1])
    assert counts.percent == pytest.approx(meta["results"]["accuracy"], rel=1e-12)
    assert 100 - counts.percent == pytest.approx(meta["results"]["error_rate"], rel=1e-12)
    assert macro_f1(counts) == pytest.approx(meta["results"]["macro_f1"], rel=1e-12)
