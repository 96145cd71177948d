"""From a spec to a run file: whole runs on small real models and pictures."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import debug_launcher
from safetensors.torch import load_file
from torch.utils.checkpoint import checkpoint

import depthub
from depthub import BackboneSpec, Component, DataSpec, DepthubError, RunSpec, Training
from depthub.encoding import image_tower
from depthub.records.store import Store
from depthub.running.runner import resolve
from tests.models import write_backbone, write_pictures

QUICK = Training(epochs=2, batch_size=4)


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> RunSpec:
    folder = tmp_path_factory.mktemp("small")
    return RunSpec(data=write_pictures(folder / "colours"), backbone=write_backbone(folder / "model"), training=QUICK, shots=4)


@pytest.mark.parametrize("head", ["ITM", "DePT"])
@pytest.mark.parametrize("method", [Component("ZeroShot"), Component("CoOp"), Component("CoOp", {"ctx_init": "a photo of a"})])
def test_a_run_gives_counts_and_a_second_one_finds_them(spec: RunSpec, method: Component, head: str, tmp_path: Path) -> None:
    spec = replace(spec, method=method, head=Component(head))
    result = depthub.run(spec, runs=tmp_path)
    assert set(result.counts) == {"base", "new"}
    assert [c.n_total for c in result.counts.values()] == [15, 10]
    assert result.scores["base"] == pytest.approx(100 * result.counts["base"].n_correct / 15)
    path = tmp_path / result.spec.run_id / "run.json"
    before = path.read_bytes()
    on_disk: list[bool] = []
    (again,) = depthub.run_many([spec], runs=tmp_path, on_done=lambda i, r, found_on_disk: on_disk.append(found_on_disk))
    assert on_disk == [True]
    assert again.counts == result.counts
    assert path.read_bytes() == before


def test_the_same_spec_gives_the_same_counts(spec: RunSpec, tmp_path: Path) -> None:
    spec = replace(spec, head=Component("DePT"))
    counts = [depthub.run(spec, runs=tmp_path / str(i)).counts for i in range(2)]
    assert counts[0] == counts[1]
    assert depthub.run(spec, runs=tmp_path / "0", force=True).counts == counts[0]


def test_recomputing_changes_no_number(spec: RunSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec, layers = replace(spec, method=Component("MaPLe", {"depth": 2})), []

    def recording(layer: Any, *args: Any, **kwargs: Any) -> Any:
        layers.append(layer)
        return checkpoint(layer, *args, **kwargs)

    monkeypatch.setattr(image_tower, "checkpoint", recording)
    once = depthub.run(spec, runs=tmp_path / "once")
    assert layers == []
    again = depthub.run(spec, runs=tmp_path / "again", recompute=True)
    assert layers
    assert again.counts == once.counts
    tuned, other = (load_file(tmp_path / name / once.spec.run_id / "tuned-0.safetensors") for name in ("once", "again"))
    assert tuned.keys() == other.keys()
    assert all(torch.equal(tuned[name], other[name]) for name in tuned)


def test_operations_are_deterministic_during_a_deterministic_run_only(spec: RunSpec, tmp_path: Path) -> None:
    deterministic: list[bool] = []

    def on_epoch(done: int, loss: float) -> None:
        deterministic.append(torch.are_deterministic_algorithms_enabled())

    result = depthub.run(spec, runs=tmp_path / "one", deterministic=True, on_epoch=on_epoch)
    depthub.run_many([replace(spec, seed=2)], runs=tmp_path / "many", deterministic=True, on_epoch=on_epoch)
    assert depthub.run(spec, runs=tmp_path / "free", on_epoch=on_epoch).counts == result.counts
    assert deterministic == [True] * 4 + [False] * 2


def _run_in_processes(specs: list[RunSpec], folder: str) -> None:
    depthub.run_many(specs, runs=Path(folder))


@pytest.mark.parametrize("augmentation", ["none", "published"])
def test_two_processes_give_the_counts_of_one(spec: RunSpec, augmentation: str, tmp_path: Path) -> None:
    spec = replace(spec, head=Component("DePT"), training=replace(QUICK, augmentation=augmentation))
    specs = [spec, replace(spec, seed=2)]
    depthub.run_many(specs, runs=tmp_path / "one")
    debug_launcher(_run_in_processes, (specs, str(tmp_path / "two")), num_processes=2)
    one, two = (list(Store(tmp_path / folder).results()) for folder in ("one", "two"))
    assert [r.counts for r in two] == [r.counts for r in one]
    executions = [[r.provenance["execution"] for r in results] for results in (one, two)]
    assert [[(e["world_size"], e.get("stacked")) for e in each] for each in executions] == [[(1, 2)] * 2, [(2, None)] * 2]


@pytest.mark.parametrize("precision", ["bf16", "fp32"])
def test_mixed_precision_runs_beside_full_precision(spec: RunSpec, precision: str, tmp_path: Path) -> None:
    result = depthub.run(replace(spec, training=replace(QUICK, precision=precision)), runs=tmp_path)
    assert result.counts["base"].n_total == 15


def test_half_precision_needs_a_device_that_has_it(spec: RunSpec, tmp_path: Path) -> None:
    with pytest.raises(DepthubError, match="cpu cannot train in fp16; use bf16 or fp32"):
        depthub.run(replace(spec, training=replace(QUICK, precision="fp16")), runs=tmp_path)
    assert not list(tmp_path.rglob("*.json"))


def test_an_interrupted_run_is_resumed_and_leaves_nothing_half_written(spec: RunSpec, tmp_path: Path) -> None:
    expected = depthub.run(spec, runs=tmp_path / "whole")

    def interrupt(epoch: int, _: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        depthub.run(spec, runs=tmp_path / "cut", on_epoch=interrupt)
    assert sorted(p.name for p in (tmp_path / "cut").rglob("*") if p.is_file()) == ["history.jsonl", "tuned-0.safetensors"]
    epochs: list[int] = []
    assert depthub.run(spec, runs=tmp_path / "cut", on_epoch=lambda epoch, _: epochs.append(epoch)).counts == expected.counts
    assert epochs == [2]


def test_resolving_writes_everything_out(spec: RunSpec) -> None:
    full = resolve(spec)
    assert full.method.settings == {"n_ctx": 16, "ctx_init": "", "class_specific": False, "position": "end"}
    assert full.training.augmentation == "published"
    assert full.data.sha256
    assert full.backbone.sha256
    assert resolve(full) == full
    explicit = replace(spec, method=Component("CoOp", {"n_ctx": 16}), training=replace(QUICK, augmentation="published"))
    assert resolve(explicit).run_id == full.run_id
    assert RunSpec.of(json.loads(json.dumps(full.as_dict()))) == full


def test_a_run_is_named_by_what_is_in_the_files_not_by_where_they_lie(spec: RunSpec, tmp_path: Path) -> None:
    moved = replace(spec, data=write_pictures(tmp_path / "colours"), backbone=write_backbone(tmp_path / "model"))
    assert resolve(moved).run_id == resolve(spec).run_id
    (tmp_path / "colours" / "train" / "red" / "0.png").unlink()
    assert resolve(moved).run_id != resolve(spec).run_id


def test_scarce_classes_keep_all_they_have_and_are_named(tmp_path: Path, spec: RunSpec) -> None:
    data = write_pictures(tmp_path / "pictures", train=6)
    (tmp_path / "pictures/train/blue/0.png").unlink()
    result = depthub.run(replace(spec, data=data, shots=6), runs=tmp_path / "runs")
    assert result.warnings == ("fewer than 6 training images, all are used: blue (5)",)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": Component("CoUp")}, r"unknown method 'CoUp'; did you mean 'CoOp'\?"),
        ({"head": Component("Dept")}, r"unknown head 'Dept'; did you mean 'DePT'\?"),
        ({"protocol": Component("BaseToNow")}, r"did you mean 'BaseToNew'\?"),
        ({"data": DataSpec("folder:/nowhere")}, "no folder /nowhere"),
        ({"data": DataSpec("tonnes")}, "unknown data set 'tonnes'"),
        ({"data": DataSpec("tones", test_fraction=0.3)}, "test_fraction is for folder:PATH and list:FILE only"),
        ({"backbone": BackboneSpec("ViT-B-61", "openai")}, "unknown backbone"),
        ({"method": Component("CoOp", {"n_cxt": 4})}, r"CoOp has no setting 'n_cxt'; did you mean 'n_ctx'\?"),
        ({"method": Component("CoOp", {"n_ctx": "4"})}, "n_ctx is '4', expected int"),
        ({"method": Component("CoOp", {"position": "top"})}, "position is 'top', expected one of end, middle, front"),
        ({"method": Component("CoOp", {"n_ctx": 0})}, "n_ctx is 0, expected at least 1"),
        ({"method": Component("CoOp", {"n_ctx": 37})}, "the prompt of class 'blue' has 41 tokens"),
        ({"method": Component("CoOp", {"n_ctx": 60})}, "a context of 60 tokens, expected 1 to 40"),
        ({"method": Component("CoOp", {"n_ctx": 10**30})}, "n_ctx is 1000000000000000000000000000000, expected int"),
        ({"method": Component("MaPLe", {"n_ctx": 0, "depth": 2})}, "MaPLe: n_ctx is 0"),
        ({"head": Component("DePT", {"cat": "Cat"})}, r"unknown head 'Cat'; did you mean 'CAT'\?"),
        ({"head": Component("DePT", {"cat": 3})}, "DePT: cat: a component is 3, expected its name"),
        ({"method": Component("CoOp", {"n_ctx": Component("CAT")})}, "CoOp: n_ctx is Component"),
        ({"method": Component("CoOp", {"class_specific": True})}, "set class_specific to false"),
        ({"head": Component("CAT")}, "wrap it in DePT"),
        ({"head": Component("DePT", {"balance": 1.5})}, r"balance is 1.5, expected a weight in \[0, 1\]"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(spec: RunSpec, change: dict[str, object], message: str, tmp_path: Path) -> None:
    with pytest.raises(DepthubError, match=message):
        depthub.run(replace(spec, **change), runs=tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("field", "value"), [("shots", 0), ("seed", -1)])
def test_numbers_out_of_range(field: str, value: int) -> None:
    with pytest.raises(DepthubError, match=f"{field} is {value}"):
        RunSpec(**{field: value})
    with pytest.raises(DepthubError, match="epochs is -1"):
        Training(epochs=-1)


@pytest.mark.parametrize("depth", [1, 3])
def test_a_third_partys_image_prompts_run_under_dept(spec: RunSpec, depth: int, tmp_path: Path) -> None:
    """That plugin does not mention DePT, and DePT does not mention its prompts."""
    method = Component("VisualPrompts", {"depth": depth})
    result = depthub.run(replace(spec, method=method, head=Component("DePT"), data=DataSpec("squares")), runs=tmp_path)
    assert result.cost["params_trainable"] == depth * method_width(result) * 48 + 4 * 24 + 2 * 24 + 2
    assert result.provenance["plugins"][0]["distribution"] == "depthub-third-party-example"
    assert result.scores["base"] > 0


def method_width(result: depthub.RunResult) -> int:
    """Tokens per layer of the third party's method."""
    return int(result.spec.method.settings["n_ctx"])
