"""Checks of protocols: stages from data sets, and scores from counts."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch

from depthub.boundary import check_scores, check_stages
from depthub.data.dataset import Data
from depthub.errors import DepthubError
from depthub.protocol import Count, Protocol, Stage
from depthub.records.scoring import check_summary
from depthub.testing import toy
from depthub.testing.case import Part
from depthub.testing.contract import SkippedError, attempt, contract

SOURCES = ("toys", "drawings")
SHOTS, SEEDS = 2, (1, 2, 3, 4)  # of eight images per class: four equal samples by chance are practically impossible


@dataclass(eq=False)
class ProtocolCase(Part):
    """A protocol, on toy data sets.

    Args:
        loaded: the data sets that it used, by name.
    """

    loaded: dict[str, Data] = field(default_factory=dict, repr=False)

    def stages(self, source: str = SOURCES[0], seed: int = 1) -> list[Stage]:
        """Its stages for a toy data set.

        Raises:
            SkippedError: if it refuses the data set.
        """
        data = toy.data(source)
        self.loaded = {source: data}

        def load(name: str) -> Data:
            return self.loaded.setdefault(name, toy.data(name))

        protocol: Protocol = self.make()
        try:
            stages = protocol.stages(data, load, SHOTS, seed)
        except DepthubError as error:
            raise SkippedError(f"it refuses the toy data set {source!r}: {error}") from error
        check_stages(stages, self.loaded, self.name, protocol)
        return [*stages]


@contract(
    "stages",
    "for every data set it makes tasks that can be trained and tested, with images of that data set or of loaded ones.",
    "protocols",
)
def stages(case: ProtocolCase) -> None:
    """Images come from `source` or from a data set that `load(name)` returns: only these are recorded in the run, and its run id depends
    only on their contents. A protocol that cannot use a data set says so with a `DepthubError`.
    """
    for source in SOURCES:
        for stage in case.stages(source):
            for task in (stage.train, *stage.tests):
                examples = task.examples
                assert examples.source in case.loaded, (
                    f"task {task.name!r} has images of {examples.source!r}, neither given nor loaded; take them from `source` or `load`"
                )
                ids = _images(case.loaded[examples.source])
                other = [name for name in examples.ids if name not in ids]
                assert not other, f"task {task.name!r} has the image {other[0]!r}, which {examples.source!r} has not"


@contract(
    "few-shot-sample", "seed and shots alone choose the training images: at most as many a class, and others for another seed.", "protocols"
)
def few_shot_sample(case: ProtocolCase) -> None:
    """Runs are compared in pairs with the same seed, hence with the same images. `few_shot(source, shots, seed)` draws the field's own
    samples. Draw from `random.Random(seed)` otherwise, never from a generator of the process.
    """
    drawn = [_drawn(case, seed) for seed in SEEDS]
    for seed, before in zip(SEEDS, drawn, strict=True):
        assert _drawn(case, seed) == before, f"seed {seed} draws other training images the second time: use the seed that is given"
    assert any(one != drawn[0] for one in drawn), f"seeds {', '.join(map(str, SEEDS))} draw the same training images"
    for stage in case.stages():
        labels = stage.train.examples.labels
        most = max(map(labels.count, set(labels)))
        assert most <= SHOTS, f"there are {most} training images of a class of {stage.train.name!r}, with {SHOTS} shots"


@contract(
    "scores", "scores follow from the counts alone: percentages, the declared ones among them, in every run the same names.", "protocols"
)
def scores(case: ProtocolCase) -> None:
    """Scores are computed again from the counts of a run file whenever one is read. No count of right answers may break them: 0 right is 0
    percent. A score that `harmonic` declares is the harmonic mean of its two parts, and `headline` is one of the scores.
    """
    tests = [task for stage in case.stages() for task in stage.tests]
    names: set[str] = set()
    for what, chance in (("all predictions right", 1.0), ("none right", 0.0), ("two thirds right", 2 / 3)):
        generator = random.Random(toy.SEED)
        counts = {task.name: _count(task.examples.labels, len(task.classes), chance, generator) for task in tests}
        protocol: Protocol = case.make()
        result = attempt(case, partial(protocol.scores, counts), f"with {what}:")
        check_scores(result, protocol)
        check_summary(protocol.summary(result), result, f"with {what}")
        for how, same in (("a second time", counts), ("with the tasks in another order", dict(reversed(counts.items())))):
            assert case.make().scores(same) == result, f"the same counts give other scores {how}"
        assert not names or names == result.keys(), f"with {what} there are other scores: {', '.join(sorted(names ^ result.keys()))}"
        names = set(result)


def _images(data: Data) -> set[str]:
    return {name for split in (data.train, data.val, data.test) if split for name in split.ids}


def _drawn(case: ProtocolCase, seed: int) -> list[tuple[tuple[str, ...], tuple[int, ...]]]:
    """Training images and labels of each stage, after some draws from the process's random generators."""
    for draw in (random.random, np.random.random):
        draw()
    torch.rand(())
    return [(stage.train.examples.ids, stage.train.examples.labels) for stage in case.stages(seed=seed)]


def _count(labels: tuple[int, ...], classes: int, chance: float, generator: random.Random) -> Count:
    """Counts of random predictions; each is right with probability `chance`."""
    predicted = [label if generator.random() < chance else (label + 1) % classes for label in labels]
    right = [label for label, guess in zip(labels, predicted, strict=True) if label == guess]
    rows = tuple((right.count(i), labels.count(i), predicted.count(i)) for i in range(classes))
    return Count(len(right), len(labels), rows)
