"""A setting of a leaderboard document together with the runs behind its rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from depthub.records.result import RunResult

Row = Mapping[str, Any]
Cells = Mapping[str, Mapping[int, Mapping[str, float]]]  # scores in percent by data set, then seed


@dataclass(frozen=True)
class Part:
    """A setting with its runs.

    Args:
        setting: its entry in the document.
        rows: its rows in the document, the best first.
        results: all runs of the document, by run id.
    """

    setting: Mapping[str, Any]
    rows: Sequence[Row]
    results: Mapping[str, RunResult]

    @property
    def name(self) -> str:
        """Of the setting."""
        return str(self.setting["name"])

    @property
    def headline(self) -> str:
        """The score that ranks."""
        return str(self.setting["headline"])

    @cached_property
    def runs(self) -> dict[str, RunResult]:
        """The runs of all rows, in the order of the rows."""
        return {run_id: run for row in self.rows for run_id, run in self.runs_of(row).items()}

    def runs_of(self, row: Row) -> dict[str, RunResult]:
        """A row's runs by run id, in the order of data sets and seeds."""
        return {run["run_id"]: self.results[run["run_id"]] for run in row["runs"]}

    def cells(self, row: Row) -> Cells:
        """A row's scores."""
        cells: dict[str, dict[int, Mapping[str, float]]] = {}
        for run in row["runs"]:
            cells.setdefault(run["data"], {})[run["seed"]] = self.results[run["run_id"]].scores
        return cells


def parts(document: Mapping[str, Any], results: Mapping[str, RunResult]) -> Iterator[Part]:
    """The settings of a document in its order.

    Args:
        document: of `boards.board`.
        results: the runs that it was made of, by run id.
    """
    for setting in document["settings"]:
        yield Part(setting, [row for row in document["rows"] if row["setting"] == setting["name"]], results)
