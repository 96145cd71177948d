"""Operations of a run, counted from the model's size, and images that it reads: a forecast where no run was seen."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import open_clip

from depthub.encoding.loading.sources import find
from depthub.registry.plugins import Plugins
from depthub.running.resolved import Resolved
from depthub.running.weights import named_backbones
from depthub.spec import BackboneSpec
from depthub.suites.sharing import tested_images

Work = tuple[float, int]  # of a run: operations, and images that are read from their files again and again
TOKENS = 8  # of a class sentence that are not computed once for all classes: the class name, the full stop and the end


@dataclass(frozen=True)
class Tower:
    """The size of a transformer.

    Args:
        width: w.
        layers: of the tower.
        tokens: n that enter it: patches and class token, or the tokens of a sentence.
        inputs: numbers in a patch; 0 for text.
    """

    width: int
    layers: int
    tokens: int
    inputs: int = 0

    def operations(self) -> float:
        """Of one pass: 24 w² per token and layer in linear maps, 4 n w per token and layer in attention; multiply and add count as two."""
        per_layer = self.tokens * (24 * self.width**2 + 4 * self.tokens * self.width)
        return self.layers * per_layer + 2 * self.tokens * self.inputs * self.width


@dataclass(frozen=True)
class Towers:
    """The two towers of a backbone.

    Args:
        image, text: of which the text tower counts the tokens that a class sentence has to itself.
        context_length: all tokens of a sentence.
    """

    image: Tower
    text: Tower
    context_length: int


class Operations:
    """Counts the operations of runs on one backbone.

    The text tower is passed in every training step, forward and backward (which costs the same again: weights have no gradient), for
    every class; and once for every task. Images are encoded once, or in every step, forward and backward, by methods that change the image
    side. Heads count as nothing.

    Args:
        image: the image tower.
        text: the text tower, with the tokens that a class sentence has to itself.
        plugins: that provide the methods.
    """

    def __init__(self, image: Tower, text: Tower, plugins: Plugins) -> None:
        self.image, self.text, self.plugins = image, text, plugins

    def __call__(self, run: Resolved) -> Work:
        """The work of a run."""
        return self._operations(run), self._images_read(run)

    def _images_read(self, run: Resolved) -> int:
        """Of methods that change the image side; the others read an image once for all runs."""
        if not self.plugins.get("methods", run.spec.method.name).tunes_image:
            return 0
        tests = sum(len(task.examples) for stage in run.stages for task in stage.tests)
        return tests + sum(run.length(stage).epochs * len(stage.train.examples) for stage in run.stages)

    def _operations(self, run: Resolved) -> float:
        method = self.plugins.get("methods", run.spec.method.name)
        image, text = self.image.operations(), self.text.operations()
        recipe, total = run.training, 0.0
        for stage in run.stages:
            images, length = len(stage.train.examples), run.length(stage)
            per_step = 2 * text * len(stage.train.classes) * (recipe.batch_size if method.needs_image else 1)
            trained = 2 * image * recipe.batch_size * length.steps if method.tunes_image else image * images * length.epochs
            tested = sum(len(task.examples) for task in stage.tests) if method.tunes_image else len(tested_images(stage))
            texts = sum(len(task.classes) * (len(task.examples) if method.needs_image else 0) for task in stage.tests)
            tests = tested * image + texts * text
            total += length.steps * per_step + trained + tests
        return total


def counter(runs: Iterable[Resolved], plugins: Plugins) -> Callable[[Resolved], Work] | None:
    """Counts the work of runs, from the configurations of their backbones: no weight is needed.

    Args:
        runs: that may be counted.
        plugins: that provide methods and named backbones.

    Returns:
        A function; None if a backbone is not a transformer with a configuration on this machine.
    """
    towers = {spec: towers_of(spec, plugins) for spec in {run.spec.backbone for run in runs}}
    counters = {spec: Operations(pair.image, pair.text, plugins) for spec, pair in towers.items() if pair}
    return (lambda run: counters[run.spec.backbone](run)) if len(counters) == len(towers) else None


def towers_of(spec: BackboneSpec, plugins: Plugins) -> Towers | None:
    """The towers of a backbone, from its configuration; None if it is not a transformer with one on this machine."""
    sources = find(spec, named_backbones(plugins))
    try:
        config = json.loads(sources.config.read_bytes()) if sources.config else open_clip.get_model_config(sources.model)
        model = config.get("model_cfg", config)
        vision, text = model["vision_cfg"], model["text_cfg"]
        patches = (vision["image_size"] // vision["patch_size"]) ** 2
        image = Tower(vision["width"], vision["layers"], patches + 1, 3 * vision["patch_size"] ** 2)
        return Towers(image, Tower(text["width"], text["layers"], TOKENS), text.get("context_length", 77))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
