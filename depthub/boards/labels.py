"""Readable names for rows, settings and data sets, longer only where two would be alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from depthub.spec import RunSpec, digest
from depthub.values.flat import flat
from depthub.values.text import short


def row_label(spec: Mapping[str, Any]) -> str:
    """The method, and the head unless it is the default one: "CoOp", "CoOp + DePT"."""
    method, head = spec["method"]["name"], spec["head"]["name"]
    return method if head == RunSpec().head.name else f"{method} + {head}"


def distinct(labels: Sequence[str], specs: Sequence[Mapping[str, Any]]) -> list[str]:
    """The labels, with the settings that tell apart those that are alike: "CoOp (shots=4)". No two of the result are equal.

    Args:
        labels: may repeat.
        specs: what each label stands for, as plain data; all different where the labels are alike.
    """
    alike: dict[str, list[int]] = {}
    for place, label in enumerate(labels):
        alike.setdefault(label, []).append(place)
    made = list(labels)
    for label, places in alike.items():
        for place, telling in zip(places, _telling([specs[place] for place in places]), strict=True):
            made[place] = label if len(places) == 1 else f"{label} ({telling})"
    while repeated := {label for label, number in Counter(made).items() if number > 1}:  # a name can look like another with its settings
        made = [f"{label} [{digest(spec)}]" if label in repeated else label for label, spec in zip(made, specs, strict=True)]
    return made


def _telling(specs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Of each spec, the settings in which it differs from another one."""
    each = [flat(spec) for spec in specs]
    digests = [{key: digest(value) for key, value in leaves.items()} for leaves in each]
    counts = Counter(pair for leaves in digests for pair in leaves.items())
    return [
        ", ".join(f"{key}={_shown(leaves[key])}" for key in leaves if counts[key, own[key]] < len(specs)) or "plain"
        for leaves, own in zip(each, digests, strict=True)
    ]


def _shown(value: Any) -> str:
    text = str(value)
    return text[:8] if len(text) == 64 and not text.strip("0123456789abcdef") else short(text)
