"""Checks of training: gradients, the frozen model, repetition, saving, processes, precision."""

from __future__ import annotations

from itertools import pairwise
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from safetensors import safe_open

from depthub.testing import toy
from depthub.testing.case import Case, State, difference, images, prepared_images, scores, training_images, tuned
from depthub.testing.contract import contract
from depthub.testing.processes import TOLERANCE, in_one_process, in_two_processes
from depthub.training.checkpoint import MOMENTUM, Checkpoint


@contract("gradients", "every trainable parameter gets a gradient within two steps of its stage.")
def gradients(case: Case) -> None:
    """A parameter that no loss depends on is saved, counted and reported as tuned, but never learns. A parameter that starts behind a zero
    may wait until the second step, and one of a later stage (`Method.stages`) until the second step of that. What is not to be tuned is a
    buffer, or has `requires_grad` false. A loss is a single number, a tensor of the shape (). Those of `Method.losses` are added to the
    head's, under names of their own: `head` is taken.
    """
    tuner = case.tuner()
    part = tuner.method if case.kind == "methods" else tuner.head
    inputs, labels = training_images(tuner).tensors
    tuner.prepare(*prepared_images(tuner).tensors)
    waiting = {name: p for name, p in part.named_parameters() if p.requires_grad}
    optimizer = torch.optim.SGD(tuner.parameters(), lr=toy.RECIPE.lr)
    steps = ceil(2 / min(end - begin for begin, end in pairwise([0, *tuner.method.stages, 1])))  # at least two of each stage
    for step in range(steps):  # a parameter behind a zero gets its first gradient in the second step
        tuner.method.before_step(step, steps)
        losses = tuner(inputs, toy.BASE, labels)
        assert all(loss.ndim == 0 for loss in losses.values()), "a loss is not a single number, ()"
        total = torch.stack(list(losses.values())).sum()
        if total.requires_grad:
            total.backward()  # type: ignore[no-untyped-call]
        waiting = {name: p for name, p in waiting.items() if p.grad is None or not p.grad.count_nonzero()}
        optimizer.step()
        optimizer.zero_grad()
    assert not waiting, f"none for {', '.join(waiting)}"


@contract("frozen-backbone", "the backbone stays bit-identical and is not a part of the method or head.")
def frozen_backbone(case: Case) -> None:
    """Runs that follow one another share the backbone. A method is given it at every call and need not keep it; assigned to an attribute,
    its parameters would become the method's own. Copies of some weights, as `Backbone.embed` gives them, are fine.
    """
    tuner = case.trained
    frozen = {id(p) for p in tuner.backbone.parameters()}
    shared = [name for part in (tuner.method, tuner.head) for name, p in part.named_parameters() if id(p) in frozen]
    assert not shared, f"the {case.kind.removesuffix('s')} keeps the backbone's parameters as its own, {shared[0]} among them"
    unlocked = [name for name, p in tuner.backbone.named_parameters() if p.requires_grad]
    assert not unlocked, f"{unlocked[0]} of the backbone became trainable"
    fresh = toy.backbone().clip.state_dict()
    changed = [name for name, value in tuner.backbone.clip.state_dict().items() if not torch.equal(value, fresh[name])]
    assert not changed, f"{', '.join(changed)} changed in training"


@contract("determinism", "two trainings with the same seed give the same parameters, bit for bit.")
def determinism(case: Case) -> None:
    """Start values come from torch's generator, which a run seeds before it makes the method and again before it makes the head. In
    training nothing is seeded for you: what needs chance there draws from a `torch.Generator` of its own, seeded in the constructor.
    """
    deviation = difference(tuned(case.trained), case.retrained)
    assert not deviation, deviation


@contract("save-and-load", "a checkpoint restores the scores exactly and holds nothing of the backbone.")
def save_and_load(case: Case) -> None:
    """A checkpoint holds the trainable parameters and the persistent buffers of method and head, and nothing else. All else must follow
    from the constructor's arguments and the seed: state that training changes and that is neither, such as a step counter in a plain
    attribute, is lost when a run is resumed. `after_epoch` is the place to update a buffer from epoch to epoch. A buffer that does follow
    from the constructor's arguments is registered with `persistent=False`.
    """
    with TemporaryDirectory() as folder:
        checkpoint = Checkpoint(Path(folder) / "tuned.safetensors", "toy")
        saved, restored = case.train(checkpoint=checkpoint), case.tuner()
        if not saved.tuned():
            return
        with safe_open(checkpoint.path, "pt") as file:
            foreign = [n for n in file.keys() if n.removeprefix(MOMENTUM).startswith("backbone.")]  # noqa: SIM118 - not a dict
        checkpoint.restore(restored, torch.optim.SGD(restored.parameters()))
    assert not foreign, f"the checkpoint holds {', '.join(foreign)}"
    inputs = images(saved, *toy.TEST).tensors[0]
    apart = (scores(saved, inputs) - scores(restored, inputs)).abs().max().item()
    assert apart == 0, f"restored scores differ by up to {apart:.2g}: training changed what is neither a parameter nor a persistent buffer"


@contract("two-processes", f"two processes give the counts of one, and its parameters within {TOLERANCE:g}.")
def two_processes(case: Case) -> None:
    """Each process sees a part of every batch; its losses count for its share of the images, and gradients are added up. That equals one
    process only if the loss is a mean over the images, or does not depend on them: not a sum, and without comparing the images of a batch
    with one another. A batch may have fewer images than there are processes; one without an image gets an image with weight 0.
    Nothing is compared where `determinism` fails, nor with a method that draws random numbers in its steps, as dropout does.
    """
    one, two = in_one_process(case), in_two_processes(case)
    assert not two.error, two.error
    if difference(tuned(case.trained), case.retrained) or case.draws:
        return  # chance could explain a difference, and the check `determinism` reports it where there should be none
    assert one.state.keys() == two.state.keys(), f"other parameters: {', '.join(sorted(one.state.keys() ^ two.state.keys()))}"
    far = {name: _apart(one.state, two.state, name) for name in one.state}
    worst = max(far, key=lambda name: far[name], default="")
    assert not worst or far[worst] <= TOLERANCE, f"{worst} differs by up to {far[worst]:.2g}; the loss must be a mean over the images"
    assert one.per_class == two.per_class, f"(correct, images, predicted) per class are {two.per_class}, with one process {one.per_class}"


@contract("mixed-precision", "it trains and scores in bf16, tuned parameters stay fp32 and finite, and heads read features in fp32.")
def mixed_precision(case: Case) -> None:
    """Encoders and the method's `prompts` and `features` run under autocast, where the same tensor may be bf16 in one line and fp32 in the
    next. Give new tensors there the dtype of their contents, and use `.float()` for computations that fail in bf16. Heads and the method's
    `losses` get the features in fp32 and run without autocast: in bf16 the scores of different classes tie, and a prediction would depend
    on their order. Leave it so; the same features must give the same predictions.
    """
    tuner = case.train(precision="bf16")
    for name, p in tuner.tuned().items():
        assert p.dtype == torch.float32, f"{name} became {p.dtype}"
        assert p.isfinite().all(), f"{name} is no longer finite"
    inputs = images(tuner, *toy.TEST).tensors[0]
    with torch.no_grad():
        with torch.autocast("cpu", torch.bfloat16):
            features = tuner.method.features(tuner.backbone, inputs, toy.BASE)
            lower = tuner.scores(features)
        full = tuner.scores(features)
    assert lower.isfinite().all(), "scores are not finite"
    apart = int((lower.argmax(dim=-1) != full.argmax(dim=-1)).sum())
    assert not apart, f"the same features give other predictions for {apart} of {len(inputs)} images under autocast than without"


def _apart(one: State, other: State, name: str) -> float:
    return (one[name] - other[name]).abs().max().item()
