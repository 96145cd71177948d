"""Two finished runs side by side: settings, inputs, counts and scores, and the images that either classified correctly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from depthub.protocol import Count
from depthub.records.result import RunResult
from depthub.values.flat import flat


@dataclass(frozen=True)
class McNemar:
    """Test images of one task by which of two runs were right.

    Args:
        both: images that both classified correctly.
        first: the first run alone.
        second: the second run alone.
        neither: images that neither classified correctly.
    """

    both: int
    first: int
    second: int
    neither: int


@dataclass(frozen=True)
class Comparison:
    """The differences between two runs, and their results.

    Args:
        run_ids: of the two.
        settings: by dotted name, the differing values in the two specs; None where a run has no such setting.
        inputs: likewise the differing code, data, weights and versions, where both runs recorded them.
        counts: by test task of either run, the two counts; None where a run has no such task.
        scores: by name, the two scores in percent; likewise.
        mcnemar: by test task with recorded predictions of the same images in both runs.
    """

    run_ids: tuple[str, str]
    settings: dict[str, tuple[Any, Any]]
    inputs: dict[str, tuple[Any, Any]]
    counts: dict[str, tuple[Count | None, Count | None]]
    scores: dict[str, tuple[float | None, float | None]]
    mcnemar: dict[str, McNemar]

    def as_dict(self) -> dict[str, Any]:
        """Plain data fit for JSON; counts are [correct, images], scores are in percent."""
        counts = {task: [count and [count.n_correct, count.n_total] for count in pair] for task, pair in self.counts.items()}
        return {
            "run_ids": list(self.run_ids),
            "settings": {name: list(pair) for name, pair in self.settings.items()},
            "inputs": {name: list(pair) for name, pair in self.inputs.items()},
            "counts": counts,
            "scores": {name: list(pair) for name, pair in self.scores.items()},
            "mcnemar": {task: asdict(table) for task, table in self.mcnemar.items()},
        }


def compare(first: RunResult, second: RunResult) -> Comparison:
    """Lay two runs side by side.

    Raises:
        DepthubError: if recorded predictions cannot be read.
    """
    settings = _unequal(*(flat(run.spec.without_places().as_dict()) for run in (first, second)))
    recorded = [flat(run.provenance.get("inputs", {})) for run in (first, second)]
    return Comparison(
        (first.spec.run_id, second.spec.run_id),
        settings,
        {name: pair for name, pair in _unequal(*recorded).items() if all(name in one for one in recorded)},
        {task: (first.counts.get(task), second.counts.get(task)) for task in dict.fromkeys([*first.counts, *second.counts])},
        {name: (first.scores.get(name), second.scores.get(name)) for name in dict.fromkeys([*first.scores, *second.scores])},
        {task: mcnemar(first, second, task) for task in first.predictions if _same_images(first, second, task)},
    )


def mcnemar(first: RunResult, second: RunResult, task: str) -> McNemar:
    """The images of a task of both runs by which run classified them correctly.

    Args:
        first, second: runs with predictions of the same images.
        task: a test task.
    """
    one, other = ((run.predictions[task].predicted == run.predictions[task].labels) for run in (first, second))
    cells = (one & other, one & ~other, ~one & other, ~one & ~other)
    return McNemar(*(int(cell.sum()) for cell in cells))


def _unequal(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    pairs = {name: (one.get(name), other.get(name)) for name in dict.fromkeys([*one, *other])}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _same_images(first: RunResult, second: RunResult, task: str) -> bool:
    """Whether both runs recorded predictions of a task's images, the same ones with the same labels in the same order."""
    if task not in second.predictions or task not in first.tasks or task not in second.tasks:
        return False
    return first.tasks[task].images_sha256 == second.tasks[task].images_sha256 != ""
