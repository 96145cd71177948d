"""The evaluation loop: predictions, their precision, and refusals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from torch import Tensor
from torch.utils.data import TensorDataset

from depthub import ClassSet, Features, Head
from depthub.encoding.backbone import Backbone
from depthub.errors import DepthubError
from depthub.records.predictions import Predictions
from depthub.spec import Component
from depthub.testing.case import on_cpu
from depthub.training.evaluation import evaluate
from depthub.training.tuner import Tuner
from tests.models import CLASSES
from tests.training.tuners import tuner


def test_evaluation_counts_every_image_once(backbone: Backbone) -> None:
    zero_shot = tuner(backbone, Component("ZeroShot"))
    assert zero_shot.tuned() == {}
    images = torch.randn(230, 24, generator=torch.Generator().manual_seed(3))
    expected = zero_shot(images, CLASSES).argmax(dim=-1)
    labels = torch.where(torch.arange(230) % 3 == 0, (expected + 1) % 5, expected)
    counts = evaluate(zero_shot, TensorDataset(images, labels), CLASSES, Accelerator(cpu=True)).count()
    assert (counts.n_correct, counts.n_total) == (230 - 77, 230)
    assert sum(n for _, n, _ in counts.per_class) == 230
    assert [g for _, _, g in counts.per_class] == torch.bincount(expected, minlength=5).tolist()


class Scoring(Head):
    """Gives fixed scores, whatever the features."""

    def __init__(self, scores: Tensor, *, probabilities: bool = False) -> None:
        super().__init__(24, CLASSES)
        self.scores, self.probabilities = scores, probabilities

    def loss(self, features: Features, labels: Tensor) -> Tensor:
        return features.image.sum()

    def forward(self, features: Features) -> Tensor:
        return self.scores[features.image[:, 0].long()]

    def gives_probabilities(self, classes: ClassSet) -> bool:
        return self.probabilities


def predicted(backbone: Backbone, scores: Tensor, labels: Sequence[int], **how: Any) -> Predictions:
    """The predictions for N images with these scores, (N, 5)."""
    zero_shot = tuner(backbone, Component("ZeroShot")).method
    images = TensorDataset(torch.arange(len(scores), dtype=torch.float32)[:, None].expand(-1, 24), torch.tensor(labels))
    return evaluate(Tuner(backbone, zero_shot, Scoring(scores, **how)), images, CLASSES, Accelerator(cpu=True), task="new")


def test_predictions_hold_the_best_classes_first_and_of_equal_ones_the_first(backbone: Backbone) -> None:
    scores = torch.randint(3, (250, 5), generator=torch.Generator().manual_seed(0)).float()  # full of ties
    labels = (torch.arange(250) % 5).tolist()
    predictions = predicted(backbone, scores, labels)
    ordered = scores.sort(dim=1, descending=True, stable=True)
    assert (predictions.best == ordered.indices.numpy()).all()
    assert (predictions.predicted == scores.argmax(dim=1).numpy()).all()
    assert (predictions.scores == ordered.values.numpy()).all()
    assert (predictions.true == scores[range(250), labels].numpy()).all()
    assert predictions.log_sum_exp == pytest.approx(scores.logsumexp(dim=1).numpy())
    assert (predictions.labels.tolist(), predictions.n_classes, len(predictions)) == (labels, 5, 250)
    assert {value.dtype for value in (predictions.scores, predictions.true, predictions.log_sum_exp)} == {np.dtype(np.float32)}
    assert {value.dtype for value in (predictions.labels, predictions.best)} == {np.dtype(np.int32)}


def test_probabilities_are_stored_as_their_logarithms(backbone: Backbone) -> None:
    scores = torch.tensor([[0.0, 1.0, 0.0, 0.0, 0.0], [0.5, 0.2, 0.1, 0.2, 0.0]])
    predictions = predicted(backbone, scores, [0, 1], probabilities=True)
    assert predictions.probabilities() == pytest.approx(scores.sort(dim=1, descending=True).values.numpy(), abs=1e-6)
    assert np.isfinite(predictions.negative_log_likelihood()).all()
    assert predictions.log_sum_exp == pytest.approx([0, 0], abs=1e-6)
    assert predictions.best[0].tolist() == [1, 0, 2, 3, 4]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e300])
def test_scores_that_are_not_finite_are_refused(backbone: Backbone, value: float) -> None:
    scores = torch.zeros(230, 5, dtype=torch.float64)
    scores[[3, 7, 229], 4] = value
    with pytest.raises(DepthubError, match=r"^test task 'new': the scores of 3 of 230 images are not finite; lower training.lr, .* fp32"):
        predicted(backbone, scores, [0] * 230)


@pytest.mark.parametrize("shape", [(2, 4), (2, 6), (2,), (2, 5, 1)])
def test_heads_that_score_other_classes_are_refused(backbone: Backbone, shape: tuple[int, ...]) -> None:
    message = r"^head Scoring gives a tensor of the shape .* for 2 images and 5 classes, expected scores of the shape \(2, 5\); its forward"
    with pytest.raises(DepthubError, match=message):
        predicted(backbone, torch.zeros(shape), [0, 1])


def test_a_task_without_images_is_refused(backbone: Backbone) -> None:
    with pytest.raises(DepthubError, match=r"^test task 'new' has no test images"):
        predicted(backbone, torch.zeros(0, 5), [])


@pytest.mark.parametrize("head", ["ITM", "DePT", "MatchingCAT"])
def test_heads_read_features_in_full_precision(backbone: Backbone, head: str) -> None:
    """In bf16 scores of a hundred would have steps of a half, and classes would tie."""
    images = torch.randn(400, 24, generator=torch.Generator().manual_seed(3))
    tuned = tuner(backbone, Component("KgCoOp"), Component(head))
    labels = torch.zeros(400, dtype=torch.long)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        features = tuned.method.features(backbone, images, CLASSES)
        losses = tuned(images, CLASSES, labels)
    assert features.text.dtype == torch.bfloat16
    full = replace(features, text=features.text.float(), image=features.image.float())
    expected = tuned.head(full)
    with on_cpu("bf16") as accelerator:
        predictions = evaluate(tuned, TensorDataset(images, labels), CLASSES, accelerator)
    assert predictions.scores[:, 0] == pytest.approx(expected.max(dim=1).values.detach().numpy(), rel=1e-5)
    assert (predictions.predicted == expected.argmax(dim=1).numpy()).all()
    assert torch.equal(losses["head"], tuned.head.loss(full, labels))
    assert torch.equal(losses["knowledge"], tuned.method.losses(full)["knowledge"])
    assert {loss.dtype for loss in losses.values()} == {torch.float32}


def test_progress_is_reported_after_every_batch(backbone: Backbone) -> None:
    images, calls = TensorDataset(torch.randn(230, 24), torch.zeros(230, dtype=torch.long)), list[tuple[int, int]]()
    zero_shot = tuner(backbone, Component("ZeroShot"))
    evaluate(zero_shot, images, CLASSES, Accelerator(cpu=True), on_progress=lambda *done: calls.append(done))
    assert calls == [(100, 230), (200, 230), (230, 230)]
