"""What a check of a data set found, as data: the command line only shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from depthub.values.text import listed

LEVELS = ("layout", "split file", "identity", "class names", "files", "per class", "decoding", "sampling", "zero shot")


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong.

    Args:
        level: index into `LEVELS`.
        files: what is concerned, relative to the data root where it lies below it.
        what: the fault, as a predicate of the files.
        remedy: what the user can do.
        severity: a warning is worth knowing and does not make the data set unfit.
    """

    level: int
    files: tuple[str, ...]
    what: str
    remedy: str
    severity: Literal["fault", "warning"] = "fault"

    def __str__(self) -> str:
        return f"{self.severity}, {LEVELS[self.level]}: {listed(list(self.files))}: {self.what}; {self.remedy}"


@dataclass(frozen=True)
class Report:
    """What was checked of one data set and what came out.

    Args:
        name: of the data set.
        faults: all of them, by level.
        skipped: why a level was not checked, by level; the others were.
        notes: what a level found out beside faults, by level.
    """

    name: str
    faults: tuple[Fault, ...]
    skipped: Mapping[int, str]
    notes: Mapping[int, str]

    @property
    def good(self) -> bool:
        """Whether nothing worse than warnings was found."""
        return all(fault.severity == "warning" for fault in self.faults)

    def severity(self, level: int) -> str:
        """The worst that was found on a level: "fault", "warning" or nothing."""
        return min((fault.severity for fault in self.faults if fault.level == level), default="")  # in the order of the alphabet

    def outcome(self, level: int) -> str:
        """A level in a few words."""
        if level in self.skipped:
            return f"not checked: {self.skipped[level]}"
        own = [fault.severity for fault in self.faults if fault.level == level]
        counts = [_count(own.count(severity), severity) for severity in ("fault", "warning") if severity in own]
        return ", ".join([*counts, *([self.notes[level]] if level in self.notes else [])]) or "ok"

    def with_level(self, level: int, faults: Sequence[Fault] = (), note: str = "", skipped: str = "") -> Report:
        """The same, and what came out of one level more; or why it was skipped."""
        reasons = {known: why for known, why in self.skipped.items() if known != level} | ({level: skipped} if skipped else {})
        return Report(self.name, (*self.faults, *faults), reasons, {**self.notes, **({level: note} if note else {})})

    def as_dict(self) -> dict[str, Any]:
        """Plain data, with every file."""
        levels = [{"level": level, "name": name, "outcome": self.outcome(level)} for level, name in enumerate(LEVELS)]
        faults = [{**asdict(fault), "name": LEVELS[fault.level]} for fault in self.faults]
        return {"data_set": self.name, "good": self.good, "levels": levels, "faults": faults}


def _count(number: int, of: str) -> str:
    return f"{number} {of}{'' if number == 1 else 's'}"
