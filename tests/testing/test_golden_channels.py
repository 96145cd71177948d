"""A record of channel importance with an odd number of classes, from plain loops, is replayed within 1e-12."""

from __future__ import annotations

import json
from math import ceil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from depthub.cli import main
from depthub.testing.golden import examine, tolerance
from depthub.testing.golden.record import Record

CHANNELS = 80


def unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows of length 1, in float32 as records have them."""
    return (rows / np.sqrt((rows**2).sum(axis=1, keepdims=True))).astype(np.float32)


def plain(image: NDArray[np.float32], text: NDArray[np.float32], labels: list[int], window: int) -> list[float]:
    """Equation 3 in Python's own numbers, one image, class and channel at a time."""
    pictures, classes = image.astype(float).tolist(), text.astype(float).tolist()
    values = []
    for r in range(CHANNELS):
        channels = [(r + q) % CHANNELS for q in range(window)]
        ratios = []
        for picture, label in zip(pictures, labels, strict=True):
            similar = [max(sum(picture[q] * words[q] for q in channels), 0.0) for words in classes]
            ratios.append(similar[label] / (sum(similar) / len(similar) + 1e-12))
        values.append(sum(ratios) / len(ratios))
    return values


def record(folder: Path, number: int) -> Path:
    """A record of so many classes."""
    generator = np.random.default_rng(number)
    labels = np.array([*range(number), *generator.integers(number, size=6)])
    image, text = unit(generator.normal(size=(len(labels), CHANNELS))), unit(generator.normal(size=(number, CHANNELS)))
    half = ceil(number / 2)
    arrays = {"labels": labels, "image_features": image, "text_features": text}
    for part, classes in (("all", range(number)), ("base", range(half)), ("new", range(half, number))):
        rows = np.isin(labels, classes)
        of_part = [int(label) - classes[0] for label in labels[rows]]
        arrays[f"{part}/labels"] = np.array(of_part)
        for name, window in (("eq3", 1), ("window64", 64), ("window7", 7)):
            arrays[f"fp64/{part}/{name}"] = np.array(plain(image[rows], text[list(classes)], of_part, window))
    (folder / "channel_importance_80.json").write_text(json.dumps({"name": "channel_importance_80", "n_cls": number}))
    np.savez(folder / "channel_importance_80.npz", **arrays)
    return folder / "channel_importance_80.json"


@pytest.mark.parametrize("number", [4, 5])
def test_importance_of_even_and_odd_numbers_of_classes(number: int, tmp_path: Path) -> None:
    comparison = examine(Record(record(tmp_path, number)), "fp64", None)
    assert comparison.left_out() == []
    assert {name for name in comparison.deviations if "/" in name} >= {
        f"{part}/{name}" for part in ("all", "base", "new") for name in ("labels", "eq3", "window64", "window7")
    }
    assert {name: value for name, value in comparison.deviations.items() if not value <= 1e-12} == {}
    assert tolerance("fp64", "base/window64") == 1e-12
    assert main(["golden", str(tmp_path), "--precisions", "fp64"]) == 0
