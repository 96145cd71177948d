"""What a record reads of a tuner, by its name in the record: logits, losses and features."""

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
    """A head that learns from rows of its own making."""

    classifier: nn.Module

    def samples(self, features: Features, labels: Tensor) -> Tensor:
        """The rows that the classifier reads in training, (kB, d)."""


# What an evaluation records, from a head and the features of images and classes.
READINGS: dict[str, Callable[[Head, Features], Tensor]] = {
    "logits": lambda head, features: head(features),
    "logits_itm": lambda head, features: _itm(head)(features),
    "logits_cat": lambda head, features: _part(head, "cat")(features),
    "text_features": lambda head, features: features.text,
    "image_features": lambda head, features: features.image,
}
# What is recorded of the first batch at the start values; logits are those of image-text matching where nothing else is said.
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
    """The part of a head whose logits and losses go by that word."""
    part = getattr(head, name, None)
    if not isinstance(part, Head):
        raise DepthubError(f"the head {type(head).__name__} has no part {name!r}, of which something is recorded: check replay.head")
    return part


def _learned(head: Head, features: Features, labels: Tensor) -> Tensor:
    """The logits that a head's loss is computed from."""
    logits: Tensor = head.classifier(head.samples(features, labels)) if isinstance(head, Classifies) else head(features)
    return logits


def _pull(method: Method, features: Features) -> Tensor:
    """The method's own loss without its weight, as the records hold it."""
    alone: Any = copy(method)  # its parameters are shared
    alone.weight = 1.0
    losses = list(alone.losses(features).values())
    if not losses:
        raise DepthubError(f"the method {type(method).__name__} has no loss of its own, but one is recorded: check replay.method")
    return torch.stack(losses).sum()
