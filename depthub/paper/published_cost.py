"""What the published code computes for a run: every sentence over all its tokens in every step, images encoded again and again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from depthub.registry.plugins import Plugins
from depthub.running.resolved import Resolved
from depthub.suites.operations import Tower, towers_of

TEST_BATCH = 100  # images, for each of which the published code encodes all classes anew


class PublishedOperations:
    """Counts the operations of the published code for a run.

    Each training step encodes its images, without a backward pass unless the method tunes the image side, and all classes over all tokens
    of the text tower, forward and backward; once for each image where texts depend on it. Each test batch of 100 images encodes all classes
    again. Heads count as nothing.

    Args:
        image: the image tower.
        text: the text tower, with its whole context length.
        plugins: that provide the methods.
    """

    def __init__(self, image: Tower, text: Tower, plugins: Plugins) -> None:
        self.image, self.text, self.plugins = image, text, plugins

    def __call__(self, run: Resolved) -> float:
        """The operations of a run."""
        method, recipe, total = self.plugins.get("methods", run.spec.method.name), run.training, 0.0
        image, text = self.image.operations(), self.text.operations()
        for stage in run.stages:
            steps = run.length(stage).steps
            texts = len(stage.train.classes) * (recipe.batch_size if method.needs_image else 1)
            passes = 2 if method.tunes_image else 1
            total += steps * (passes * recipe.batch_size * image + 2 * texts * text)
            for task in stage.tests:
                images = len(task.examples)
                encoded = images if method.needs_image else -(-images // TEST_BATCH)
                total += images * image + encoded * len(task.classes) * text
        return total


def published_counter(runs: Iterable[Resolved], plugins: Plugins) -> Callable[[Resolved], float] | None:
    """Counts the operations of the published code for runs, from the configurations of their backbones: no weight is needed.

    Args:
        runs: that may be counted.
        plugins: that provide methods and named backbones.

    Returns:
        A function; None if a backbone is not a transformer with a configuration on this machine.
    """
    towers = {spec: towers_of(spec, plugins) for spec in {run.spec.backbone for run in runs}}
    counters = {
        spec: PublishedOperations(pair.image, replace(pair.text, tokens=pair.context_length), plugins)
        for spec, pair in towers.items()
        if pair
    }
    return (lambda run: counters[run.spec.backbone](run)) if len(counters) == len(towers) else None
