"""The numbers of published implementations are reproduced: float64 within 1e-10, float32 within the tolerances of the records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from depthub.cli import main
from depthub.data.dataset import Data, Examples
from depthub.encoding.backbone import Backbone
from depthub.registry.plugins import installed
from depthub.testing import replay
from depthub.testing.golden import examine, tolerance
from depthub.testing.golden.comparison import Comparison
from depthub.testing.golden.model import load
from depthub.testing.golden.record import Record
from depthub.types import ClassSet
from tests.golden_cases import HERE, Change, altered, changed, copied
from tests.plain_golden import Plain

TRAINED = ["coop_ctx16_end", "coop_ctx4_init", "coop_dept", "cocoop", "kgcoop", "maple_depth3"]
OTHERS = ["zeroshot", "channel_importance_512_even", "fewshot", "lr_schedule", "metrics"]
NOT_COMPARED = {"fewshot": [f"seed{seed}/shots16/train_repeat" for seed in (1, 2, 3)]}


@pytest.mark.parametrize("encoding", ["fast", "reference"])
@pytest.mark.parametrize("precision", ["fp64", "fp32"])
@pytest.mark.parametrize("name", TRAINED)
def test_training_case(name: str, precision: str, encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Backbone, "encoding", encoding)
    agrees(HERE / f"{name}.json", precision)


@pytest.mark.parametrize("precision", ["fp64", "fp32"])
@pytest.mark.parametrize("name", OTHERS)
def test_case_without_training(name: str, precision: str) -> None:
    agrees(HERE / f"{name}.json", precision)


def agrees(case: Path, precision: str = "fp64") -> None:
    """Every recorded quantity is an input, within its tolerance, or listed as without counterpart."""
    record = Record(case)
    comparison = examine(record, precision, HERE)
    deviations = comparison.deviations
    assert {q: d for q, d in deviations.items() if not d <= tolerance(comparison.precision, q)} == {}
    assert comparison.left_out() == NOT_COMPARED.get(case.stem, [])
    results = [name.removeprefix(f"{precision}/") for name in record.arrays if name.startswith(f"{precision}/")]
    assert set(results) <= deviations.keys()


@pytest.mark.parametrize("precision", ["fp64", "fp32"])
def test_tuned_layers_agree(precision: str) -> None:
    agrees(HERE / "skip_tuning_all_classes.json", precision)


def test_tolerances_are_those_of_the_records() -> None:
    quantities = (
        "loss",
        "train/loss_cat",
        "sched/loss",
        "train/logits",
        "eval_start/logits",
        "grad/P",
        "after1/P",
        "after5/P",
        "sched/after5/P",
    )
    assert [tolerance("fp32", quantity) for quantity in quantities] == [2e-4, 2e-4, 2e-4, 1e-5, 1e-5, 5e-5, 2e-5, 5e-4, 5e-4]
    assert tolerance("fp64", "loss") == tolerance("", "seed1/shots1/train") == 1e-10
    assert tolerance("fp64", "base/window64") == 1e-12


@pytest.mark.parametrize(
    ("name", "change", "shows"),
    [
        ("coop_ctx4_init", altered("start/prompt_learner.ctx", 1e-3), "eval_start/text_features"),
        ("coop_ctx4_init", altered("tokens", 1), "tokens"),
        ("coop_dept", altered("train_labels_cat", 1), "train_labels_cat"),
        ("coop_dept", altered("fp64/sched/lr", 1e-6), "sched/lr"),
        ("coop_dept", altered("fp64/after5/film_lp_img.scale", 1e-6), "after5/film_lp_img.scale"),
        ("coop_dept", lambda meta, arrays: arrays.update({"fp64/loss": np.full(5, np.nan)}), "loss"),
        ("coop_dept", lambda meta, arrays: arrays.update({"fp64/loss": np.full((5, 1), 2.0)}), "loss"),
        ("coop_dept", lambda meta, arrays: meta["optimizer"].update(momentum=0.8), "after5/prompt_learner.ctx"),
        (
            "coop_dept",
            lambda meta, arrays: meta["optimizer"]["lr_of_parameter"].update({"film_lp_img.bias": 0.1}),
            "after1/film_lp_img.bias",
        ),
        ("coop_dept", lambda meta, arrays: meta["replay"]["head"]["settings"].update(balance=0.6), "eval_start/logits"),
        ("zeroshot", altered("fp64/logit_scale", 1e-6), "logit_scale"),
        ("zeroshot", altered("tokens", 1), "tokens"),
        ("channel_importance_512_even", altered("fp64/new/eq3", 1e-9), "new/eq3"),
        ("channel_importance_512_even", altered("base/labels", 1), "base/labels"),
        ("fewshot", altered("seed2/shots4/val", 1), "seed2/shots4/val"),
        ("fewshot", altered("seed3/shots16/new/train_labels", 1), "seed3/shots16/new/train_labels"),
        ("fewshot", altered("full/base/test", 1), "full/base/test"),
        ("lr_schedule", altered("cocoop", 1e-8), "cocoop"),
        ("metrics", altered("predictions", 1), "predictions"),
        ("metrics", lambda meta, arrays: meta["results"].update(macro_f1=43.9), "results.macro_f1"),
    ],
)
def test_a_difference_shows(name: str, change: Change, shows: str, tmp_path: Path) -> None:
    case = changed(copied(name, tmp_path), change)
    comparison = examine(Record(case), "fp64", HERE)
    assert not comparison.deviations[shows] <= tolerance(comparison.precision, shows)
    assert main(["golden", str(tmp_path), "--model", str(HERE), "--precisions", "fp64"]) == 1


def test_what_keeps_the_published_spelling_is_not_read(tmp_path: Path) -> None:
    def scramble(meta: dict[str, Any], arrays: dict[str, Any]) -> None:
        meta |= {"trainer_config": {"ADAPTER": {"N_CTX": 99}}, "learnable": ["nothing"], "dept": 3, "new_config": [1]}
        meta |= {"eval_classes": ["one"], "eval_weight": 0.1, "subsample_classes": "new", "reference_template": "{}{}", "variant": "v3"}
        meta["optimizer"]["group_lr"] = [9.0]

    case = changed(copied("coop_dept", tmp_path), scramble)
    assert replay(case, model=HERE) == replay(HERE / "coop_dept.json")


def test_what_has_no_counterpart_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def idle(meta: dict[str, Any], arrays: dict[str, Any]) -> None:
        """Adds a published parameter without a gradient, and an array for explanation."""
        arrays |= {"start/film_idle.scale": np.ones(3), "fp64/after5/film_idle.scale": np.ones(3), "rows_explained": np.arange(3)}

    case = changed(copied("coop_dept", tmp_path), idle)
    comparison = examine(Record(case), "fp64", HERE)
    assert comparison.left_out() == ["start/film_idle.scale", "fp64/after5/film_idle.scale", "rows_explained"]
    changed(copied("metrics", tmp_path), lambda meta, _: meta["results"].update(perclass_accuracy=3.0))
    unlike = {"base_lr": [0.1], "epochs": 2, "warmup_epochs": 1, "warmup_lr": 0.01, "warmup_type": "linear", "recount": True}
    changed(
        copied("lr_schedule", tmp_path),
        lambda meta, arrays: (meta["schedules"].update(linear=unlike), arrays.update(linear=np.ones((2, 1)))),
    )
    assert main(["golden", str(tmp_path), "--model", str(HERE)]) == 0
    out = capsys.readouterr().out
    for line in (
        "coop_dept.json: not compared, as nothing here gives them: start/film_idle.scale, fp64/after5/film_idle.scale, rows_explained",
        "metrics.json: not compared, as nothing here gives them: results.perclass_accuracy",
        "lr_schedule.json: not compared, as nothing here gives them: linear",
        "3 replayed, 0 not replayed",
    ):
        assert line in out


def test_the_command_replays_all_kinds_and_counts_them(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["golden", str(HERE)]) == 0
    out = capsys.readouterr().out
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in out.splitlines() if line.startswith("│")]
    verdicts = {(case, precision): ok for case, precision, _, _, _, ok in rows}
    both = [(name, precision) for name in [*TRAINED, *OTHERS[:2], "skip_tuning_all_classes"] for precision in ("fp64", "fp32")]
    assert verdicts == dict.fromkeys([*both, *((name, "") for name in OTHERS[2:])], "yes")
    assert out.endswith("12 replayed, 0 not replayed\n")


def test_the_command_fails_above_a_tolerance(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copied("coop_ctx4_init", tmp_path)
    assert main(["golden", str(tmp_path), "--model", str(HERE)]) == 0
    assert "fp32" in capsys.readouterr().out
    assert main(["golden", str(tmp_path), "--model", str(HERE), "--precisions", "fp64"]) == 0
    assert "fp32" not in capsys.readouterr().out
    for limit in ("1e-30", "0"):
        assert main(["golden", str(tmp_path), "--model", str(HERE), "--tolerance", limit]) == 1
        assert "NO" in capsys.readouterr().out
    for limit in ("-1", "nan"):
        assert main(["golden", str(tmp_path), "--model", str(HERE), "--tolerance", limit]) == 2
        assert "--tolerance" in capsys.readouterr().err


def test_the_division_into_base_and_new_is_the_protocols() -> None:
    record = Record(HERE / "fewshot.json")
    splits = {
        split: Examples(tuple(f"{split} {i}" for i in range(len(labels))), tuple(labels.tolist()), lambda _: Image.new("RGB", (1, 1)))
        for split, labels in ((split, record.arrays[f"{split}_labels"]) for split in ("train", "test"))
    }
    names = tuple(record.meta["classnames"].values())
    data = Data(ClassSet("golden", tuple(range(len(names))), names), **splits)
    for seed in record.meta["seeds"]:
        (stage,) = installed().get("protocols", "BaseToNew")().stages(data, lambda _: data, 4, seed)
        picks, labels = (record.arrays[f"seed{seed}/shots4/base/{what}"].tolist() for what in ("train", "train_labels"))
        assert stage.train.examples.ids == tuple(f"train {i}" for i in picks)
        assert stage.train.examples.labels == tuple(labels)
        for task in stage.tests:
            rows, labels = (record.arrays[f"full/{task.name}/{what}"].tolist() for what in ("test", "test_labels"))
            assert task.examples.ids == tuple(f"test {i}" for i in rows)
            assert task.examples.labels == tuple(labels)
            assert list(task.classes.names) == record.meta["subsets"][task.name]["classnames"]


def test_zero_shot_by_the_plugins_method() -> None:
    comparison = Comparison(Record(HERE / "zeroshot.json"), "fp64")
    record, backbone = comparison.record, load(HERE / "zeroshot.json", None, torch.float64)
    classes = ClassSet("golden", tuple(range(10)), tuple(record.meta["classes"]), record.meta["templates"][0])
    plugins = installed()
    features = plugins.get("methods", "ZeroShot")(backbone, classes).features(backbone, comparison.floats("images_eval"), classes)
    comparison.compare("text_features_raw", features.text)
    comparison.compare("logits", plugins.get("heads", "ITM")(backbone.dim, classes)(features))
    assert max(comparison.deviations.values()) < 1e-12


def test_zero_shot_with_several_templates(tmp_path: Path) -> None:
    templates = ["a photo of a {}.", "itap of the {}."]

    def ensemble(meta: dict[str, Any], arrays: dict[str, Any]) -> None:
        backbone = load(HERE / "zeroshot.json", None, torch.float64)
        written = [[template.format(name.replace("_", " ")) for name in meta["classes"]] for template in templates]
        ids = torch.stack([backbone.tokenizer(sentences) for sentences in written])
        raw = torch.stack([backbone.clip.encode_text(row) for row in ids]).detach()
        mean = (raw / raw.norm(dim=-1, keepdim=True)).mean(dim=0)
        text, image = mean / mean.norm(dim=-1, keepdim=True), torch.from_numpy(arrays["fp64/image_features"])
        logits = float(arrays["fp64/logit_scale"]) * (image / image.norm(dim=-1, keepdim=True)) @ text.T
        meta["templates"] = templates
        arrays |= {
            "tokens": ids.numpy(),
            "fp64/text_features_raw": raw.numpy(),
            "fp64/text_features": text.numpy(),
            "fp64/logits": logits.numpy(),
        }

    agrees(changed(copied("zeroshot", tmp_path), ensemble))


MANY = tuple(f"thing_{i} of kind {i % 7}" for i in range(101))
SIGNS = ("St. Bernard Jr.", "Yahoo!", "dog", "who?", "road (wet)")
DOG = Plain().names
METHODS = ("CoOp", "CoCoOp", "KgCoOp", "MaPLe")
VARIANTS, FUSIONS = ("SharedCAT", "MatchingCAT", "ImageOnlyCAT"), ("logits", "probabilities", "none")
SYNTHETIC = {
    "class-specific contexts": Plain(changed={"class_specific": True}),
    "class-specific contexts, class token in the middle": Plain(names=SIGNS, changed={"class_specific": True, "position": "middle"}),
    "class-specific contexts, class token in front": Plain(names=SIGNS, changed={"class_specific": True, "position": "front"}),
    "class-specific contexts, part of the classes": Plain(changed={"class_specific": True}, new=(DOG[2], DOG[0])),
    "class token in front": Plain(names=SIGNS, changed={"n_ctx": 5, "position": "front"}),
    "class token in the middle": Plain(names=SIGNS, changed={"n_ctx": 5, "position": "middle"}),
    "class token in the middle of words": Plain(names=SIGNS, changed={"ctx_init": "a photo of a", "position": "middle"}),
    "17 classes": Plain(names=MANY[:17]),
    "101 classes": Plain(names=MANY),
    "words of several tokens": Plain(changed={"ctx_init": "an_itap photographlike view of"}),
    "CoCoOp, words of several tokens": Plain("CoCoOp", changed={"ctx_init": "an itap photographlike view"}),
    "CoCoOp from a random start": Plain("CoCoOp", changed={"n_ctx": 3, "ctx_init": ""}),
    "KgCoOp, another weight and template": Plain("KgCoOp", changed={"weight": 2.0, "template": "art of the {}."}),
    "KgCoOp without its weight": Plain("KgCoOp", changed={"weight": 0.0}),
    **{f"MaPLe {n} x {depth}": Plain("MaPLe", changed={"n_ctx": n, "depth": depth}) for n, depth in ((2, 1), (2, 3), (4, 2), (3, 3))},
    "MaPLe from a random start": Plain("MaPLe", changed={"n_ctx": 5, "ctx_init": ""}),
    **{f"DePT around {method}": Plain(method, balance=0.7) for method in METHODS},
    **{f"{cat} around {method}": Plain(method, balance=0.7, cat=cat) for cat in VARIANTS for method in METHODS},
    **{f"no transform around {method}": Plain(method, balance=0.7, transform=False) for method in METHODS},
    "v3 without a transform": Plain(balance=0.7, cat="ImageOnlyCAT", transform=False),
    **{f"{cat} without fusion": Plain(balance=0.7, cat=cat, fusion="none") for cat in ("CAT", "MatchingCAT", "ImageOnlyCAT")},
    **{f"probabilities around {method}": Plain(method, balance=0.4, fusion="probabilities") for method in METHODS},
    **{f"balance {balance} around {method}": Plain(method, balance=balance) for balance in (0.0, 0.3, 1.0) for method in METHODS},
    "v3 alone": Plain(balance=1.0, cat="ImageOnlyCAT"),
    **{f"new classes, {method}": Plain(method, new=("cat", "deep_sea")) for method in METHODS},
    **{f"new classes, DePT around {method}": Plain(method, balance=0.7, new=("cat", "deep_sea")) for method in METHODS},
    "new classes without fusion": Plain(balance=0.7, fusion="none", new=("cat", "sea")),
    "new classes, v2": Plain(balance=0.7, cat="MatchingCAT", new=("cat", "sea")),
    **{f"part of the classes, {fusion}": Plain(names=MANY[:5], balance=0.7, fusion=fusion, new=(MANY[4], MANY[1])) for fusion in FUSIONS},
    "part of the classes, v2": Plain(balance=0.7, cat="MatchingCAT", new=DOG[1:]),
    "trained and new classes together": Plain(balance=0.7, new=("cat", DOG[1], "sea", DOG[0])),
    "more new classes than trained ones": Plain("KgCoOp", balance=0.7, new=SIGNS),
}  # fmt: skip


def synthetic(plain: Plain, folder: Path) -> Path:
    """The case, written from a computation that shares only the model's file with depthub's."""
    backbone = load(HERE / "coop_dept.json", None, torch.float64)
    images = torch.from_numpy(np.load(HERE / "coop_dept.npz")["images_train"]).flatten(0, 1)[:17]
    return plain.write(folder / "case.json", backbone.clip, backbone.tokenizer, images.double())


@pytest.mark.parametrize("name", SYNTHETIC)
def test_a_case_of_another_kind(name: str, tmp_path: Path) -> None:
    agrees(synthetic(SYNTHETIC[name], tmp_path))
