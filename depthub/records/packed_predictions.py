"""The best class of each test image, as a packed run has it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from depthub.errors import DepthubError
from depthub.protocol import Count
from depthub.spec import digest

if TYPE_CHECKING:  # a run is listed without numpy
    from depthub.records.predictions import Predictions


class PackedPredictions(Mapping[str, "Predictions"]):
    """A packed run's predictions by task, decoded when first used.

    Args:
        predicted: text of the predicted classes by task, see `class_indices`.
        labels: true classes of the images by task.
        counts: of the run, by task.
        sha256: of predictions and labels, see `top1_sha256`.
        source: the file and line, for messages.
        texts: see `values.canonical.canonical`.
    """

    def __init__(
        self,
        predicted: Mapping[str, str],
        labels: Mapping[str, Any],
        counts: Mapping[str, Count],
        sha256: str,
        source: str,
        texts: Mapping[int, str] = {},
    ) -> None:
        self.predicted, self.labels, self.counts, self.sha256, self.source = dict(predicted), dict(labels), counts, sha256, source
        self.texts = texts
        self._by_task: dict[str, Predictions] | None = None

    def __getitem__(self, task: str) -> Predictions:
        if self._by_task is None:
            self._by_task = self._decoded()
        return self._by_task[task]

    def __iter__(self) -> Iterator[str]:
        return iter(self.predicted)

    def __len__(self) -> int:
        return len(self.predicted)

    def _decoded(self) -> dict[str, Predictions]:
        if not self.predicted.keys() == self.labels.keys() == self.counts.keys():
            raise DepthubError(f"{self.source}: predictions are not of the tasks {', '.join(self.counts)}; the line is damaged")
        if top1_sha256(self.predicted, self.labels, self.texts) != self.sha256:
            raise DepthubError(
                f"{self.source}: sha256 is not the digest of predictions and labels; the line was edited, pack the run again"
            )
        return {task: self._task(task) for task in self.predicted}

    def _task(self, task: str) -> Predictions:
        from depthub.records import class_indices
        from depthub.records.predictions import best_only

        count, labels = self.counts[task], self.labels[task]
        n_images, n_classes = count.n_total, len(count.per_class)
        try:
            return best_only(labels, class_indices.unpack(self.predicted[task], n_images, n_classes), n_classes)
        except (ValueError, OverflowError) as error:
            raise DepthubError(f"{self.source}, task {task!r}: {error}; the line is damaged, pack the run again") from error


def top1_sha256(predicted: Mapping[str, str], labels: Mapping[str, Sequence[int]], texts: Mapping[int, str] = {}) -> str:
    """SHA-256 of the canonical JSON of predictions and labels, an object with these two keys."""
    return digest({"labels": labels, "predicted": predicted}, texts)
