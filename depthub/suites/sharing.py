"""Images that runs encode: each run by itself, and with features that are computed once and shared."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from depthub.protocol import Stage
from depthub.registry.plugins import Plugins
from depthub.running.resolved import Resolved


def encodings(runs: Sequence[Resolved], plugins: Plugins) -> tuple[int, int]:
    """The images that runs encode if each is alone, and if they share features.

    A method that reads features needs each test image once, and each training image once for every random view: as many as epochs. Views
    depend on the run's seed and the epoch, not on the method. A method that changes the image side shares nothing.

    Args:
        runs: resolved.
        plugins: that provide their methods.
    """
    alone, sharing = 0, _Shared()
    for run in runs:
        views = [run.length(stage).epochs if run.training.augmentation == "published" else 1 for stage in run.stages]
        trained = sum(len(stage.train.examples) * number for stage, number in zip(run.stages, views, strict=True))
        if plugins.get("methods", run.spec.method.name).tunes_image:
            number = trained + sum(len(task.examples) for stage in run.stages for task in stage.tests)
            sharing.unshared += number
        else:  # an image of several tests is encoded once
            number = trained + sum(len(tested_images(stage)) for stage in run.stages)
            sharing.add(run, views)
        alone += number
    return alone, sharing.total()


def tested_images(stage: Stage) -> set[tuple[str, str]]:
    """The images of a stage's tests, each once, by data set and id."""
    return {(task.examples.source, image) for task in stage.tests for image in task.examples.ids}


class _Shared:
    """Images and views, each once."""

    def __init__(self) -> None:
        self.unshared = 0
        self._images: dict[Hashable, set[str]] = {}  # ids by backbone, data set and view
        self._views: dict[Hashable, int] = {}  # how many of them
        self._added: set[Hashable] = set()

    def add(self, run: Resolved, views: Sequence[int]) -> None:
        """Count the images of a run whose features can be shared.

        Args:
            run: resolved.
            views: of each training image, by stage.
        """
        kind = (run.spec.seed, run.training.crop) if max(views) > 1 else None
        key = (id(run.staged), run.spec.backbone, kind, *views)
        if key in self._added:
            return
        self._added.add(key)
        for stage, number in zip(run.stages, views, strict=True):
            self._count((run.spec.backbone, stage.train.examples.source, kind), stage.train.examples.ids, number)
            for task in stage.tests:
                self._count((run.spec.backbone, task.examples.source, "test"), task.examples.ids, 1)

    def total(self) -> int:
        """Encodings in all."""
        return self.unshared + sum(len(ids) * self._views[key] for key, ids in self._images.items())

    def _count(self, key: Hashable, ids: Sequence[str], views: int) -> None:
        self._images.setdefault(key, set()).update(ids)
        self._views[key] = max(views, self._views.get(key, 0))
