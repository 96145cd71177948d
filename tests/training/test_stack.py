"""Runs in one training loop: each goes its own way, as if it were alone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import TensorDataset

import depthub
from depthub import BackboneSpec, ClassSet, Component, DepthubError, Features, PromptMethod, Prompts, RunSpec, Training
from depthub.cli import main
from depthub.encoding.backbone import Backbone
from depthub.records.store import RunResult, Store, document
from depthub.registry.plugins import installed
from depthub.registry.settings import complete, factory
from depthub.training.checkpoint import Checkpoint
from depthub.training.grouping import group_jobs
from depthub.training.job import TrainingJob
from depthub.training.loop import fit, fit_together
from depthub.training.stack import Stack
from depthub.training.tuner import Tuner
from tests.models import CLASSES, random_backbone, write_backbone, write_pictures

RECIPE = Training(epochs=2, batch_size=4, lr=0.02, warmup_lr=0.01)
MATCHING = Component("ITM")
EXACT = 1e-10  # relative, in double precision after several epochs


class Noisy(PromptMethod):
    """Draws random numbers in its prompts and in its loss, as dropout does; nobody told it of other runs."""

    def __init__(self, backbone: Backbone, classes: ClassSet) -> None:
        super().__init__(backbone, classes)
        self.context = nn.Parameter(0.1 * torch.randn(3, backbone.text_width))  # (n, w)

    def prompts(self, classes: ClassSet, image: Tensor | None) -> Prompts:
        return Prompts(text=[F.dropout(self.context, 0.3, self.training)])

    def losses(self, features: Features) -> dict[str, Tensor]:
        return {"noise": (features.text * torch.randn_like(features.text)).mean()}


class Layered(PromptMethod):
    """A context for each class at the input, one for each image before the second layer, and one for all before the third."""

    needs_image = True

    def __init__(self, backbone: Backbone, classes: ClassSet) -> None:
        super().__init__(backbone, classes)
        self.shift = nn.Linear(backbone.dim, backbone.text_width)
        self.own = nn.Parameter(0.1 * torch.randn(len(classes), 2, backbone.text_width))  # (M, n, w)
        self.deep = nn.Parameter(0.1 * torch.randn(2, backbone.text_width))  # (n, w)

    def prompts(self, classes: ClassSet, image: Tensor | None) -> Prompts:
        return Prompts(text=[self.own, self.shift(image)[:, None, None].expand(-1, 1, 2, -1), self.deep])


class Broken(Noisy):
    """Cannot make prompts."""

    def prompts(self, classes: ClassSet, image: Tensor | None) -> Prompts:
        raise ValueError("no prompts")


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return random_backbone()


def job(backbone: Backbone, method: Any, head: Component = MATCHING, seed: int = 1, *, pixels: bool = False, **changes: Any) -> TrainingJob:
    """A run on random images; `changes` of the recipe or of the job."""
    plugins, recipe = installed(), {name: changes.pop(name) for name in [*changes] if hasattr(RECIPE, name)}
    make = factory(complete(method, "methods", plugins), "methods", plugins) if isinstance(method, Component) else method
    torch.manual_seed(seed)
    tuner = Tuner(backbone, make(backbone, CLASSES), factory(complete(head, "heads", plugins), "heads", plugins)(backbone.dim, CLASSES))
    images = torch.randn(14, *((3, 32, 32) if pixels else (24,)), dtype=torch.float64)
    data = TensorDataset(images, torch.randint(5, (14,)))
    return TrainingJob(tuner.double(), data, CLASSES, replace(RECIPE, **recipe), seed, **changes)


def variants(backbone: Backbone, method: Any, **changes: Any) -> list[TrainingJob]:
    """Runs that differ in all that runs of a stack may differ in."""
    return [
        job(backbone, method, seed=1, **changes),
        job(backbone, method, Component("DePT", {"balance": 0.3}), seed=2, lr=0.05, momentum=0.5, **changes),
        job(backbone, method, Component("DePT", {"cat": Component("SharedCAT")}), seed=3, weight_decay=0.01, **changes),
        job(backbone, method, Component("DePT", {"cat": Component("MatchingCAT")}), seed=2, warmup_epochs=0, **changes),
    ]


def trained(jobs: Sequence[TrainingJob]) -> list[dict[str, Tensor]]:
    return [{name: p.detach().clone() for name, p in job.tuner.tuned().items()} for job in jobs]


def alone(jobs: Sequence[TrainingJob]) -> list[dict[str, Tensor]]:
    for c in jobs:
        fit(c.tuner, c.images, c.classes, c.training, c.seed, Accelerator(cpu=True))
    return trained(jobs)


def apart(one: Sequence[dict[str, Tensor]], other: Sequence[dict[str, Tensor]]) -> float:
    """The largest relative difference of a parameter."""
    assert [states.keys() for states in one] == [states.keys() for states in other]
    pairs = [(a[name], b[name]) for a, b in zip(one, other, strict=True) for name in a]
    return max(float((a - b).norm() / b.norm()) for a, b in pairs)


METHODS = {
    "shared": Component("CoOp", {"n_ctx": 3}),
    "per class": Component("CoOp", {"n_ctx": 3, "class_specific": True}),
    "in the middle": Component("CoOp", {"n_ctx": 4, "position": "middle"}),
    "per image": Component("CoCoOp", {"reduction": 4}),
    "with a regulariser": Component("KgCoOp"),
    "deep": Component("DeepLanguage", {"n_ctx": 2, "depth": 3}),
    "random": Noisy,
    "all together": Layered,
}


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_each_run_goes_the_way_it_goes_alone(backbone: Backbone, method: Any) -> None:
    expected, together = alone(variants(backbone, method)), variants(backbone, method)
    before = trained(together)
    assert group_jobs(together, "auto") == [([0, 1, 2, 3], "")]
    assert fit_together(together, Accelerator(cpu=True)) == [None] * 4
    assert apart(trained(together), expected) <= EXACT
    assert min(float((now[n] - b[n]).norm()) for now, b in zip(trained(together), before, strict=True) for n in b) > 0


def test_pixels_are_encoded_together(backbone: Backbone) -> None:
    together = [job(backbone, METHODS["per image"], seed=seed, pixels=True) for seed in (1, 2)]
    expected = alone([job(backbone, METHODS["per image"], seed=seed, pixels=True) for seed in (1, 2)])
    fit_together(together, Accelerator(cpu=True))
    assert apart(trained(together), expected) <= EXACT


def test_a_run_of_its_own_is_bit_identical_to_its_tuner(backbone: Backbone) -> None:
    one = job(backbone, METHODS["shared"], Component("DePT"))
    images, labels = one.images[:4]  # type: ignore[index]
    found, expected = Stack([one.tuner])(images, labels, CLASSES)[0], one.tuner(images, CLASSES, labels)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in found)


def test_a_stack_encodes_once_a_step(backbone: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    groups: list[int] = []
    encode = Backbone.encode_text

    def counted(self: Backbone, classes: ClassSet, prompts: Prompts) -> Tensor:
        groups.append(len(prompts.text[0]))
        return encode(self, classes, prompts)

    monkeypatch.setattr(Backbone, "encode_text", counted)
    fit_together(variants(backbone, METHODS["shared"]), Accelerator(cpu=True))
    assert groups == [4] * 3 * RECIPE.epochs  # 14 images make three batches


def test_a_run_that_diverges_leaves_the_others_alone(backbone: Backbone) -> None:
    told: list[tuple[int, int]] = []

    def jobs(number: Sequence[int]) -> list[TrainingJob]:
        rates = (0.02, 0.02, 0.05)
        made = [
            job(backbone, METHODS["shared"], seed=i, lr=rates[i], warmup_epochs=0, on_epoch=lambda e, _, i=i: told.append((i, e)))
            for i in number
        ]
        if 1 in number:
            made[1].images.tensors[0][5] = float("nan")  # type: ignore[attr-defined]
        return made

    expected, together = alone(jobs([0, 2])), jobs([0, 1, 2])
    first, second, third = fit_together(together, Accelerator(cpu=True))
    assert (first, third) == (None, None)
    assert "the loss is nan in epoch 1: the run diverged; lower training.lr (0.02)" in str(second)
    assert apart(trained([together[0], together[2]]), expected) <= EXACT
    assert told == [(0, 1), (2, 1), (0, 2), (2, 2)]


def test_runs_interrupted_at_different_epochs_go_on_together(backbone: Backbone, tmp_path: Path) -> None:
    def jobs(**changes: Any) -> list[TrainingJob]:
        return [
            replace(c, checkpoint=Checkpoint(tmp_path / f"{i}.safetensors", str(i)), **changes)
            for i, c in enumerate(variants(backbone, METHODS["shared"], epochs=3))
        ]

    def interrupt(epoch: int, _: float) -> None:
        if epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):  # the first run has done two epochs, the others one
        fit_together(jobs(on_epoch=interrupt), Accelerator(cpu=True))
    epochs: list[int] = []
    resumed = jobs(on_epoch=lambda epoch, _: epochs.append(epoch))
    fit_together(resumed, Accelerator(cpu=True))
    assert epochs == [3, 2, 2, 2, 3, 3, 3]
    assert apart(trained(resumed), alone(variants(backbone, METHODS["shared"], epochs=3))) <= EXACT


def test_a_foreign_checkpoint_stops_its_own_run_only(backbone: Backbone, tmp_path: Path) -> None:
    path = tmp_path / "tuned.safetensors"
    fit_together([job(backbone, METHODS["shared"], checkpoint=Checkpoint(path, "another run"))], Accelerator(cpu=True))
    together = [job(backbone, METHODS["shared"], checkpoint=Checkpoint(path, "a run")), job(backbone, METHODS["shared"], seed=2)]
    first, second = fit_together(together, Accelerator(cpu=True))
    assert "belongs to another run" in str(first)
    assert second is None
    assert apart(trained(together[1:]), alone([job(backbone, METHODS["shared"], seed=2)])) <= EXACT


class Forgetful(Noisy):
    """Fails after its first epoch."""

    def after_epoch(self, epoch: int, epochs: int) -> None:
        raise ZeroDivisionError("no epochs left")


def test_a_run_that_cannot_be_kept_ends_alone(backbone: Backbone, tmp_path: Path) -> None:
    """One has no place for its checkpoint, one fails in its own code; the third goes on."""
    (tmp_path / "file").touch()

    def jobs() -> list[TrainingJob]:
        return [
            job(backbone, METHODS["shared"], seed=1, checkpoint=Checkpoint(tmp_path / "file/tuned.safetensors", "a run")),
            job(backbone, Forgetful, seed=2),
            job(backbone, METHODS["shared"], seed=3, checkpoint=Checkpoint(tmp_path / "tuned.safetensors", "a run")),
        ]

    together = jobs()
    first, second, third = fit_together(together, Accelerator(cpu=True))
    assert str(first).startswith(f"cannot write {tmp_path}/file/tuned.safetensors: ")
    assert isinstance(second, ZeroDivisionError)
    assert second.__traceback__ is not None  # a bug keeps its place
    assert third is None
    assert apart(trained(together[2:]), alone([replace(jobs()[2], checkpoint=None)])) <= EXACT
    assert [c.seconds > 0 for c in together] == [True] * 3


def test_runs_are_arranged_by_what_they_share(backbone: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    other = random_backbone()
    runs = [
        job(backbone, METHODS["shared"]),
        job(backbone, Component("ZeroShot")),
        job(backbone, METHODS["per class"]),
        job(backbone, Component("MaPLe", {"depth": 2})),
        job(backbone, METHODS["shared"], batch_size=5),
        job(other, METHODS["shared"]),
        job(backbone, METHODS["shared"], precision="fp16"),
        job(backbone, Component("CoOp", {"n_ctx": 4})),
        job(backbone, Component("CoOp", {"ctx_init": "a photo of"})),
        job(backbone, Component("VPT", {"depth": 1})),
        job(backbone, METHODS["shared"], seed=2, epochs=5),
        job(backbone, Broken),
    ]
    lonely = "no other run has the same classes, prompts and steps"
    assert group_jobs(runs, "auto") == [
        ([0, 10], ""),
        ([1], ""),
        ([2], lonely),
        ([3], "its prompts change the image features"),
        ([4], lonely),
        ([5], lonely),
        ([6], "fp16 scales the losses of one run"),
        ([7], lonely),
        ([8], lonely),
        ([9], "it encodes by itself"),
        ([11], "its prompts raise an error"),
    ]
    assert group_jobs(runs, "off") == [([i], "") for i in range(len(runs))]
    many = [runs[0]] * 33
    assert [len(places) for places, _ in group_jobs(many, "auto")] == [11, 11, 11]
    assert [len(places) for places, _ in group_jobs(many, 17)] == [16, 17]
    monkeypatch.setattr("depthub.training.grouping.SHARE", 1e-12)
    assert [len(places) for places, _ in group_jobs(many, "auto")] == [1] * 33


# Whole runs.


@pytest.fixture(scope="module")
def specs(tmp_path_factory: pytest.TempPathFactory) -> list[RunSpec]:
    folder = tmp_path_factory.mktemp("small")
    recipe = Training(epochs=2, batch_size=4, augmentation="none")
    first = RunSpec(data=write_pictures(folder / "colours"), backbone=write_backbone(folder / "model"), training=recipe, shots=4)
    return [
        first,
        replace(first, method=Component("VisualPrompts")),
        replace(first, head=Component("DePT", {"balance": 0.2}), seed=2),
        replace(first, method=Component("ZeroShot")),
        replace(first, head=Component("DePT", {"cat": Component("ImageOnlyCAT")}), training=replace(recipe, lr=0.1)),
        replace(first, method=Component("VisualPrompts"), seed=2),
    ]


def test_run_files_are_those_of_solitary_runs(specs: list[RunSpec], tmp_path: Path) -> None:
    done: list[int] = []
    notes: list[str] = []
    epochs: list[int] = []
    together = depthub.run_many(
        specs,
        runs=tmp_path / "together",
        on_done=lambda i, r, found: done.append(i),
        on_epoch=lambda epoch, _: epochs.append(epoch),
        on_note=notes.append,
    )
    apart = depthub.run_many(specs, runs=tmp_path / "alone", stack="off")
    assert [r.spec for r in together] == [r.spec for r in apart]
    assert done == [0, 2, 4, 1, 5, 3]  # those that may train together follow the first of them
    assert notes == ["2 runs of VisualPrompts trained alone: its prompts change the image features"]
    assert sorted(epochs) == sorted([1, 2] * 5)
    assert [r.provenance["execution"].get("stacked") for r in together] == [3, None, 3, None, 3, None]
    for one, other in zip(together, apart, strict=True):
        assert told(one) == told(other)
        files = [sorted(p.name for p in Store(tmp_path / where).path(one.spec).iterdir()) for where in ("together", "alone")]
        assert files[0] == files[1]
    assert all(r.cost["train_s"] > 0 for r in together if r.cost["params_trainable"])


def told(result: RunResult) -> dict[str, Any]:
    """A run's document without what the company of others may change."""
    made = document(result)
    made["provenance"]["execution"].pop("stacked", None)
    return {key: value for key, value in made.items() if key not in ("cost", "sha256")}


def test_the_embedded_models_counts_do_not_depend_on_company(tmp_path: Path) -> None:
    recipe = Training(epochs=1, batch_size=8)
    asked = [RunSpec(head=Component(head), shots=2, seed=seed, training=recipe) for head in ("ITM", "DePT") for seed in (1, 2)]
    together = depthub.run_many(asked, runs=tmp_path / "together", stack=4)
    apart = depthub.run_many(asked, runs=tmp_path / "alone", stack="off")
    assert [r.counts for r in together] == [r.counts for r in apart]
    assert {r.provenance["execution"].get("stacked") for r in together} == {4}


def test_an_interrupted_stack_is_resumed(specs: list[RunSpec], tmp_path: Path) -> None:
    asked = [specs[0], specs[2], specs[4]]
    told: list[int] = []

    def interrupt(epoch: int, _: float) -> None:
        told.append(epoch)
        if len(told) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        depthub.run_many(asked, runs=tmp_path, on_epoch=interrupt)
    assert not list(tmp_path.glob("*/run.json"))
    epochs: list[int] = []
    found = depthub.run_many(asked, runs=tmp_path, on_epoch=lambda epoch, _: epochs.append(epoch))
    assert sorted(epochs) == [1, 2, 2, 2]
    assert [r.counts for r in found] == [r.counts for r in depthub.run_many(asked, runs=tmp_path / "whole", stack="off")]


def test_a_diverging_run_fails_alone(specs: list[RunSpec], tmp_path: Path) -> None:
    assert specs[0].training
    overflowing = Component("DePT", {"cat": Component("CAT", {"lr_scale": 1e39})})
    wild = replace(specs[0], head=overflowing, training=replace(specs[0].training, warmup_epochs=0))
    outcomes: dict[int, RunResult | Exception] = {}
    with pytest.raises(DepthubError, match="the run diverged"):
        depthub.run_many([specs[0], wild, specs[2]], runs=tmp_path, on_done=lambda i, r, _: outcomes.update({i: r}))
    assert isinstance(outcomes[1], DepthubError)
    assert [isinstance(outcomes[i], RunResult) for i in (0, 2)] == [True, True]


def test_a_faulty_run_is_refused_before_the_others_train(specs: list[RunSpec], tmp_path: Path) -> None:
    outcomes: dict[int, RunResult | Exception] = {}
    faulty = replace(specs[0], head=Component("CAT"))  # cannot score new classes
    with pytest.raises(DepthubError, match="use DePT around it"):
        depthub.run_many([specs[0], faulty, specs[2]], runs=tmp_path, on_done=lambda i, r, _: outcomes.update({i: r}))
    assert sorted(outcomes) == [0, 1, 2]
    assert len(list(tmp_path.glob("*/run.json"))) == 2


def test_a_size_must_be_positive(tmp_path: Path) -> None:
    with pytest.raises(DepthubError, match="stack is 0, expected auto, off or at least 1"):
        depthub.run_many([RunSpec(backbone=BackboneSpec())], runs=tmp_path, stack=0)


def test_the_command_line_says_why_runs_train_alone(specs: list[RunSpec], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, model = specs[0].data.name, specs[0].backbone
    line = ["run", "--data", data, "--backbone.model", model.model, "--backbone.pretrained", model.pretrained, "--method", "VisualPrompts"]
    line += ["--seeds", "1", "2", "--shots", "2", "--training.epochs", "1", "--runs", str(tmp_path)]
    assert main([*line, "--stack", "4"]) == 0
    assert "depthub: 2 runs of VisualPrompts trained alone: its prompts change the image features\n" in capsys.readouterr().err
    assert main([*line, "--stack", "0", "--force"]) == 2
    assert "--stack: got '0', expected" in capsys.readouterr().err


def test_products_do_not_depend_on_the_rows_beside() -> None:
    """In a fresh process, as a run has it: a stack gives the bits of solitary runs, whatever its size."""
    program = """
import torch
from depthub.compute.linear import linear
torch.set_num_threads(1)
draw = torch.Generator().manual_seed(0)
x, w = torch.randn(700, 512, generator=draw), torch.randn(128, 512, generator=draw)
whole = linear(x, w)
assert all(torch.equal(linear(x[:rows], w), whole[:rows]) for rows in (5, 8, 12, 61, 305))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
