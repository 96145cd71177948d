"""Numbers and names in the sentences of a report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any

from depthub.values.text import listed

DIGEST = 12  # digits of a digest that are shown; a run's id can be given by so many


def counted(number: int, noun: str) -> str:
    """A number with its noun: "1 row", "2 rows"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def points(low: float, high: float) -> str:
    """Both ends of an interval: "-1.20 to +2.00"."""
    return f"{low:+.2f} to {high:+.2f}"


def numbers(values: Iterable[int]) -> str:
    """Whole numbers in order, neighbours as ranges: "1 to 5, 9"."""
    ordered = sorted(set(values))
    ranges = [[value for _, value in group] for _, group in groupby(enumerate(ordered), key=lambda pair: pair[1] - pair[0])]
    return ", ".join(f"{each[0]} to {each[-1]}" if len(each) > 2 else ", ".join(map(str, each)) for each in ranges)


def shares(counts: Mapping[str, int], noun: str = "run") -> str:
    """Values with how often each occurs, the most frequent first: "2.14.1 (10 runs), 2.13.0 (5 runs)"."""
    ordered = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    return listed([f"{value} ({counted(number, noun)})" for value, number in ordered], 6)


def cells(missing: Iterable[Mapping[str, Any]]) -> str:
    """Data sets with their seeds: "tones (seeds 1, 2), flags (seed 3)"."""
    parts = []
    for data, entries in groupby(missing, key=lambda cell: str(cell["data"])):
        seeds = [int(entry["seed"]) for entry in entries]
        parts.append(f"{data} (seed{'' if len(seeds) == 1 else 's'} {numbers(seeds)})")
    return listed(parts, 12)
