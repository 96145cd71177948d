"""The report of a data set's check, as data: the command line only prints it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from depthub.values.text import listed

LEVELS = ("layout", "split file", "identity", "class names", "files", "per class", "decoding", "sampling", "zero shot")
Severity = Literal["fault", "warning"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)  # the worst first


@dataclass(frozen=True)
class Fault:
    """One fault of a data set.

    Args:
        level: index into `LEVELS`.
        files: the files with the fault, relative to the data root if they lie below it.
        what: the fault, as a predicate of the files.
        remedy: remedy for the user.
        severity: "warning": worth knowing, but the data set can be used.
    """

    level: int
    files: tuple[str, ...]
    what: str
    remedy: str
    severity: Severity = "fault"

    def __str__(self) -> str:
        return f"{self.severity}, {LEVELS[self.level]}: {listed(self.files)}: {self.what}; {self.remedy}"


@dataclass(frozen=True)
class Report:
    """The outcome of a check of one data set.

    Args:
        name: name of the data set.
        faults: all faults, by level.
        skipped: level to the reason why it was not checked; all other levels were checked.
        notes: level to its result besides faults.
    """

    name: str
    faults: tuple[Fault, ...]
    skipped: Mapping[int, str]
    notes: Mapping[int, str]

    @property
    def good(self) -> bool:
        """Whether there is nothing worse than warnings."""
        return all(fault.severity == "warning" for fault in self.faults)

    def severity(self, level: int) -> Severity | Literal[""]:
        """The worst severity of a level; empty: no fault."""
        severities = self._severities(level)
        return next((severity for severity in SEVERITIES if severity in severities), "")

    def outcome(self, level: int) -> str:
        """A level in a few words, such as "2 faults, 1 warning"."""
        if level in self.skipped:
            return f"not checked: {self.skipped[level]}"
        severities = self._severities(level)
        parts = [_counted(severities.count(severity), severity) for severity in SEVERITIES if severity in severities]
        if level in self.notes:
            parts.append(self.notes[level])
        return ", ".join(parts) or "ok"

    def _severities(self, level: int) -> list[Severity]:
        return [fault.severity for fault in self.faults if fault.level == level]

    def with_level(self, level: int, faults: Sequence[Fault] = (), note: str = "", skipped: str = "") -> Report:
        """The same report with the outcome of one more level, or with the reason why that was skipped."""
        reasons = {**self.skipped, level: skipped}
        notes = {**self.notes, level: note} if note else self.notes
        return Report(self.name, (*self.faults, *faults), {key: reason for key, reason in reasons.items() if reason}, notes)

    def as_dict(self) -> dict[str, Any]:
        """Plain data, with every file."""
        levels = [{"level": level, "name": name, "outcome": self.outcome(level)} for level, name in enumerate(LEVELS)]
        faults = [{**asdict(fault), "name": LEVELS[fault.level]} for fault in self.faults]
        return {"data_set": self.name, "good": self.good, "levels": levels, "faults": faults}


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
