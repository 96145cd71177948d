"""Scores of images on both sides of a joint label space: its trained classes, and its new ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from depthub.compute.processes import gathered
from depthub.inference.readings import rows_of
from depthub.statistics.trade_off import Leads, TradeOff, trade_off

if TYPE_CHECKING:
    from depthub.protocol import Task
    from depthub.types import ClassSet


class Sides:
    """The best trained and the best new class of each image, from all its scores, batch by batch.

    Args:
        classes: the M classes to tell apart.
        trained: those that the head was trained on.
    """

    def __init__(self, classes: ClassSet, trained: ClassSet) -> None:
        rows = rows_of(classes, trained)
        self._trained, self._new = rows, sorted({*range(len(classes))} - {*rows})
        nothing = torch.zeros(0, dtype=torch.bool)  # a process may have no image
        self._batches: list[tuple[Tensor, Tensor, Tensor]] = [(nothing.double(), nothing, nothing)]

    def add(self, logits: Tensor, labels: Tensor) -> None:
        """Take up a batch: logits (B, M), labels (B,) among the M classes."""
        if not self._trained or not self._new:
            return
        scores, is_right = zip(*(_best(logits, labels, side) for side in (self._trained, self._new)), strict=True)
        lead = scores[0].double() - scores[1].double()
        self._batches.append((lead.cpu(), is_right[0].cpu(), is_right[1].cpu()))

    def leads(self, *, is_new: bool) -> Leads:
        """Of all images, which belong to trained or to new classes, in their order."""
        lead, *is_right = (torch.cat(column).numpy() for column in zip(*self._batches, strict=True))
        parts = gathered((lead, is_right[is_new]))
        return Leads(np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts]))


def trade_off_of(tasks: Sequence[Task], sides: Mapping[str, Sides], trained: ClassSet) -> TradeOff | None:
    """The trade-off of trained against new classes; None unless of two tasks one has trained classes alone, and the other new ones.

    Args:
        tasks: of one label space.
        sides: of each task's images, by its name.
        trained: the classes of the training.
    """
    base = [task.name for task in tasks if len(rows_of(task.classes, trained)) == len(task.classes)]
    new = [task.name for task in tasks if not rows_of(task.classes, trained)]
    if not len(base) == len(new) == 1 or len(tasks) != 2:
        return None
    return trade_off(sides[base[0]].leads(is_new=False), sides[new[0]].leads(is_new=True))


def _best(logits: Tensor, labels: Tensor, side: Sequence[int]) -> tuple[Tensor, Tensor]:
    """The best score of each image among some classes, (B,), and whether its class is the true one, (B,); of equal ones the first."""
    columns = torch.tensor(side, device=logits.device)
    scores = logits[:, columns]
    places = scores.argmax(dim=1, keepdim=True)
    return scores.gather(1, places)[:, 0], columns[places[:, 0]] == labels.to(logits.device)
