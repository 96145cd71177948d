"""Missing, damaged, incomplete or unknown records: each gets one line that names the fault."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from depthub.cli import main
from depthub.errors import DepthubError
from depthub.testing import replay
from depthub.testing.golden import cases
from tests.golden_cases import HERE, Change, altered, changed, copied


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (
            "model.safetensors",
            "model.safetensors is a file; give with --model the folder that holds model.safetensors and small_clip.json: ",
        ),
        ("nowhere", "no model.safetensors in "),
        ("half", "no small_clip.json in "),
    ],
)
def test_a_model_that_is_no_folder_of_a_model(model: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copied("coop_ctx4_init", tmp_path)
    (tmp_path / "half").mkdir()
    for folder in (tmp_path, tmp_path / "half"):
        shutil.copy(HERE / "model.safetensors", folder)
    assert main(["golden", str(tmp_path), "--model", str(tmp_path / model)]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1
    with pytest.raises(DepthubError, match=says):
        replay(tmp_path / "coop_ctx4_init.json", model=tmp_path / model)


def test_the_model_is_looked_for_beside_the_case_and_one_folder_above(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    case = copied("coop_ctx4_init", tmp_path / "more")
    with pytest.raises(DepthubError, match="say where with --model"):
        replay(case)
    (tmp_path / "public").mkdir()
    for name in ("model.safetensors", "small_clip.json"):
        shutil.copy(HERE / name, tmp_path / "public")
    assert max(replay(case).values()) < 1e-10


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("model.safetensors", b"", "cannot load the records' model"),
        ("model.safetensors", (8).to_bytes(8, "little") + b"{}      ", "it has no 'token_embedding.factor_a'"),
        ("small_clip.json", b"{", "cannot load the records' model"),
        ("small_clip.json", b"[]", "cannot load the records' model"),
        ("small_clip.json", b'{"embed_dim": 3, "depth": 3}', "cannot load the records' model"),
        ("small_clip.json", (HERE / "small_clip.json").read_bytes().replace(b"128", b"192"), "size mismatch"),
    ],
)
def test_a_damaged_model(name: str, content: bytes, says: str, tmp_path: Path) -> None:
    case = copied("coop_ctx4_init", tmp_path)
    for part in ("model.safetensors", "small_clip.json"):
        shutil.copy(HERE / part, tmp_path)
    assert max(replay(case).values()) < 1e-10
    (tmp_path / name).write_bytes(content)  # another file is another model, also within one process
    with pytest.raises(DepthubError, match=says) as caught:
        replay(case)
    assert "\n" not in str(caught.value)


def pickled(path: Path) -> None:
    np.savez(path, evil=np.array([Trap()], dtype=object))


class Trap:
    """Fails the test when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return pytest.fail, ("unpickled",)


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "no arrays": (
        lambda case: case.with_suffix(".npz").unlink(),
        "npz is missing; a case is NAME.json with its arrays in NAME.npz beside it",
    ),
    "no JSON": (lambda case: case.unlink(), "json is missing; a case is NAME.json"),
    "cut off": (lambda case: case.with_suffix(".npz").write_bytes(case.with_suffix(".npz").read_bytes()[:9000]), "cannot read .*npz: "),
    "no bytes": (lambda case: case.with_suffix(".npz").write_bytes(b""), "cannot read .*npz: "),
    "flipped": (lambda case: case.with_suffix(".npz").write_bytes(flipped(case.with_suffix(".npz"))), "cannot read the array "),
    "objects": (lambda case: pickled(case.with_suffix(".npz")), "cannot read the array 'evil': Object arrays cannot be loaded"),
    "a pickle": (lambda case: case.with_suffix(".npz").write_bytes(pickle.dumps(Trap())), "cannot read .*npz: "),
    "one array": (lambda case: case.with_suffix(".npz").write_bytes(one_array()), "holds a single array"),
    "texts": (lambda case: np.savez(case.with_suffix(".npz"), a=np.array(["b"])), "'a' is <U1, expected an array of numbers"),
    "half a JSON": (lambda case: case.write_text('{"classes": ['), "cannot read .*json: "),
    "another encoding": (lambda case: case.write_bytes('{"classes": "ü"}'.encode("latin-1")), "cannot read .*json: "),
    "a deep JSON": (lambda case: case.write_text("[" * 100_000), "cannot read .*json: "),
    "a list": (lambda case: case.write_text("[1]"), "holds list, expected a JSON object"),
    "a pipe": (lambda case: (case.unlink(), os.mkfifo(case)), "json is not a file; a case is NAME.json"),
    "a folder": (lambda case: (case.unlink(), case.mkdir()), "json is not a file; a case is NAME.json"),
}


def flipped(path: Path) -> bytes:
    """The bytes of a file, with some of its largest array changed."""
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 99] = bytes(99)
    return bytes(content)


def one_array() -> bytes:
    stream = BytesIO()
    np.save(stream, np.ones(3))
    return stream.getvalue()


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_case_is_one_line_and_the_others_still_run(broken: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    damage, says = BROKEN[broken]
    case = copied("cocoop", tmp_path)
    copied("metrics", tmp_path)
    damage(case)
    with pytest.raises(DepthubError, match=says) as caught:
        replay(case, model=HERE)
    assert "\n" not in str(caught.value)
    assert main(["golden", str(tmp_path), "--model", str(HERE)]) == 1
    out = capsys.readouterr().out
    assert str(caught.value) in out.splitlines()
    assert out.endswith("1 replayed, 0 not replayed, 1 failed\n")


def test_hidden_files_and_the_models_are_no_cases(tmp_path: Path) -> None:
    case = copied("metrics", tmp_path)
    shutil.copy(HERE / "small_clip.json", tmp_path)
    (tmp_path / "._metrics.json").write_bytes(b"\0")
    (tmp_path / "alone.npz").write_bytes(b"")
    assert cases(tmp_path) == [tmp_path / "alone.json", case]


@pytest.mark.parametrize(("place", "says"), [("nowhere", "is not a folder"), ("metrics.json", "give "), ("empty", "no cases in")])
def test_no_folder_of_cases(place: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copied("metrics", tmp_path)
    (tmp_path / "empty").mkdir()
    assert main(["golden", str(tmp_path / place)]) == 2
    assert says in capsys.readouterr().err


def test_a_case_of_an_unknown_kind_is_not_replayed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "other\x1b[31m.json").write_text("{}")
    np.savez(tmp_path / "other\x1b[31m.npz", a=np.ones(1))
    assert main(["golden", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "its keys and arrays are those of no kind that is replayed" in out
    assert "0 replayed, 1 not replayed" in out
    assert "\x1b[31m" not in out


def without(*names: str) -> Change:
    def change(meta: dict[str, Any], arrays: dict[str, Any]) -> None:
        inner = meta
        for name in names[:-1]:
            inner = inner[name]
        del inner[names[-1]]

    return change


def dropped(array: str) -> Change:
    return lambda meta, arrays: arrays.pop(array)


def added(*arrays_added: str) -> Change:
    return lambda meta, arrays: arrays.update(dict.fromkeys(arrays_added, np.ones((6, 9))))


FAULTS: dict[str, tuple[str, Change, str]] = {
    **{
        f"no {'.'.join(names)}": ("coop_dept", without(*names), rf"the key '{'.'.join(names)}' is missing".replace(".", r"\."))
        for names in (
            ("replay",),
            ("replay", "method"),
            ("replay", "method", "name"),
            ("replay", "head", "settings"),
            ("replay", "head", "settings", "cat", "name"),
            ("replay", "parameters"),
            ("classes",),
            ("batch_size",),
            ("steps",),
            ("optimizer",),
            ("optimizer", "momentum"),
            ("optimizer", "lr_of_parameter", "film_lp_img.bias"),
        )
    },
    **{
        f"no {array}": ("coop_dept", dropped(array), f"the array '{array}' is missing")
        for array in ("images_train", "labels_train", "images_eval", "start/prompt_learner.ctx", "start/linear_probe_proj.bias")
    },
    **{
        f"unknown {name}": ("coop_dept", added(name), f"nothing here compares the array '{name}'")
        for name in (
            "fp64/eval_start_new/logits",
            "fp64/eval_after5_subset/logits",
            "fp64/eval_after1/logits",
            "fp64/eval_after5/logits_fused",
            "fp64/lambda0.3/logits",
            "fp64/after2/prompt_learner.ctx",
            "fp64/grad/adapter.scale",
            "fp64/after1/adapter.scale",
            "fp64/train/loss_total",
            "fp64/sched/momentum",
            "fp64/logits",
            "fp64/",
            "fp32/losses",
        )
    },
    "the nearest name": ("coop_dept", added("fp64/eval_after5/logits_cats"), r"; did you mean 'eval_after5/logits_cat'\?"),
    "unknown in zero-shot": ("zeroshot", added("fp64/loss"), "nothing here compares the array 'fp64/loss'"),
    "unknown in importance": (
        "channel_importance_512_even",
        added("fp64/base/window0"),
        "nothing here compares the array 'fp64/base/window0'",
    ),
    "new classes untold": ("coop_dept", added("fp64/eval_after5_new/logits"), "the key 'new_classes' is missing"),
    "unknown method": (
        "coop_dept",
        lambda meta, _: meta["replay"]["method"].update(name="CoOpp"),
        "unknown method 'CoOpp'; did you mean 'CoOp'",
    ),
    "unknown setting": ("coop_dept", lambda meta, _: meta["replay"]["method"]["settings"].update(n_ctxs=1), "CoOp has no setting 'n_ctxs'"),
    "a method as text": ("coop_dept", lambda meta, _: meta["replay"].update(method="CoOp"), "replay.method"),
    "settings as list": (
        "coop_dept",
        lambda meta, _: meta["replay"]["head"].update(settings=[1]),
        r"replay.head.settings is \[1\], expected dict",
    ),
    "a parameter elsewhere": (
        "coop_dept",
        lambda meta, _: meta["replay"]["parameters"].update({"film_lp_img.scale": "head.cat.image.gama"}),
        "maps 'film_lp_img.scale' to 'head.cat.image.gama', which is not trained here; did you mean 'head.cat.image.gamma'",
    ),
    "a frozen parameter": (
        "coop_dept",
        lambda meta, _: meta["replay"]["parameters"].update({"film_lp_img.scale": "backbone.clip.logit_scale"}),
        "which is not trained here",
    ),
    "a parameter twice": (
        "coop_dept",
        lambda meta, _: meta["replay"]["parameters"].update({"film_lp_img.scale": "method.context"}),
        "no two of them to one of ours",
    ),
    "no parameters": ("coop_dept", lambda meta, _: meta["replay"].update(parameters={}), "at least one published parameter"),
    "a parameter too few": (
        "coop_dept",
        lambda meta, arrays: (meta["replay"]["parameters"].pop("film_lp_img.scale"), arrays.pop("fp64/grad/film_lp_img.scale")),
        "nothing here compares the array 'fp32/grad/film_lp_img.scale'",
    ),
    "an unmapped parameter": (
        "coop_dept",
        lambda meta, arrays: (
            meta["replay"]["parameters"].pop("film_lp_img.scale"),
            [arrays.pop(f"{p}/grad/film_lp_img.scale") for p in ("fp64", "fp32")],
        ),
        "does not map the trained parameter 'head.cat.image.gamma'",
    ),
    "a start that would spread": (
        "coop_dept",
        lambda _, arrays: arrays.update({"start/prompt_learner.ctx": np.ones(64)}),
        r"'start/prompt_learner.ctx' has the shape \(64,\), expected \(16, 64\)",
    ),
    "steps as text": ("coop_dept", lambda meta, _: meta.update(steps="5"), "steps is '5', expected int"),
    "true steps": ("coop_dept", lambda meta, _: meta.update(steps=True), "steps is True, expected int"),
    "other steps": ("coop_dept", lambda meta, _: meta.update(steps=6), r"'images_train' has the shape .*, expected \(6, 4, 3, 32, 32\)"),
    "few steps": ("coop_dept", lambda meta, _: meta.update(steps=3), "steps is 3, expected 5"),
    "another batch": ("coop_dept", lambda meta, _: meta.update(batch_size=3), r"expected \(5, 3, 3, 32, 32\)"),
    "no classes": ("coop_dept", lambda meta, _: meta.update(classes=[]), "classes is empty"),
    "a number as class": ("coop_dept", lambda meta, _: meta.update(classes=[3]), "an entry of classes is 3, expected str"),
    "fewer classes": ("coop_dept", lambda meta, _: meta.update(classes=["a", "b"]), "'labels_train' has to hold integers from 0 to 1"),
    "labels that are no integers": (
        "coop_dept",
        lambda _, arrays: arrays.update(labels_train=arrays["labels_train"] / 2),
        "'labels_train' has to hold integers",
    ),
    "a negative rate": ("coop_dept", lambda meta, _: meta["optimizer"].update(momentum=-1), "optimizer.momentum is -1, expected 0 or more"),
    "an infinite rate": (
        "coop_dept",
        lambda meta, _: meta["optimizer"].update(weight_decay=float("inf")),
        "weight_decay is inf, expected float",
    ),
    "a huge rate": ("coop_dept", lambda meta, _: meta["optimizer"].update(weight_decay=10**400), "weight_decay is 1000"),
    "no CAT": (
        "coop_dept",
        lambda meta, _: meta["replay"].update(json.loads((HERE / "coop_ctx16_end.json").read_text())["replay"]),
        "nothing here compares the array 'fp64/grad/film_lp_img.scale'",
    ),
    "no such part": ("cocoop", added("fp64/eval_start/logits_cat"), "the head ITM has no part 'cat', of which something is recorded"),
    "no such loss": ("cocoop", added("fp64/train/loss_kg"), "the method CoCoOp has no loss of its own"),
    "nothing recorded": ("metrics", lambda meta, arrays: (meta.update(results={}), arrays.pop("predictions")), "nothing is recorded"),
    "an array not listed in its shape": (
        "metrics",
        lambda meta, _: meta.update(arrays=[{"name": "labels", "shape": [3]}]),
        r"'labels' has the shape \[60\], listed is \[3\]",
    ),
    "an array that is listed and missing": (
        "metrics",
        lambda meta, _: meta.update(arrays=[{"name": "weights", "shape": [3]}]),
        "the array 'weights' is missing",
    ),
    "a list of arrays that is none": ("metrics", lambda meta, _: meta.update(arrays=3), "arrays is 3, expected list"),
    "a class too high": ("metrics", altered("labels", 99), "'labels' has to hold integers from 0 to 7"),
    "no shots": ("fewshot", lambda meta, _: meta.update(shots=[1, -1]), "an entry of shots is -1, expected at least 1"),
    "other epochs": ("lr_schedule", lambda meta, _: meta["schedules"]["cocoop"].update(epochs=10**9), r"has the shape \(10, 1\)"),
    "no warm-up": ("lr_schedule", without("schedules", "cocoop", "warmup_lr"), r"the key 'schedules.cocoop.warmup_lr' is missing"),
    "a window too wide": (
        "channel_importance_512_even",
        lambda _, arrays: arrays.update({"fp64/all/window513": np.ones(512)}),
        "window is 513, expected 1 to 512",
    ),
    "more classes": (
        "channel_importance_512_even",
        lambda meta, _: meta.update(n_cls=5),
        r"'text_features' has the shape \(4, 512\), expected \(5, 512\)",
    ),
    "no template": ("zeroshot", lambda meta, _: meta.update(templates=[]), "templates is empty"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_missing_or_unknown_is_named(fault: str, tmp_path: Path) -> None:
    name, change, says = FAULTS[fault]
    case = changed(copied(name, tmp_path), change)
    with pytest.raises(DepthubError, match=says) as caught:
        replay(case, model=HERE)
    assert str(caught.value).startswith(str(case))
    assert "\n" not in str(caught.value)


def test_precisions_that_are_not_there(tmp_path: Path) -> None:
    case = changed(copied("coop_ctx4_init", tmp_path), lambda _, arrays: [arrays.pop(name) for name in list(arrays) if name[:5] == "fp32/"])
    with pytest.raises(DepthubError, match=r"has no fp32 records; ask for fp64$"):
        replay(case, "fp32", HERE)
    with pytest.raises(DepthubError, match=r"precision is 'fp16', expected one of fp64, fp32"):
        replay(case, "fp16", HERE)
    assert main(["golden", str(tmp_path), "--model", str(HERE)]) == 0
    assert main(["golden", str(tmp_path), "--model", str(HERE), "--precisions", "fp32"]) == 1
