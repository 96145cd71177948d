"""The two halves of a data set's classes, base and new. CoCoOp, https://arxiv.org/abs/2203.05557."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from statistics import harmonic_mean
from typing import Literal

from depthub import Count, DepthubError

BASE, NEW = "base", "new"
PUBLISHED: Literal["published"] = "published"
Cut = Literal["published"] | int


def check_cut(protocol: str, cut: Cut) -> None:
    """Refuse a cut.

    Raises:
        DepthubError: in the name of the protocol, for a negative number.
    """
    if isinstance(cut, int) and cut < 0:
        raise DepthubError(f"{protocol}: cut is {cut}, expected {PUBLISHED}, or the seed of a shuffle, at least 0")


def halves(protocol: str, labels: Sequence[int], cut: Cut) -> dict[str, list[int]]:
    """Base and new labels by the name of the half, each sorted: the first half, rounded up, is base.

    Args:
        protocol: its name, for messages.
        labels: of all classes, sorted.
        cut: "published": the order of the labels; a number: that of a shuffle with this seed.

    Raises:
        DepthubError: for fewer than two classes.
    """
    if len(labels) < 2:
        raise DepthubError(f"{protocol} needs at least 2 classes, the data set has {len(labels)}")
    half, order = (len(labels) + 1) // 2, list(labels)
    if cut != PUBLISHED:
        # By digests: a generator's shuffle could change with the version of Python.
        order.sort(key=lambda label: hashlib.sha256(f"cut {cut} label {label}".encode()).digest())
    return {BASE: sorted(order[:half]), NEW: sorted(order[half:])}


def means(counts: Mapping[str, Count], of: str = "") -> dict[str, float]:
    """Base and new accuracy and their harmonic mean H, in percent.

    Args:
        counts: by test task.
        of: what the names of tasks and scores end in, after "base", "new" and "H".
    """
    base, new = (counts[half + of].percent for half in (BASE, NEW))
    return {f"{BASE}{of}": base, f"{NEW}{of}": new, f"H{of}": float(harmonic_mean([base, new]))}
