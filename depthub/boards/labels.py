"""Readable names for rows, settings and data sets, longer only where two would be alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from depthub.spec import RunSpec, digest
from depthub.values.flat import flat
from depthub.values.text import short


def row_label(spec: Mapping[str, Any]) -> str:
    """The method, and the head unless it is the default one: "CoOp", "CoOp + DePT"."""
    method, head = spec["method"]["name"], spec["head"]["name"]
    return method if head == RunSpec().head.name else f"{method} + {head}"


def texts_in_words(spec: Mapping[str, Any]) -> str:
    """The class texts of a row: "texts shapes (1f0c33a9)"; empty if it has none. The files of a submission may differ between data sets."""
    if "texts" not in spec:
        return ""
    texts = spec["texts"]
    return f"texts {texts['name']} ({texts['sha256'][:8]})" if texts.keys() == {"name", "sha256"} else "texts of several files"


def distinct(labels: Sequence[str], specs: Sequence[Mapping[str, Any]]) -> list[str]:
    """The labels, with the settings that differ between equal ones: "CoOp (shots=4)". No two of the result are equal.

    Args:
        labels: may repeat.
        specs: the spec of each label as plain data; all different where the labels are equal.
    """
    places_of: dict[str, list[int]] = {}
    for place, label in enumerate(labels):
        places_of.setdefault(label, []).append(place)
    longer = list(labels)
    for label, places in places_of.items():
        for place, settings in zip(places, _differing_settings([specs[place] for place in places]), strict=True):
            longer[place] = label if len(places) == 1 else f"{label} ({settings})"
    while repeated := _repeated(longer):  # a name can look like another with its settings
        longer = [f"{label} [{digest(spec)}]" if label in repeated else label for label, spec in zip(longer, specs, strict=True)]
    return longer


def _repeated(labels: Sequence[str]) -> set[str]:
    return {label for label, number in Counter(labels).items() if number > 1}


def _differing_settings(specs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Of each spec, the settings in which it differs from another one: "shots=4, training.epochs=5"."""
    settings = [flat(spec) for spec in specs]
    digests = [{name: digest(value) for name, value in leaves.items()} for leaves in settings]
    counts = Counter(pair for leaves in digests for pair in leaves.items())
    differing = [[name for name in leaves if counts[name, of[name]] < len(specs)] for leaves, of in zip(settings, digests, strict=True)]
    short_names = _short_names({name for names in differing for name in names})
    return [
        ", ".join(f"{short_names[name]}={_shown(leaves[name])}" for name in names) or "plain"
        for names, leaves in zip(differing, settings, strict=True)
    ]


def _short_names(names: Collection[str]) -> dict[str, str]:
    """The last parts of dotted names, "balance" for `head.balance`; the whole names of those that end alike."""
    ends = Counter(name.rpartition(".")[2] for name in names)
    return {name: end if ends[end := name.rpartition(".")[2]] == 1 else name for name in names}


def _shown(value: Any) -> str:
    text = str(value)
    return text[:8] if len(text) == 64 and not text.strip("0123456789abcdef") else short(text)
