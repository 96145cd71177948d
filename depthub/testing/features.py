"""Checks of features and scores: new classes, prompts per image, other heads, static prompts, settings, other images of the batch."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from depthub.head import Head
from depthub.registry import settings
from depthub.registry.plugins import installed
from depthub.spec import Component
from depthub.testing import toy
from depthub.testing.case import Case, Part, difference, images, scores, tuned
from depthub.testing.comparisons import PluginsWith, apart, close, refused
from depthub.testing.contract import attempt, contract
from depthub.training.tuner import Tuner, overrides
from depthub.types import ClassSet, Features


@contract("new-classes", "classes never trained on are scored, or refused by check() with a DepthubError; trained ones in any order.")
def new_classes(case: Case) -> None:
    """`check(classes)` is called before training with every class set that will be tested. Either it raises a `DepthubError` that says what
    to do, or the classes are scored: some or all of them new, or of another label space with other classes under the same ids.
    `ClassSet.rows_in` compares safely. The trained classes may come in another order, and the scores come in that order.
    """
    tuner, part = case.trained, _part(case)
    inputs = images(tuner, *toy.TEST).tensors[0]
    both = ClassSet("toys", toy.BASE.ids + toy.NEW.ids, toy.BASE.names + toy.NEW.names, texts=toy.BASE.texts + toy.NEW.texts)
    for what, classes in (("new classes", toy.NEW), ("trained and new classes", both), ("another label space", toy.OTHER)):
        if not refused(part, classes):
            _scored(case, tuner, inputs, classes, f"check() accepts {what}, but")
    order = [3, 0, 4, 1, 2]
    assert not refused(part, toy.BASE.take(order)), "check() refuses the trained classes in another order"
    expected = scores(tuner, inputs)[:, order]
    actual = _scored(case, tuner, inputs, toy.BASE.take(order), "trained classes in another order:")
    assert close(expected, actual), f"trained classes in another order score otherwise, by up to {apart(expected, actual):.2g}"


@contract("prompts-per-image", "text features (B, M, d) are read like (M, d), and give the same where all rows are equal.", "heads")
def prompts_per_image(case: Case) -> None:
    """For heads. Some methods make prompts for each image; their text features are (B, M, d). `Features.own_text` gives each image's own
    class feature from either shape.
    """
    tuner = case.trained
    pixels, labels = toy.images(*toy.TEST)
    with torch.no_grad():
        shared = tuner.method.features(tuner.backbone, pixels, toy.BASE)
        for classes in (toy.BASE, toy.NEW):
            if classes == toy.NEW and refused(tuner.head, classes):
                continue
            shared = tuner.method.features(tuner.backbone, pixels, classes)
            each = replace(shared, text=shared.text.expand(len(pixels), -1, -1))
            one, other = tuner.head(shared), attempt(case, partial(tuner.head, each), "text features (B, M, d):")
            assert close(one, other), f"scores of (B, M, d) differ by up to {apart(one, other):.2g}"
            if classes == toy.BASE:
                one = tuner.head.loss(shared, labels)
                other = attempt(case, partial(tuner.head.loss, each, labels), "the loss of (B, M, d):")
                assert close(one, other), f"the loss of (B, M, d) is {other:.6g}, that of (M, d) {one:.6g}"


@contract("every-head", "a method trains and scores under every installed head; a head also inside the heads that take one.")
def every_head(case: Case) -> str:
    """A head reads `Features` and nothing else, so that a head works around any method. For a method: fill the first four fields, with
    `classes` as they were given; `reference` is for its own losses. For a head: it may also be a setting of another head, as in `--head
    DePT --head.cat MyHead`, and then keeps what every head promises: scores (B, M), one loss, `lr_scale`. Heads that take a head themselves
    are not put into one another.
    """
    left_out = []
    subsets = case.kind == "methods" and overrides(case.thing, "training_features")
    for name, head, plain in _combinations(case):
        if subsets and not getattr(plain, "takes_subsets", False):  # refused in one line if the method chooses some of the classes
            continue
        method = case if case.kind == "methods" else Case("methods", toy.Context)
        try:
            _train_and_score(method, head, f"under {name}:", case)
        except AssertionError:
            if not (fault := _fault(plain, case)):
                raise
            left_out.append(f"{name} is left out, since it fails with the plainest {case.kind.removesuffix('s')} as well: {fault}")
    return "; ".join(left_out)


@contract(
    "settings",
    "settings survive completing, JSON and back, and make the same component.",
    *("methods", "heads", "protocols"),
)
def settings_survive(case: Part) -> None:
    """A run's name is made from its settings, and run files hold them as JSON: numbers, strings, booleans, None, lists of these, and heads
    (a class as the default, a function that makes one as the value). A tuple becomes a list.
    """
    plugins = PluginsWith(case)
    whole = settings.complete(Component(case.name, case.settings), case.kind, plugins)
    read = Component.of(json.loads(json.dumps(whole.as_dict())))
    other = [name for name, value in whole.settings.items() if read.settings[name] != value]
    assert not other, f"{other[0]} is {whole.settings[other[0]]!r}, read back {read.settings[other[0]]!r}"
    assert settings.complete(read, case.kind, plugins) == whole, "completing the settings again changes them"
    hash(whole)  # canonical JSON, of which a run's name is made
    if isinstance(case, Case):
        copy = _MadeByFunction(case.kind, partial(settings.make, read, case.kind, plugins))
        deviation = difference(tuned(case.tuner()), tuned(copy.tuner()))
        assert not deviation, f"made from its settings, it starts otherwise: {deviation}"
    else:
        settings.make(read, case.kind, plugins)


@contract(
    "static-prompts", "without needs_image text features ignore the images; without tunes_image the frozen image features stay.", "methods"
)
def static_prompts(case: Case) -> None:
    """For methods. Unless `tunes_image` is true, image features are computed once per data set and given instead of pixels, (B, d) instead
    of (B, 3, H, W); the method must give the same from both. It hands them on as they are, unless `adapts_image` is true: then it may hand
    on others, computed from them. Unless `needs_image` is true, the text features are the same for all images, (M, d). All are class
    attributes; say `tunes_image` or `needs_image` where in doubt, it costs time only.
    """
    tuner, method = case.trained, case.thing
    pixels, _ = toy.images(*toy.TEST)
    first, second = _features(tuner, pixels), _features(tuner, pixels.flip(0))
    width, number = first.image.shape[-1], len(pixels)
    allowed = [(len(toy.BASE), width), (number, len(toy.BASE), width)]
    assert tuple(first.text.shape) in allowed, f"text features have the shape {tuple(first.text.shape)}, expected (M, d) or (B, M, d)"
    if not method.needs_image:
        assert first.text.ndim == 2, "needs_image is False, but there are text features per image, (B, M, d)"
        assert torch.equal(first.text, second.text), "needs_image is False, but text features change with the images"
    if not method.tunes_image:
        frozen = tuner.backbone.encode_image(pixels)
        same = method.adapts_image or torch.equal(first.image, frozen)
        assert same, "tunes_image and adapts_image are False, but image features are not those of the frozen backbone"
        before = attempt(case, partial(_features, tuner, frozen), "tunes_image is False, but given image features (B, d):")
        same = close(first.text, before.text) and close(first.image, before.image)
        assert same, "tunes_image is False, but image features (B, d) encoded before give other features than pixels"


@contract("one-image-at-a-time", "an image's scores do not depend on the other images, and evaluating changes nothing.")
def one_image_at_a_time(case: Case) -> None:
    """Accuracy would otherwise depend on batch size, order and number of processes, and a method could learn from test images. No batch
    normalisation, no centring over the batch, no dropout at test time, no state kept between calls. Labels are never given to `features` or
    to a head's `forward`.
    """
    tuner = case.trained
    inputs = images(tuner, *toy.TEST).tensors[0]
    before = {name: value.clone() for part in (tuner.method, tuner.head) for name, value in _state(part).items()}
    together = scores(tuner, inputs)
    after = {name: value for part in (tuner.method, tuner.head) for name, value in _state(part).items()}
    change = difference(before, after)
    assert not change, f"evaluating changes the state: {change}"
    second = scores(tuner, inputs)
    assert torch.equal(together, second), f"the second evaluation differs by up to {apart(together, second):.2g}"
    alone = torch.cat([scores(tuner, inputs[i : i + 1]) for i in range(3)])
    assert close(together[:3], alone), f"scores of an image on its own differ by up to {apart(together[:3], alone):.2g}"
    turned = scores(tuner, inputs.flip(0)).flip(0)
    assert close(together, turned), f"scores in another order of the images differ by up to {apart(together, turned):.2g}"


class _MadeByFunction(Case):
    """A case with a function in place of its class, called with the same arguments."""

    def make(self, *args: Any) -> Any:
        """The component."""
        return self.thing(*args)


def _part(case: Case) -> Any:
    return case.trained.method if case.kind == "methods" else case.trained.head


def _slots(cls: type) -> list[str]:
    """The settings of a head that are heads."""
    defaults = {p.name: p.default for p in inspect.signature(cls).parameters.values() if p.kind is p.KEYWORD_ONLY}
    return [name for name, default in defaults.items() if inspect.isclass(default) and issubclass(default, Head)]


def _scored(case: Part, tuner: Tuner, inputs: Tensor, classes: ClassSet, where: str) -> Tensor:
    """Scores, checked to be finite."""
    result: Tensor = attempt(case, partial(scores, tuner, inputs, classes), where)
    assert result.isfinite().all(), f"{where} scores are not finite"
    return result


def _combinations(case: Case) -> Iterator[tuple[str, Callable[..., Head], Callable[..., Head]]]:
    """For a method all heads, for a head all heads that take one: a name, the head with the case in it, and the same head without."""
    plugins = installed()
    for name in plugins.names("heads"):
        cls: type[Head] = plugins.get("heads", name)
        if case.kind == "methods":
            yield name, cls, cls
            continue
        for slot in [] if _slots(case.thing) else _slots(cls):
            inside: dict[str, Any] = {slot: case.make}
            yield f"{name} with {slot}={case.name}", partial(cls, **inside), cls


def _train_and_score(method: Case, head: Callable[..., Head], where: str, case: Part) -> None:
    step = replace(toy.RECIPE, epochs=1, batch_size=toy.TRAIN[0])
    tuner = attempt(case, lambda: method.train(method.tuner(head), recipe=step), where)
    _scored(case, tuner, images(tuner, *toy.TEST).tensors[0], toy.BASE, where)


def _fault(head: Callable[..., Head], case: Part) -> str:
    """The fault of a head without any part of the case; empty if it works."""
    try:
        _train_and_score(Case("methods", toy.Context), head, "with a plain learned context:", case)
    except AssertionError as error:
        return str(error)
    return ""


def _features(tuner: Tuner, inputs: Tensor) -> Features:
    with torch.no_grad():
        features: Features = tuner.method.features(tuner.backbone, inputs, toy.BASE)
    return features


def _state(part: torch.nn.Module) -> dict[str, Tensor]:
    kind = type(part).__name__
    return {f"{kind}.{name}": value.detach() for name, value in [*part.named_parameters(), *part.named_buffers()]}
