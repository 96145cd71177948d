"""One evaluation batch of 100 images: class features and scores, with the images encoded or their features given."""

from __future__ import annotations

from functools import partial

import pytest
import torch

from benchmarks.cases import CASES, EMBEDDED, LARGE, Case
from benchmarks.measure import TOLERANCE, Benchmark, score_errors, side_by_side
from depthub.engine import TEST_BATCH

# encoding 100 images takes ViT-B/16 half a minute, whatever the head: once is enough
WANTED = [case for case in CASES if not (case.backbone == LARGE and case.pixels and case.method != "CoOp")]


@pytest.mark.parametrize("case", WANTED, ids=str)
def test_evaluation(benchmark: Benchmark, case: Case) -> None:
    ours, plain = case.pair()
    images, _ = case.images(TEST_BATCH)
    slow = case.backbone == LARGE and case.pixels
    errors = score_errors(ours, plain, images[: 4 if slow else None], case.classes)
    assert max(errors.values()) <= TOLERANCE
    benchmark.extra_info.update(errors)
    rounds = 30 if case.backbone == EMBEDDED else 1 if slow else 3
    with torch.no_grad():
        side_by_side(benchmark, f"evaluation: {case}", rounds, *(partial(tuner, images, case.classes) for tuner in (ours, plain)))
