"""The cost of an evaluation: class features, once per class set or per image; image features; scores of a batch of 100 images."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor

from benchmarks.cases import CARS, EMBEDDED, Case, grid
from benchmarks.measure import TOLERANCE, Benchmark, relative_error, score_errors, side_by_side, variants
from depthub.training.evaluation import TEST_BATCH
from depthub.training.tuner import Tuner

TEXT = (*grid(("CoOp", "CoCoOp"), (50,)), Case("CoOp", 500), Case("CoOp, 4 words", len(CARS), names=CARS))
BATCHES = (*grid(("CoOp", "CoOp+DePT"), (10,), backbone=EMBEDDED), *grid(("CoOp", "MaPLe"), (10,), pixels=True, backbone=EMBEDDED))
IMAGES = 4  # encoded at a time by ViT-B/16


@pytest.mark.parametrize("case", TEXT, ids=str)
def test_class_features(benchmark: Benchmark, case: Case) -> None:
    ours, plain = (text_side(tuner, case) for tuner in case.pair())
    with torch.no_grad():
        record(benchmark, "class_features", ours(), plain())
        what = "for one image" if case.method == "CoCoOp" else "once"
        side_by_side(benchmark, f"class features {what}: {case}", 3 if case.number < 500 else 1, variants(ours, plain))


@pytest.mark.parametrize("case", BATCHES, ids=str)
def test_batch(benchmark: Benchmark, case: Case) -> None:
    tuners = case.pair()
    images, _ = case.images(TEST_BATCH)
    errors = score_errors(*tuners, images, case.classes)
    assert max(errors.values()) <= TOLERANCE
    benchmark.extra_info.update(errors)
    with torch.no_grad():
        ours, plain = (partial(tuner, images, case.classes) for tuner in tuners)
        side_by_side(benchmark, f"scores of {TEST_BATCH} images: {case}", 20, variants(ours, plain))


def test_image_features(benchmark: Benchmark) -> None:
    case = Case("CoOp", 10, pixels=True)
    images, _ = case.images(IMAGES)
    ours, plain = (partial(tuner.backbone.encode_image, images) for tuner in case.pair())
    record(benchmark, "image_features", ours(), plain())
    side_by_side(benchmark, f"features of {IMAGES} images: {case.backbone}", 5, variants(ours, plain))


def text_side(tuner: Tuner, case: Case) -> Callable[[], Tensor]:
    """Class features for one image, with nothing remembered."""
    image = case.images(1)[0]

    def features() -> Tensor:
        tuner.backbone._memory.features.clear()
        return tuner.method.features(tuner.backbone, image, case.classes).text

    return features


def record(benchmark: Benchmark, what: str, value: Tensor, expected: Tensor) -> None:
    """Assert and record that both sides compute the same before they are timed."""
    error = relative_error(value, expected)
    assert error <= TOLERANCE
    benchmark.extra_info[f"{what}_error"] = error
