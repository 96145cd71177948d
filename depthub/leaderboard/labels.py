"""Readable names for rows, settings and data sets, longer only where two would be alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from depthub.spec import RunSpec, digest


def row_label(spec: Mapping[str, Any]) -> str:
    """The method, and the head unless it is the default one: "CoOp", "CoOp + DePT"."""
    method, head = spec["method"]["name"], spec["head"]["name"]
    return method if head == RunSpec().head.name else f"{method} + {head}"


def distinct(labels: Sequence[str], specs: Sequence[Mapping[str, Any]]) -> list[str]:
    """The labels, with the settings that tell apart those that are alike: "CoOp (shots=4)".

    Args:
        labels: may repeat.
        specs: what each label stands for, as plain data; all different where the labels are alike.
    """
    count = Counter(labels)
    flat = [dict(_leaves(spec)) for spec in specs]
    made = []
    for label, own in zip(labels, flat, strict=True):
        alike = [other for other, name in zip(flat, labels, strict=True) if name == label]
        telling = [key for key in own if any(key not in other or digest(own[key]) != digest(other[key]) for other in alike)]
        made.append(label if count[label] == 1 else f"{label} ({', '.join(f'{key}={_shown(own[key])}' for key in telling) or 'plain'})")
    return made


def _leaves(value: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    for key, inner in value.items():
        # A component's settings are known by their own name: method.n_ctx, not method.settings.n_ctx.
        deeper = path if key == "settings" and isinstance(inner, Mapping) else (*path, key)
        if isinstance(inner, Mapping):
            yield from _leaves(inner, deeper)
        else:
            yield ".".join(deeper), inner


def _shown(value: Any) -> str:
    text = str(value)
    return text[:8] if len(text) == 64 and not text.strip("0123456789abcdef") else text
