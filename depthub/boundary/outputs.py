"""Checks of the values that methods and heads return."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

import torch
from torch import Tensor, nn

from depthub.boundary.owner import brief, owner_name, refuse, within
from depthub.errors import DepthubError
from depthub.head import Head
from depthub.method import Method
from depthub.registry.foreign import described, package_of, place, shown
from depthub.types import ClassSet, Features

if TYPE_CHECKING:
    from depthub.encoding.backbone import Backbone

HEAD = "head"  # name of the head's loss
SUM = 1e-3  # tolerance of the sum of an image's probabilities: rounding
KINDS: Mapping[type, str] = {Method: "method", Head: "head"}


def kind_of(part: object) -> str:
    """The word for a part in messages: "method" or "head"."""
    return next((word for base, word in KINDS.items() if isinstance(part, base)), "method")


def check_part(part: Any, kind: str) -> None:
    """Check a newly constructed method or head.

    Raises:
        DepthubError: if it is not a `torch.nn.Module`, or its constructor does not call `super().__init__`.
    """
    base = next(base for base, word in KINDS.items() if word == kind)
    if not isinstance(part, nn.Module):
        raise DepthubError(f"{owner_name(kind, part)} is not a torch.nn.Module, expected an instance of {base.__name__}")
    if not is_ready(part):
        _unready(part, kind)


def is_ready(part: nn.Module) -> bool:
    """Whether `torch.nn.Module.__init__` was called."""
    return "_parameters" in vars(part)


def explain_constructor_error(error: Exception) -> None:
    """Add a note to an error in the constructor of a method or head: the name of the component.

    Args:
        error: the error, with its traceback.

    Raises:
        DepthubError: instead of the error, if the constructor did not call `super().__init__` first: torch's own message is obscure.
    """
    part = _part_in(error)
    if part is None:
        return
    if not is_ready(part):
        _unready(part, kind_of(part), error)
    if not isinstance(error, DepthubError):
        error.add_note(f"in {owner_name(kind_of(part), part)}")


def _part_in(error: Exception) -> Method | Head | None:
    """The innermost method or head that is `self` in a frame of the traceback."""
    part, trace = None, error.__traceback__
    while trace:
        candidate = trace.tb_frame.f_locals.get("self")
        part = candidate if isinstance(candidate, Method | Head) else part
        trace = trace.tb_next
    return part


def _unready(part: Any, kind: str, error: Exception | None = None) -> None:
    first = "backbone, classes" if kind == "method" else "dim, classes"
    owner, expected = owner_name(kind, part), f"super().__init__({first}) before anything is assigned"
    if error is None:
        refuse(owner, type(part).__init__, "its constructor does not call its base class's", expected)
    line = described(error, package_of(type(part)))
    raise DepthubError(f"{owner}: its constructor fails with {line}, expected {expected}") from error


def call_check(part: Any, kind: str, classes: ClassSet) -> None:
    """Call `check` of a method or head.

    Raises:
        DepthubError: if it refuses the classes; also if it raises another error, or returns a value, which would have no effect.
    """
    owner, call, expected = owner_name(kind, part), type(part).check, "None, or a DepthubError that says what to do"
    try:
        answer = part.check(classes)
    except DepthubError:
        raise
    except Exception as error:
        line = described(error, package_of(type(part)))
        raise DepthubError(f"{owner}: check() raised {line}, expected {expected}") from error
    if answer is not None:
        refuse(owner, call, f"check() gives {brief(answer)}", expected)


def after_epoch(method: Method, epoch: int, epochs: int) -> None:
    """Call `after_epoch` of a method.

    Raises:
        DepthubError: if it returns a value, which would have no effect.
    """
    with within("method", method):
        value: object = method.after_epoch(epoch, epochs)  # type: ignore[func-returns-value]
    if value is not None:
        _refuse(method, "after_epoch", brief(value), "None: it changes buffers in place")


def prepare(method: Method, backbone: Backbone, images: Tensor, labels: Tensor) -> None:
    """Call `prepare` of a method.

    Raises:
        DepthubError: if it returns a value, which would have no effect.
    """
    with within("method", method), torch.no_grad():
        value: object = method.prepare(backbone, images, labels)  # type: ignore[func-returns-value]
    if value is not None:
        _refuse(method, "prepare", brief(value), "None: it sets parameters and buffers")


def gives_probabilities(head: Head, classes: ClassSet) -> bool:
    """Whether a head's scores are probabilities, by its own `gives_probabilities`.

    Raises:
        DepthubError: if the answer is neither True nor False.
    """
    with within("head", head):
        answer: object = head.gives_probabilities(classes)
    if not isinstance(answer, bool):
        _refuse(head, "gives_probabilities", brief(answer), "True or False")
    return answer


def check_features(method: Method, features: Any, images: int, classes: ClassSet, scale: Tensor, dim: int, *, step: bool = False) -> None:
    """Check the features of B images and M classes.

    Args:
        method: the method.
        features: the value of its `features`.
        images: B.
        classes: the M classes of the call.
        scale: the backbone's scale; its device is the expected one.
        dim: size d of the joint space.
        step: whether they are of a training step, which may have some of the classes only.

    Raises:
        DepthubError: if they are not `Features` of these shapes and classes on the backbone's device.
    """
    if not isinstance(features, Features):
        _refuse(method, "features", brief(features), "Features")
    classes = features.classes if step and isinstance(features.classes, ClassSet) else classes
    m = len(classes)
    for part, shapes in (("image", ((images, dim),)), ("text", ((m, dim), (images, m, dim))), ("scale", ((),))):
        value = getattr(features, part)
        if not _fits(value, shapes):
            _refuse(method, "features", f"{part}: {brief(value)}", f"floating-point numbers of the shape {' or '.join(map(str, shapes))}")
        if value.device != scale.device:
            _refuse(method, "features", f"{part} on {value.device}", f"{scale.device}, where the backbone is")
    if features.classes != classes:
        _refuse(method, "features", f"classes {shown(features.classes)}", "the classes as they were given")
    if features.added is not None and not _fits(features.added, ((images, m),)):
        _refuse(method, "features", f"added: {brief(features.added)}", f"logits of the shape {(images, m)}, or None")
    for name, value in features.readouts.items():
        if not isinstance(value, Tensor) or not value.is_floating_point() or len(value) != images:
            _refuse(method, "features", f"readout {name!r}: {brief(value)}", f"floating-point numbers of {images} images")
    if not isinstance(features.reference, Tensor | None):
        _refuse(method, "features", f"reference: {brief(features.reference)}", "a tensor or None")


def check_losses(method: Method, losses: Any) -> None:
    """Check a method's own losses.

    Raises:
        DepthubError: if they are not a dict of single numbers under names of their own.
    """
    expected = "a dict of losses under names of their own"
    if not isinstance(losses, Mapping) or not all(isinstance(name, str) for name in losses):
        _refuse(method, "losses", brief(losses), expected)
    if HEAD in losses:
        _refuse(method, "losses", f"a loss named {HEAD!r}, which is the head's", expected)
    for name, value in losses.items():
        _check_loss(value, method, f"loss {name!r}", type(method).losses)


def check_loss(head: Head, loss: Any) -> None:
    """Check a head's loss.

    Raises:
        DepthubError: if it is not a single number.
    """
    _check_loss(loss, head, "loss()", type(head).loss)


def check_scores(head: Head, scores: Any, images: int, classes: int) -> None:
    """Check the scores of B images and M classes.

    Raises:
        DepthubError: if they are not a floating-point tensor (B, M).
    """
    if not _fits(scores, ((images, classes),)):
        fault = f"gives {brief(scores)} for {images} images and {classes} classes, expected scores of the shape {(images, classes)}"
        remedy = f"its forward{place(type(head).forward)} must score every class of features.classes"
        raise DepthubError(f"{owner_name('head', head)} {fault}; {remedy}")


def check_probabilities(head: Head, scores: Tensor) -> None:
    """Check scores (B, M) that are probabilities according to the head; waits for the device.

    Raises:
        DepthubError: if one is negative, or those of an image do not add up to 1.
    """
    total = scores.sum(dim=1)
    if not scores.isfinite().all():
        return  # evaluation reports this once for all images
    if (scores < 0).any() or not torch.allclose(total, torch.ones_like(total), rtol=0, atol=SUM):
        extremes = f"from {scores.min():.4g} on, that add up to between {total.min():.4g} and {total.max():.4g}"
        expected = "probabilities, at least 0 and adding up to 1 for each image, as gives_probabilities() says"
        _refuse(head, "forward", f"scores {extremes}", expected)


def _check_loss(value: Any, part: Method | Head, what: str, call: Callable[..., Any]) -> None:
    if not _fits(value, ((),)):
        owner, expected = owner_name(kind_of(part), part), "a single number, a tensor of the shape ()"
        refuse(owner, call, f"{what} gives {brief(value)}", expected, "take its mean")


def _fits(value: Any, shapes: tuple[tuple[int, ...], ...]) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point() and tuple(value.shape) in shapes


def _refuse(part: Method | Head, call: str, value: str, expected: str) -> NoReturn:
    refuse(owner_name(kind_of(part), part), getattr(type(part), call), f"{call}() gives {value}", expected)
