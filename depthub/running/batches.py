"""Batches: runs that are begun together since they may train together."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from itertools import pairwise
from math import ceil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from depthub.running.options import StackSize
    from depthub.running.resolved import Resolved

MOST = 64  # runs in a batch, unless a larger stack is asked for
PACKS = 2  # for each slot of an executor, at least


def batches(runs: Sequence[Resolved], stack: StackSize, most: int = MOST) -> list[list[int]]:
    """Places of runs that are begun together; batches are in the order of their first runs.

    Runs 0 and 2 of CoOp and 1 of KgCoOp: `[[0, 2], [1]]`; without stacks `[[0], [1], [2]]`.

    Args:
        runs: resolved.
        stack: see `RunOptions`.
        most: runs in a batch.
    """
    alike: dict[Hashable, list[int]] = {}
    for place, run in enumerate(runs):
        key: Hashable = place if stack in ("off", 1) else batch_key(run)
        alike.setdefault(key, []).append(place)
    most = max(most, stack) if isinstance(stack, int) else most
    return [part for places in alike.values() for part in _parts(places, most)]


def _parts(places: list[int], most: int) -> Iterator[list[int]]:
    """Parts of about equal length: a rest of one run would train alone."""
    number = ceil(len(places) / most)
    bounds = [len(places) * i // number for i in range(number + 1)]
    return (places[start:end] for start, end in pairwise(bounds))


def packs(runs: Sequence[Resolved], stack: StackSize, slots: int) -> list[list[int]]:
    """Places of the runs of each pack for an executor; arguments as of `batches` and `_pack_size`."""
    return batches(runs, stack, _pack_size(len(runs), slots))


def _pack_size(runs: int, slots: int) -> int:
    """The most runs in a pack, so that all slots of an executor have work until about the end.

    Args:
        runs: to be done.
        slots: packs that are done at a time; 0: unknown.
    """
    return min(MOST, max(1, ceil(runs / (PACKS * slots)))) if slots else MOST


def batch_key(run: Resolved) -> Hashable:
    """Equal for runs that may train together."""
    spec, recipe = run.spec, run.training
    training = (recipe.batch_size, recipe.precision, recipe.augmentation, recipe.optimizer, recipe.batches)
    return (spec.method.name, spec.protocol, spec.data, spec.backbone, spec.shots, spec.texts, training)
