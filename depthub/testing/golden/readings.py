"""Logits, losses and features of a tuner, by their names in the records of trainings."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from depthub.errors import DepthubError
from depthub.head import ITM, Head
from depthub.method import Method
from depthub.training.tuner import Tuner
from depthub.types import Features


@runtime_checkable
class Classifies(Protocol):
    """A head with a linear classifier, trained on rows that the head makes from features."""

    classifier: nn.Module

    def samples(self, features: Features, labels: Tensor) -> Tensor:
        """The training rows of the classifier, (kB, d)."""


# Quantities of an evaluation, from a head and the features of images and classes.
READINGS: dict[str, Callable[[Head, Features], Tensor]] = {
    "logits": lambda head, features: head(features),
    "logits_itm": lambda head, features: _itm(head)(features),
    "logits_cat": lambda head, features: _part(head, "cat")(features),
    "text_features": lambda head, features: features.text,
    "image_features": lambda head, features: features.image,
}
# Quantities of the first batch at the start values; plain "logits" are those of image-text matching.
FIRST_BATCH: dict[str, Callable[[Tuner, Features, Tensor], Tensor]] = {
    "logits": lambda tuner, features, labels: _itm(tuner.head)(features),
    "logits_itm": lambda tuner, features, labels: _itm(tuner.head)(features),
    "logits_cat": lambda tuner, features, labels: _learned(_part(tuner.head, "cat"), features, labels),
    "loss_itm": lambda tuner, features, labels: _itm(tuner.head).loss(features, labels),
    "loss_cat": lambda tuner, features, labels: _part(tuner.head, "cat").loss(features, labels),
    "loss_kg": lambda tuner, features, labels: _pull(tuner.method, features),
}


def _itm(head: Head) -> Any:
    return head if isinstance(head, ITM) else _part(head, "itm")


def _part(head: Head, name: str) -> Any:
    """The part of a head with this name: `logits_cat` and `loss_cat` are those of the part `cat`."""
    part = getattr(head, name, None)
    if not isinstance(part, Head):
        raise DepthubError(f"the head {type(head).__name__} has no part {name!r}, of which something is recorded: check replay.head")
    return part


def _learned(head: Head, features: Features, labels: Tensor) -> Tensor:
    """The logits in a head's loss."""
    logits: Tensor = head.classifier(head.samples(features, labels)) if isinstance(head, Classifies) else head(features)
    return logits


def _pull(method: Method, features: Features) -> Tensor:
    """The method's own loss without its weight, as in the records."""
    unweighted: Any = copy(method)  # a shallow copy: same parameters
    unweighted.weight = 1.0
    losses = list(unweighted.losses(features).values())
    if not losses:
        raise DepthubError(f"the method {type(method).__name__} has no loss of its own, but one is recorded: check replay.method")
    return torch.stack(losses).sum()
