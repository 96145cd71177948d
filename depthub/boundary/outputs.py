"""What methods and heads hand over."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import torch
from torch import Tensor, nn

from depthub.boundary.owner import refuse, told, whose, within
from depthub.errors import DepthubError
from depthub.head import Head
from depthub.method import Method
from depthub.registry.foreign import described, package_of, place, shown
from depthub.types import ClassSet, Features

HEAD = "head"  # name of the head's loss
SUM = 1e-3  # how far the probabilities of an image may add up to something else than 1, by rounding
KINDS: Mapping[type, str] = {Method: "method", Head: "head"}


def kind_of(part: object) -> str:
    """ "method" or "head"."""
    return next((word for base, word in KINDS.items() if isinstance(part, base)), "method")


def check_part(part: Any, kind: str) -> None:
    """Check that a constructor gave a module that is ready.

    Raises:
        DepthubError: if it is no `Method` or `Head`, or its constructor left the base class's out.
    """
    base = next(base for base, word in KINDS.items() if word == kind)
    if not isinstance(part, nn.Module):
        raise DepthubError(f"{whose(kind, part)} is no torch.nn.Module, expected an instance of {base.__name__}")
    if not is_ready(part):
        _unready(part, kind)


def is_ready(part: nn.Module) -> bool:
    """Whether the constructor of torch's modules was called."""
    return "_parameters" in vars(part)


def explain_making(error: Exception) -> None:
    """Say of an error that came out of a constructor whose it was.

    Args:
        error: gets a note.

    Raises:
        DepthubError: instead, if the constructor did not call its base class's first, which torch refuses in words of its own.
    """
    made: Method | Head | None = None
    trace = error.__traceback__
    while trace:
        part = trace.tb_frame.f_locals.get("self")
        made = part if isinstance(part, Method | Head) else made
        trace = trace.tb_next
    if made is not None and not is_ready(made):
        _unready(made, kind_of(made), error)
    if made is not None and not isinstance(error, DepthubError):
        error.add_note(f"in {whose(kind_of(made), made)}")


def _unready(part: Any, kind: str, error: Exception | None = None) -> None:
    first = "backbone, classes" if kind == "method" else "dim, classes"
    owner, expected = whose(kind, part), f"super().__init__({first}) before anything is assigned"
    if error is None:
        refuse(owner, type(part).__init__, "its constructor does not call its base class's", expected)
    seen = described(error, package_of(type(part)))
    raise DepthubError(f"{owner}: its constructor fails with {seen}, expected {expected}") from error


def refused(part: Any, kind: str, classes: ClassSet) -> None:
    """Ask a method or head whether it can name classes.

    Raises:
        DepthubError: if it cannot; and if `check` raises something else, or gives an answer, which would not be heard.
    """
    owner, call, expected = whose(kind, part), type(part).check, "None, or a DepthubError that says what to do"
    try:
        answer = part.check(classes)
    except DepthubError:
        raise
    except Exception as error:
        seen = described(error, package_of(type(part)))
        raise DepthubError(f"{owner}: check() raised {seen}, expected {expected}") from error
    if answer is not None:
        refuse(owner, call, f"check() gives {told(answer)}", expected)


def after_epoch(method: Method, epoch: int, epochs: int) -> None:
    """Tell a method that an epoch is done.

    Raises:
        DepthubError: if it gives something, which nobody would take.
    """
    with within("method", method):
        given: object = method.after_epoch(epoch, epochs)  # type: ignore[func-returns-value]
    if given is not None:
        refuse(whose("method", method), type(method).after_epoch, f"after_epoch() gives {told(given)}", "None: it changes buffers in place")


def gives_probabilities(head: Head, classes: ClassSet) -> bool:
    """What a head says of its scores.

    Raises:
        DepthubError: if that is neither True nor False.
    """
    with within("head", head):
        given: object = head.gives_probabilities(classes)
    if not isinstance(given, bool):
        refuse(whose("head", head), type(head).gives_probabilities, f"gives_probabilities() gives {told(given)}", "True or False")
    return given


def check_features(method: Method, features: Any, images: int, classes: ClassSet, scale: Tensor, dim: int) -> None:
    """Check the features of B images and M classes.

    Args:
        method: whose.
        features: what it gave.
        images: B.
        classes: that it was asked for.
        scale: the backbone's, for the device.
        dim: size d of the joint space.

    Raises:
        DepthubError: if they are no `Features` of these shapes and classes on the backbone's device.
    """
    if not isinstance(features, Features):
        _refuse(method, "features", told(features), "Features")
    m = len(classes)
    for part, shapes in (("image", ((images, dim),)), ("text", ((m, dim), (images, m, dim))), ("scale", ((),))):
        value = getattr(features, part)
        if not _fits(value, shapes):
            _refuse(method, "features", f"{part}: {told(value)}", f"floating-point numbers of the shape {' or '.join(map(str, shapes))}")
        if value.device != scale.device:
            _refuse(method, "features", f"{part} on {value.device}", f"{scale.device}, where the backbone is")
    if features.classes != classes:
        _refuse(method, "features", f"classes {shown(features.classes)}", "the classes as they were given")
    if not isinstance(features.reference, Tensor | None):
        _refuse(method, "features", f"reference: {told(features.reference)}", "a tensor or None")


def check_losses(method: Method, losses: Any) -> None:
    """Check a method's own losses.

    Raises:
        DepthubError: if they are no dict of single numbers under names of their own.
    """
    if not isinstance(losses, Mapping) or HEAD in losses or not all(isinstance(name, str) for name in losses):
        given = f"a loss named {HEAD!r}, which is the head's" if isinstance(losses, Mapping) and HEAD in losses else told(losses)
        _refuse(method, "losses", given, "a dict of losses under names of their own")
    for name, value in losses.items():
        _check_loss(value, method, f"loss {name!r}", type(method).losses)


def check_loss(head: Head, loss: Any) -> None:
    """Check a head's loss.

    Raises:
        DepthubError: if it is no single number.
    """
    _check_loss(loss, head, "loss()", type(head).loss)


def check_scores(head: Head, scores: Any, images: int, classes: int) -> None:
    """Check the scores of B images and M classes.

    Raises:
        DepthubError: if they are no floating-point tensor (B, M).
    """
    if not _fits(scores, ((images, classes),)):
        given = f"gives {told(scores)} for {images} images and {classes} classes, expected scores of the shape {(images, classes)}"
        remedy = f"its forward{place(type(head).forward)} must score every class of features.classes"
        raise DepthubError(f"{whose('head', head)} {given}; {remedy}")


def check_probabilities(head: Head, scores: Tensor) -> None:
    """Check scores (B, M) of which a head says that they are probabilities; waits for the device.

    Raises:
        DepthubError: if they are negative, or those of an image do not add up to 1.
    """
    total = scores.sum(dim=1)
    if not scores.isfinite().all():
        return  # evaluation says it of all images together
    if (scores < 0).any() or not torch.allclose(total, torch.ones_like(total), rtol=0, atol=SUM):
        seen = f"from {scores.min():.4g} on, that add up to between {total.min():.4g} and {total.max():.4g}"
        expected = "probabilities, at least 0 and adding up to 1 for each image, as gives_probabilities() says"
        _refuse(head, "forward", f"scores {seen}", expected)


def _check_loss(value: Any, part: Method | Head, what: str, call: Callable[..., Any]) -> None:
    if not _fits(value, ((),)):
        owner, expected = whose(kind_of(part), part), "a single number, a tensor of the shape ()"
        refuse(owner, call, f"{what} gives {told(value)}", expected, "take its mean")


def _fits(value: Any, shapes: tuple[tuple[int, ...], ...]) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point() and tuple(value.shape) in shapes


def _refuse(part: Method | Head, call: str, given: str, expected: str) -> NoReturn:
    refuse(whose(kind_of(part), part), getattr(type(part), call), f"{call}() gives {given}", expected)
