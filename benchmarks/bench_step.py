"""One training step: forward, loss, backward, SGD."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch
from open_clip import IMAGENET_CLASSNAMES
from torch import Tensor

from benchmarks.cases import CARS, EMBEDDED, LARGE, MANY, STEPS, Case, backbone, parts
from benchmarks.floor import step_gflop
from benchmarks.measure import OURS, PLAIN, TOLERANCE, Benchmark, side_by_side, step_errors, through, total, variants
from depthub import Backbone, ClassSet, Prompts
from depthub.spec import Training
from depthub.training.tuner import Tuner

RECIPE = Training()


@pytest.mark.parametrize("case", STEPS, ids=str)
def test_step(benchmark: Benchmark, case: Case) -> None:
    tuners = case.pair()
    images, labels = case.images(case.batch)
    errors = step_errors(*tuners, images, case.classes, labels)
    assert max(errors.values()) <= TOLERANCE
    benchmark.extra_info.update(errors)
    rounds = 30 if case.backbone == EMBEDDED else 3 if case.number <= 50 else 2  # ViT-B/16 takes seconds a step
    ours, plain = (stepper(tuner, images, case.classes, labels) for tuner in tuners)
    side_by_side(benchmark, f"step: {case}", rounds, variants(ours, plain), step_gflop(case))


@pytest.mark.parametrize("case", MANY, ids=str)
def test_many_classes(benchmark: Benchmark, case: Case) -> None:
    tuner = Tuner(backbone(case.backbone), *parts(backbone(case.backbone), case.method, case.classes))
    ours = stepper(tuner, *case.images(case.batch)[:1], case.classes, case.images(case.batch)[1])
    ours()
    side_by_side(benchmark, f"step: {case}", 1, variants(ours), step_gflop(case))


def stepper(tuner: Tuner, images: Tensor, classes: ClassSet, labels: Tensor) -> Callable[[], object]:
    """A training step, with its loss read as by a progress display."""
    groups = tuner.parameter_groups(RECIPE.lr)
    optimizer = torch.optim.SGD(groups, lr=RECIPE.lr, momentum=RECIPE.momentum, weight_decay=RECIPE.weight_decay)

    def step() -> object:
        loss = total(tuner, images, classes, labels)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad()
        return loss.item()

    return step


def test_trie(benchmark: Benchmark) -> None:
    """Cars' names, and in place of plain names of as many tokens that share no beginning. Both ours."""
    model = backbone(LARGE)
    ways = {name: through("torch", step_of(model, names)) for name, names in ((PLAIN, apart(model)), (OURS, CARS))}
    for way in ways.values():
        way()
    side_by_side(benchmark, "text side of a step: CoOp, 4 words, ViT-B/16, 98 Cars classes; plain: names that share nothing", 3, ways)


def step_of(model: Backbone, names: Sequence[str]) -> Callable[[], object]:
    """Encodes the classes under a context of 4, and back."""
    classes = ClassSet("names", tuple(range(len(names))), tuple(names))
    context = torch.randn(4, model.text_width, generator=torch.Generator().manual_seed(0)).mul_(0.02).requires_grad_()
    return lambda: model.encode_text(classes, Prompts([context])).sum().backward()  # type: ignore[no-untyped-call]


def apart(model: Backbone) -> list[str]:
    """Cars' names, each with another first word, of as many tokens."""
    encode = model.tokenizer.encode
    first = (name.split()[0].lower() for name in IMAGENET_CLASSNAMES)
    words = {ids[0]: word for word in first if len(ids := encode(word)) == 1}
    names = []
    for name, word in zip(CARS, words.values(), strict=False):
        rest = name.partition(" ")[2]
        names.append(f"{word}{' x' * (len(encode(name)) - 1 - len(encode(rest)))} {rest}")
    assert [len(encode(name)) for name in names] == [len(encode(name)) for name in CARS]
    return names
