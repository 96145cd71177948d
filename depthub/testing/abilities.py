"""Checks of what only some methods and heads do: layers inside the towers, stacks, subsets, views, closed forms, texts, finished runs."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from depthub.errors import DepthubError
from depthub.spec import Training
from depthub.testing import toy
from depthub.testing.case import Case, difference, images, on_cpu, prepared_images, scores, training_images, tuned
from depthub.testing.comparisons import apart, close, completed, refused
from depthub.testing.contract import attempt, contract
from depthub.training.grouping import stack_key
from depthub.training.job import TrainingJob
from depthub.training.loop import fit_together
from depthub.training.tuner import Tuner, overrides
from depthub.types import Features

NEAR = 1e-3  # relative: what is between parameters of the same training with sums in another order
NOWHERE = f"run:/nowhere/{'0' * 64}"


@contract("layer-states", "with a first_image_layer, the tokens before that layer give the features that pixels give.", "methods")
def layer_states(case: Case) -> None:
    """For methods with changes inside the image tower, by `Overlay` or by prompts that come late. `first_image_layer` says that everything
    before a layer is the frozen model's: training images then come as the tokens before it, (B, 1 + P, w_v), encoded in large batches.
    Hand the images to `backbone.encode_image` or `image_tokens`, which take either, and read nothing from them yourself.
    """
    tuner, layer = case.trained, case.trained.method.first_image_layer
    if not case.thing.tunes_image or not layer:
        return
    pixels, _ = toy.images(*toy.TEST)
    states = tuner.backbone.image_states(pixels, layer)
    expected, actual = _features(tuner, pixels), attempt(case, partial(_features, tuner, states), f"given the tokens before layer {layer}:")
    assert close(expected.image, actual.image), f"image features differ by up to {apart(expected.image, actual.image):.2g}"
    assert close(expected.text, actual.text), f"text features differ by up to {apart(expected.text, actual.text):.2g}"


@contract("encodings", "the fast and the reference encoding give the same features.", "methods")
def encodings(case: Case) -> None:
    """Prompts at any layer, layers without new ones (None) and layers that an `Overlay` changes are read alike by the encoding with shared
    work and by open_clip's own layers. A method leaves the choice between them to the run.
    """
    tuner, inputs = case.trained, images(case.trained, *toy.TEST).tensors[0]
    fast = _features(tuner, inputs)
    tuner.backbone.encoding = "reference"
    try:
        reference = attempt(case, partial(_features, tuner, inputs), "with the reference encoding:")
    finally:
        tuner.backbone.encoding = "fast"
    for what in ("image", "text"):
        one, other = getattr(fast, what), getattr(reference, what)
        assert close(one, other), f"{what} features differ by up to {apart(one, other):.2g}"


@contract("stacking", "runs that train together train as they do alone.", "methods")
def stacking(case: Case) -> None:
    """Runs that differ in seed, head or learning rate train step by step as one, each with its own random numbers. `prompts`, `read` and
    `losses` are then called for one run after the other; a method keeps nothing outside of its own object. Nothing is compared where
    `determinism` fails.
    """
    if difference(tuned(case.trained), case.retrained) or isinstance(stack_key(_job(case, case.tuner())), str):
        return
    tuners = [case.tuner(), case.tuner()]
    with on_cpu() as accelerator:
        errors = fit_together([_job(case, tuner) for tuner in tuners], accelerator)
    assert not any(errors), f"a run of two fails: {errors[0] or errors[1]}"
    alone = tuned(case.trained)
    for place, tuner in enumerate(tuners):
        far = {name: apart(value, alone[name]) / max(1.0, alone[name].abs().max().item()) for name, value in tuned(tuner).items()}
        worst = max(far, key=lambda name: far[name])
        assert far[worst] <= NEAR, f"{worst} of run {place + 1} of two differs by up to {far[worst]:.2g} from that of the run alone"


@contract("class-subsets", "a head that takes_subsets compares the classes of the features only, in their order.", "heads")
def class_subsets(case: Case) -> None:
    """For heads with `takes_subsets`. A method may choose some of the training classes for a step: `features.classes` are then these,
    and labels index them. `trained_rows(features.classes, self.classes)` gives the rows of a classifier.
    """
    tuner = case.trained
    if not tuner.head.takes_subsets:
        return
    pixels, labels = toy.images(*toy.TEST)
    losses = []
    for rows in ([3, 0, 2], [0, 2, 3]):
        kept = torch.isin(labels, torch.tensor(rows))
        with torch.no_grad():
            features = tuner.method.features(tuner.backbone, pixels[kept], toy.BASE)
        chosen = replace(features, text=features.text[rows], classes=toy.BASE.take(rows))
        remapped = torch.tensor([rows.index(label) for label in labels[kept].tolist()])
        losses.append(attempt(case, partial(tuner.head.loss, chosen, remapped), "the loss of three of five classes:"))
    assert close(*losses), f"the loss of three classes is {losses[0]:.6g}, in another order {losses[1]:.6g}"


@contract(
    "training-features", "training_features gives the text features of the classes that it names, and readouts of single images.", "methods"
)
def training_features(case: Case) -> None:
    """For methods whose features in training depend on the labels, are of some classes only, or come with readouts. Every row of the text
    features belongs to the class in its place of `classes`; a readout of an image does not depend on the other images of the batch.
    """
    tuner = case.trained
    inputs, labels = images(tuner, *toy.TEST).tensors
    whole = _features(tuner, inputs)
    alone = torch.cat([torch.cat([part.flatten(1) for part in _readouts(_features(tuner, inputs[i : i + 1]))], dim=1) for i in range(3)])
    together = torch.cat([part[:3].flatten(1) for part in _readouts(whole)], dim=1)
    assert close(alone, together), f"readouts of an image on its own differ by up to {apart(alone, together):.2g}"
    if case.thing.views or not overrides(tuner.method, "training_features"):
        return
    with torch.no_grad():
        chosen = tuner.eval().method.training_features(tuner.backbone, inputs, toy.BASE, labels)
    expected = whole.text.index_select(-2, torch.tensor(chosen.classes.rows_in(toy.BASE)))
    assert close(expected, chosen.text), (
        f"text features are not those of the classes beside them, by up to {apart(expected, chosen.text):.2g}"
    )


@contract("views", "views that are all the plain image give the image features of the plain image.", "methods")
def views(case: Case) -> None:
    """For methods with `views`: training images come as (B, 1 + views, ...), the plain one first, then random views; test images come
    alone. `training_features` makes one image feature of them.
    """
    if not case.thing.views:
        return
    tuner = case.trained
    inputs, labels = images(tuner, *toy.TEST).tensors
    several = torch.stack([inputs] * (1 + case.thing.views), dim=1)

    def of_views() -> Features:
        with torch.no_grad():
            return tuner.eval().method.training_features(tuner.backbone, several, toy.BASE, labels)

    expected, actual = _features(tuner, inputs).image, attempt(case, of_views, "given several views:").image
    assert close(expected, actual), f"image features of equal views differ by up to {apart(expected, actual):.2g}"


@contract("prepare", "prepare gives the same whatever the order of the training images.", "methods")
def prepare(case: Case) -> None:
    """For methods with `prepare`, which is given the whole training set before the first step: for closed forms and caches. Its results are
    parameters or persistent buffers; an empty tensor of the constructor may take its shape there. The order of the images is chance.
    """
    if not overrides(case.thing, "prepare"):
        return
    outcomes: list[Tensor] = []
    for turn in (1, -1):
        tuner = case.tuner()
        prepared, labels = prepared_images(tuner).tensors
        order = torch.arange(len(labels)) if turn == 1 else torch.arange(len(labels)).flip(0)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(toy.SEED)
            attempt(case, partial(tuner.prepare, prepared[order], labels[order]), "prepare:")
        outcomes.append(scores(tuner, images(tuner, *toy.TEST).tensors[0]))
    assert close(*outcomes), f"scores differ by up to {apart(*outcomes):.2g} after the images in another order"


@contract("presets", "every preset has settings and values of the recipe that exist.", "methods")
def presets(case: Case) -> None:
    """Published values are data: `Preset(name, settings, training)`. Settings are the constructor's keywords, values of the recipe are
    fields of `Training`: the optimizer, the schedule of the rate, steps per shot, the range of crops and so on.
    """
    for preset in case.thing.presets:
        where = f"preset {preset.name!r}:"
        attempt(case, partial(completed, case, preset.settings), where)
        attempt(case, partial(Training, **preset.training), where)


@contract("class-texts", "classes without texts are refused by check() with a DepthubError, or score without them.", "methods")
def class_texts(case: Case) -> None:
    """For methods that read `classes.texts`, the texts that a run has of each class (`--texts FILE`). A run may have none, and `check` is
    called before any training.
    """
    tuner, bare = case.trained, replace(toy.BASE, texts=())
    if not refused(tuner.method, bare):
        inputs = images(tuner, *toy.TEST).tensors[0]
        attempt(case, partial(scores, tuner, inputs, bare), "check() accepts classes without texts, but")


@contract("finished-runs", "a setting that names a finished run is refused with a DepthubError where there is none.", "methods")
def finished_runs(case: Case) -> None:
    """For methods with `runs`, the names of settings that take `run:FOLDER`. The run's spec names the other run by its id, and
    `finished_tensors` gives what it tuned. A start that is missing must not become another start silently.
    """
    for name in case.thing.runs:
        other = Case(case.kind, case.thing, {**case.settings, name: NOWHERE})
        try:
            other.tuner()
        except DepthubError:
            continue
        raise AssertionError(f"{name}={NOWHERE[:20]}... is accepted")


def _job(case: Case, tuner: Tuner) -> TrainingJob:
    return TrainingJob(tuner, training_images(tuner), toy.BASE, toy.RECIPE, toy.SEED, prepared=prepared_images(tuner))


def _features(tuner: Tuner, inputs: Tensor) -> Features:
    with torch.no_grad():
        return tuner.eval().features(inputs, toy.BASE)


def _readouts(features: Features) -> list[Tensor]:
    return [features.image, *features.readouts.values()]
