"""Channel importance: the equation by hand, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from depthub.errors import DepthubError
from depthub.inference.channel_importance import importance

GENERATOR = np.random.default_rng(0)
IMAGE, TEXT = GENERATOR.normal(size=(5, 7)), GENERATOR.normal(size=(3, 7))
LABELS = np.array([0, 2, 1, 1, 0])


@pytest.mark.parametrize("window", [1, 2, 3, 4, 5, 6, 7])
def test_the_equation_by_hand(window: int) -> None:
    for r, value in enumerate(importance(IMAGE, TEXT, LABELS, window)):
        ratios = []
        for image, label in zip(IMAGE, LABELS, strict=True):
            similar = [max(0.0, sum(image[(r + q) % 7] * text[(r + q) % 7] for q in range(window))) for text in TEXT]
            ratios.append(similar[label] / (sum(similar) / 3 + 1e-12))
        assert value == pytest.approx(sum(ratios) / 5, rel=1e-12)


def test_texts_of_each_image() -> None:
    texts = GENERATOR.normal(size=(5, 3, 7))
    one_by_one = [importance(IMAGE[i : i + 1], texts[i], LABELS[i : i + 1], 2) for i in range(5)]
    assert importance(IMAGE, texts, LABELS, 2) == pytest.approx(np.mean(one_by_one, axis=0), rel=1e-12)
    same = np.broadcast_to(TEXT, (5, 3, 7))
    assert np.array_equal(importance(IMAGE, same, LABELS, 2), importance(IMAGE, TEXT, LABELS, 2))


def test_the_precision_of_the_features_is_kept_and_they_stay_as_they_are() -> None:
    image, text = IMAGE.astype(np.float32), TEXT.astype(np.float32)
    before = image.copy(), text.copy()
    values = importance(image, text, LABELS, 2)
    assert (values.dtype, values.shape) == (np.float32, (7,))
    assert np.array_equal(image, before[0])
    assert np.array_equal(text, before[1])


def test_an_image_that_is_like_no_class_counts_nothing() -> None:
    assert importance(-np.ones((1, 2)), np.ones((2, 2)), np.array([0])).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("image", "text", "labels", "window", "says"),
    [
        (IMAGE[0], TEXT, LABELS, 1, r"shapes \(7,\), \(3, 7\), \(5,\), expected \(N, d\), \(M, d\) or \(N, M, d\), \(N,\)"),
        (IMAGE, TEXT[:, :6], LABELS, 1, r"expected \(N, d\)"),
        (IMAGE, TEXT[None], LABELS, 1, r"expected \(N, d\)"),
        (IMAGE, TEXT, LABELS[:4], 1, r"expected \(N, d\)"),
        (IMAGE, TEXT[:2], LABELS, 1, "integers from 0 to 1"),
        (IMAGE, TEXT, -LABELS, 1, "integers from 0 to 2"),
        (IMAGE, TEXT, LABELS / 2, 1, "integers from 0 to 2"),
        (IMAGE[:0], TEXT, LABELS[:0], 1, "one at least"),
        (IMAGE, TEXT, LABELS, 0, "window is 0, expected 1 to 7"),
        (IMAGE, TEXT, LABELS, 8, "window is 8, expected 1 to 7"),
    ],
)
def test_what_does_not_belong_together_is_refused(image: np.ndarray, text: np.ndarray, labels: np.ndarray, window: int, says: str) -> None:
    with pytest.raises(DepthubError, match=says):
        importance(image, text, labels, window)
