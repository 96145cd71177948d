"""Records without a model: few-shot lists, learning rates, metrics and channel importance."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from depthub.data.dataset import Examples
from depthub.data.fewshot import draw_both
from depthub.inference import channel_importance
from depthub.records.metrics import count
from depthub.spec import Training
from depthub.statistics.metrics import macro_f1
from depthub.testing.golden.comparison import Comparison
from depthub.training.schedule import learning_rate

if TYPE_CHECKING:
    from PIL.Image import Image

IMPORTANCE = re.compile(r"(all|base|new)/(?:eq3|window([1-9]\d*))")  # eq3: windows of one channel


def few_shot(comparison: Comparison, model: Path | None) -> None:
    """The samples of every seed and number of shots, the complete lists, and both divided into base and new classes."""
    record = comparison.record
    n = len(record.key(dict, "classnames"))
    numbers = record.entries(int, "shots")
    if min(numbers) < 1:
        raise record.error(f"an entry of shots is {min(numbers)}, expected at least 1")
    lists = {split: comparison.labels(f"{split}_labels", n, None).tolist() for split in ("train", "val", "test")}
    parts = _parts(sorted(set(lists["train"])))
    for split, labels in lists.items():
        for part, classes in parts.items():
            _compare_list(comparison, f"full/{part}/{split}", labels, range(len(labels)), classes)
    for seed, shots in product(record.entries(int, "seeds"), numbers):
        picks = zip(("train", "val"), draw_both(lists["train"], lists["val"], shots, seed), strict=True)
        for (split, rows), (part, classes) in product(picks, parts.items()):
            folder = "" if part == "all" else f"{part}/"
            _compare_list(comparison, f"seed{seed}/shots{shots}/{folder}{split}", lists[split], rows, classes)


def schedule(comparison: Comparison, model: Path | None) -> None:
    """Learning rates by epoch (row) and parameter group (column)."""
    record = comparison.record
    for name in record.key(dict, "schedules"):
        where = ("schedules", name)
        if record.key(str, *where, "warmup_type") != "constant" or not record.key(bool, *where, "recount"):
            continue  # a warm-up that depthub does not have: the array is listed as left out
        epochs, warmup = record.key(int, *where, "epochs"), record.key(int, *where, "warmup_epochs")
        training = Training(epochs=epochs, warmup_epochs=warmup, warmup_lr=record.key(float, *where, "warmup_lr"))
        bases = record.entries(float, *where, "base_lr")
        record.array(name, epochs, len(bases))
        comparison.compare(name, np.array([[learning_rate(base, epoch, training) for base in bases] for epoch in range(epochs)]))


def metrics(comparison: Comparison, model: Path | None) -> None:
    """Predictions from logits, ties included, and the metrics of their counts."""
    logits = comparison.input("logits", None, None)
    labels = comparison.labels("labels", logits.shape[1], len(logits)).numpy()
    predicted = logits.argmax(axis=1)
    counts = count(predicted, labels, logits.shape[1])
    comparison.equal("predictions", predicted)
    results = {"accuracy": counts.percent, "error_rate": 100 - counts.percent, "macro_f1": macro_f1(counts)}
    for name in comparison.record.key(dict, "results"):
        if name in results:
            comparison.note(f"results.{name}", comparison.record.key(float, "results", name), results[name])
        else:
            comparison.leave(f"results.{name}")


def importance(comparison: Comparison, model: Path | None) -> None:
    """Channel importance over all, base and new classes, each part with its own classes alone."""
    record = comparison.record
    record.check_names(name for name in comparison.recorded() if IMPORTANCE.fullmatch(name))
    n = record.key(int, "n_cls")
    image = comparison.floats("image_features", None, None).numpy()
    text = comparison.floats("text_features", n, image.shape[1]).numpy()
    labels = comparison.labels("labels", n, len(image)).numpy()
    for part, classes in _parts(range(n)).items():
        rows = np.isin(labels, classes)
        part_labels = np.searchsorted(classes, labels[rows])  # counted from 0 within the part
        comparison.equal(f"{part}/labels", part_labels)
        for name in comparison.recorded(f"{part}/"):
            if match := IMPORTANCE.fullmatch(f"{part}/{name}"):
                comparison.compare(match[0], channel_importance.importance(image[rows], text[classes], part_labels, int(match[2] or 1)))


def _parts(labels: Sequence[int]) -> dict[str, list[int]]:
    """All labels, and the first half, rounded up, apart from the second."""
    half = (len(labels) + 1) // 2
    return {"all": list(labels), "base": list(labels[:half]), "new": list(labels[half:])}


def _compare_list(comparison: Comparison, name: str, labels: Sequence[int], rows: Sequence[int], classes: list[int]) -> None:
    """Compare the rows with labels among `classes`, and their labels counted from 0."""
    whole = Examples(tuple(map(str, rows)), tuple(labels[row] for row in rows), _no_image)
    part = whole.restricted_to(classes)
    comparison.equal(name, [int(row) for row in part.ids])
    comparison.equal(f"{name}_labels", part.labels)


def _no_image(name: str) -> Image:
    raise NotImplementedError("the records' lists have labels and no images")
