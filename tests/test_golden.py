"""The published implementations' numbers, reproduced: float64 within 1e-10, float32 within the tolerances stated with the records."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
from tests.plain_golden import Plain

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


MANY = tuple(f"thing_{i} of kind {i % 7}" for i in range(101))
SIGNS = ("St. Bernard Jr.", "Yahoo!", "dog", "who?", "road (wet)")
DEPT = {"TYPE": "linear", "WEIGHT": 0.7, "TEST_TIME_FUSION": True}
SYNTHETIC = {
    "class-specific contexts": Plain(config={"CSC": True}),
    "class-specific contexts, class token in the middle": Plain(names=SIGNS, config={"CSC": True, "CLASS_TOKEN_POSITION": "middle"}),
    "class token in front": Plain(names=SIGNS, config={"N_CTX": 5, "CLASS_TOKEN_POSITION": "front"}),
    "class token in the middle": Plain(names=SIGNS, config={"N_CTX": 5, "CLASS_TOKEN_POSITION": "middle"}),
    "17 classes": Plain(names=MANY[:17]),
    "101 classes": Plain(names=MANY),
    "words of several tokens": Plain(config={"CTX_INIT": "an_itap photographlike view of"}),
    "CoCoOp, words of several tokens": Plain("CoCoOp", config={"CTX_INIT": "an itap photographlike view"}),
    **{f"MaPLe {n} x {depth}": Plain("MaPLe", config={"N_CTX": n, "PROMPT_DEPTH": depth}) for n, depth in ((2, 1), (2, 3), (4, 2))},
    **{f"DePT around {method}": Plain(method, probe=DEPT) for method in ("CoOp", "CoCoOp", "KgCoOp", "MaPLe")},
    "v1 by a switch": Plain(probe=DEPT | {"SHARED": True}, cat="shared"),
    "v1 by a word": Plain(probe=DEPT, cat="shared", meta={"dept": {"variant": "shared"}}),
    "v1 by what is learned": Plain(probe=DEPT, cat="shared"),
    "v3 by the rows of its labels": Plain(probe=DEPT, cat="image only", arrays={"train_labels_cat": [0, 2, 1]}),
    "v2 as published": Plain(probe=DEPT | {"TYPE": "similarity", "TEST_TIME_FUSION": False}, cat="matching"),
    "v3 by a word": Plain(probe=DEPT | {"TYPE": "only-img", "TEST_TIME_FUSION": False}, cat="image only"),
    "v3 by its number": Plain(probe=DEPT, cat="image only", meta={"variant": "v3"}),
    "no transform": Plain(probe=DEPT, cat="no transform"),
    "no fusion": Plain(probe=DEPT | {"TEST_TIME_FUSION": False}),
    "another weight": Plain(probe=DEPT, groups={"lambda0.3": ([*Plain().names], 0.3), "lambda_01": ([*Plain().names], 0.1)}),
    "new classes": Plain(probe=DEPT, meta={"new_classes": ["cat", "sea"]}, groups={"new": (["cat", "sea"], None)}),
    "new classes without DePT": Plain("CoCoOp", meta={"classes_new": list(SIGNS)}, groups={"new": ([*SIGNS], None)}),
    "part of the classes by name": Plain(
        names=MANY[:5], probe=DEPT, meta={"subset_classes": [MANY[4], MANY[1]]}, groups={"subset": ([MANY[4], MANY[1]], None)}
    ),
    "part of the classes by place": Plain(
        names=MANY[:5], probe=DEPT, arrays={"class_rows": [3, 0, 1]}, groups={"subset": ([MANY[3], MANY[0], MANY[1]], None)}
    ),
}


def synthetic(plain: Plain, folder: Path) -> Path:
    """The case, written from a computation that shares nothing with ours but the model's file."""
    backbone = Case(HERE / "coop_dept.json", "fp64").backbone
    images = torch.from_numpy(np.load(HERE / "coop_dept.npz")["images_train"]).flatten(0, 1)[:8]

    return plain.write(folder / "case.json", backbone.clip, backbone.tokenizer, images.double())


@pytest.mark.parametrize("name", SYNTHETIC)
def test_a_case_of_another_kind(name: str, tmp_path: Path) -> None:
    plain = SYNTHETIC[name]
    deviations = replay(synthetic(plain, tmp_path), model=HERE)
    recorded = [array for array in np.load(tmp_path / "case.npz") if array.startswith("fp64/")]
    assert {f"fp64/{quantity}" for quantity in deviations} == set(recorded)
    assert {q: d for q, d in deviations.items() if not d <= 1e-10} == {}


def test_all_evaluations_with_another_weight_than_trainings(tmp_path: Path) -> None:
    case = synthetic(Plain(probe=DEPT), tmp_path)
    told = json.loads(case.read_text())
    arrays = dict(np.load(case.with_suffix(".npz")))
    for when in ("start", "after2"):
        cat, itm = (arrays[f"fp64/eval_{when}/logits_{part}"] for part in ("cat", "itm"))
        arrays[f"fp64/eval_{when}/logits"] = 0.2 * cat + 0.8 * itm
    np.savez(case.with_suffix(".npz"), **arrays)
    assert replay(case, model=HERE)["eval_after2/logits"] > 1e-3
    for part, key in (
        (told, "eval_lambda"),
        (told.setdefault("dept", {}), "eval_weight"),
        (told["trainer_config"]["LINEAR_PROBE"], "TEST_WEIGHT"),
    ):
        part[key] = 0.2
        case.write_text(json.dumps(told))
        del part[key]
        assert max(replay(case, model=HERE).values()) <= 1e-10


def test_a_precision_that_was_not_recorded(tmp_path: Path) -> None:
    with pytest.raises(DepthubError, match=r"has no fp32 records; ask for the other precision"):
        replay(synthetic(Plain(), tmp_path), "fp32", HERE)


def test_new_classes_alone(tmp_path: Path) -> None:
    """A record of the evaluation that the published code makes for new classes: without training and without a classifier."""
    case = synthetic(Plain(probe=DEPT), tmp_path)
    told, arrays = json.loads(case.read_text()), dict(np.load(case.with_suffix(".npz")))
    arrays["fp64/eval_start/logits"] = arrays["fp64/eval_start/logits_itm"]
    kept = ("images_eval", "start/prompt_learner.ctx", *(f"fp64/eval_start/{q}" for q in ("logits", "text_features", "image_features")))
    np.savez(case.with_suffix(".npz"), **{name: arrays[name] for name in kept})
    case.write_text(json.dumps(told | {"subsample_classes": "new", "learnable": ["prompt_learner.ctx"]}))
    deviations = replay(case, model=HERE)
    assert len(deviations) == 3
    assert max(deviations.values()) <= 1e-10


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda told, _: told["trainer_config"]["COOP"].update(DROPOUT=1), r"replay does not know COOP\.DROPOUT in trainer_config"),
        (lambda told, _: told["trainer_config"].update(ADAPTER={}), r"replay does not know ADAPTER in trainer_config; known: COOP, "),
        (
            lambda told, _: told["trainer_config"]["LINEAR_PROBE"].update(TYPE="cosine"),
            r"replay knows no CAT named 'cosine'; known: linear, ",
        ),
        (lambda told, _: told["learnable"].append("adapter.scale"), r"replay does not know the learnable parameter 'adapter\.scale'"),
        (
            lambda _, arrays: arrays.update({"fp64/eval_start_flipped/logits": np.zeros((2, 3))}),
            r"does not know the array 'eval_start_flipped/logits'",
        ),
        (
            lambda _, arrays: arrays.update({"fp64/eval_start_new/logits": np.zeros((2, 4))}),
            r"does not tell its 4 new classes; expected one of new_classes, ",
        ),
    ],
)
def test_what_replay_does_not_know_is_named(change: Callable[[dict[str, Any], dict[str, Any]], None], says: str, tmp_path: Path) -> None:
    case = synthetic(Plain(probe=DEPT), tmp_path)
    told, arrays = json.loads(case.read_text()), dict(np.load(case.with_suffix(".npz")))
    change(told, arrays)
    case.write_text(json.dumps(told))
    np.savez(case.with_suffix(".npz"), **arrays)
    with pytest.raises(DepthubError, match=says) as caught:
        replay(case, model=HERE)
    assert "\n" not in str(caught.value)
