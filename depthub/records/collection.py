"""Many finished runs at once, and as tables for pandas or polars."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, get_args, overload

from depthub.errors import DepthubError
from depthub.records.document import read
from depthub.records.entries import FILE
from depthub.records.result import RunResult
from depthub.records.store import Store
from depthub.values.checks import choice
from depthub.values.flat import flat

What = Literal["scores", "tasks", "classes"]
DataFrames = Literal["pandas", "polars"]
Row = dict[str, Any]
IDENTITY = ("run_id", "method", "head", "protocol", "data", "shots", "seed")  # the first columns of every table
GROUPS = ("headline", "score", "cost", "depthub", "folder", "method", "head", "protocol", "data", "backbone", "training")


@dataclass(frozen=True)
class Results(Sequence[RunResult]):
    """Finished runs, in the order of their ids where they come from a folder. Made by `depthub.results`.

    Args:
        runs: the results.
        left_out: an error for each unreadable run among the files.
    """

    runs: tuple[RunResult, ...]
    left_out: tuple[DepthubError, ...] = ()

    @overload
    def __getitem__(self, place: int) -> RunResult: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[RunResult]: ...
    def __getitem__(self, place: int | slice) -> RunResult | Sequence[RunResult]:
        return self.runs[place]

    def __len__(self) -> int:
        return len(self.runs)

    def to_dataframe(self, backend: DataFrames = "pandas", *, what: What = "scores") -> Any:
        """The runs as a table.

        Every row begins with `run_id`, `method`, `head`, `protocol`, `data` (names), `shots` and `seed`. Then come

        - for "scores", a row for each run: `headline` (the name of the score that ranks), `score.NAME` for every score in percent,
          `cost.NAME` (seconds, bytes and numbers of parameters), `depthub` (the version), `folder` (where the run lies), and every setting
          of the spec by its dotted name: `method.n_ctx`, `head.cat.bias`, `training.lr`, `data.sha256`, `backbone.model`;
        - for "tasks", a row for each run and test task: `task`, `n_correct`, `n_total`, `accuracy` in percent, `n_classes` and
          `images_sha256`, equal for tasks with the same images;
        - for "classes", a row for each run, test task and class: `task`, `class`, `n_correct`, `n_total`, `n_predicted` and `accuracy` in
          percent, missing where the class has no test image.

        A setting that a run does not have is missing in its row. Lists, and columns with values of several types, are written as JSON.

        Args:
            backend: "pandas" or "polars".
            what: "scores", "tasks" or "classes".

        Raises:
            DepthubError: for another word, or if the library is not installed.
        """
        choice("what", what, get_args(What))
        choice("backend", backend, get_args(DataFrames))
        rows = [row for run in self.runs for row in ROWS[what](run)]
        names = sorted(dict.fromkeys([*IDENTITY, *(name for row in rows for name in row)]), key=_group)
        columns = {name: _uniform([row.get(name) for row in rows]) for name in names}
        library = _library(backend)
        make = _pandas_column if backend == "pandas" else _polars_column
        return library.DataFrame({name: make(library, name, column) for name, column in columns.items()})


def results(runs: Path | str | Iterable[RunResult]) -> Results:
    """Finished runs, to go through or to make a table of.

    Args:
        runs: a folder of runs or of packed runs, a board's folder, or a packed file (predictions are read when first used); the folder
            of one run; or results.

    Raises:
        DepthubError: if the folder is not there. An unreadable run in it is left out with a warning, see `Results.left_out`.
    """
    if not isinstance(runs, Path | str):
        return Results(_checked(runs))
    root = Path(runs)
    if os.path.lexists(root / FILE):
        return Results((read(root, recount=False),))
    if not root.exists():
        raise DepthubError(f"no folder {root}; expected the folder of the runs")
    outcomes = list(Store(root).scan(recount=False))
    left_out = tuple(outcome for outcome in outcomes if isinstance(outcome, DepthubError))
    for error in left_out:
        warnings.warn(f"left out: {error}", stacklevel=2)
    return Results(tuple(outcome for outcome in outcomes if isinstance(outcome, RunResult)), left_out)


def _checked(runs: Any) -> tuple[RunResult, ...]:
    results = tuple(runs) if isinstance(runs, Iterable) and not isinstance(runs, RunResult) else (runs,)
    for result in results:
        if not isinstance(result, RunResult):
            raise DepthubError(f"runs holds a {type(result).__name__}, expected results, or the path of a folder of runs")
    return results


def identity(run: RunResult) -> Row:
    """The first cells of a row of every table, by the names in `IDENTITY`."""
    spec = run.spec.without_places()
    return dict(
        zip(
            IDENTITY,
            (spec.run_id, spec.method.name, spec.head.name, spec.protocol.name, spec.data.name, spec.shots, spec.seed),
            strict=True,
        )
    )


def _scores(run: RunResult) -> Iterator[Row]:
    settings = flat(run.spec.without_places().as_dict())
    yield {
        **identity(run),
        "headline": run.headline,
        **{f"score.{name}": float(value) for name, value in run.scores.items()},
        **{f"cost.{name}": value for name, value in run.cost.items()},
        "depthub": run.provenance.get("depthub", {}).get("version"),
        "folder": None if run.folder is None else str(run.folder),
        **{name: value for name, value in settings.items() if name not in (*IDENTITY, "data.name")},
    }


def _tasks(run: RunResult) -> Iterator[Row]:
    for task, count in run.counts.items():
        counts = {"n_correct": count.n_correct, "n_total": count.n_total, "accuracy": count.percent, "n_classes": len(count.per_class)}
        tested = run.tasks.get(task)
        yield {**identity(run), "task": task, **counts, "images_sha256": tested.images_sha256 if tested else None}


def _classes(run: RunResult) -> Iterator[Row]:
    for task in run.counts:
        for row in run.per_class(task):
            yield {**identity(run), "task": task, **row}


ROWS: Mapping[What, Callable[[RunResult], Iterable[Row]]] = {"scores": _scores, "tasks": _tasks, "classes": _classes}


def _group(name: str) -> int:
    """The sort key of a column; within a group, columns keep their order."""
    if name in IDENTITY:
        return 0
    first = name.partition(".")[0]
    return 1 + (GROUPS.index(first) if first in GROUPS else len(GROUPS))


def _uniform(values: Sequence[Any]) -> list[Any]:
    """A column's values with one type: as they are, as floats, or as JSON; None stays."""
    types = {type(value) for value in values if value is not None}
    if types <= {int, float} and len(types) > 1:
        return [None if value is None else float(value) for value in values]
    if len(types) > 1 or not types <= {bool, int, float, str}:
        return [None if value is None else json.dumps(value, sort_keys=True) for value in values]
    return list(values)


def _library(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise DepthubError(f"{name} is not installed; pip install 'depthub[dataframe]' or pip install {name}") from error


def _kind(column: Sequence[Any]) -> type:
    return next((type(value) for value in column if value is not None), str)


def _pandas_column(pandas: Any, name: str, column: Sequence[Any]) -> Any:
    types = {bool: "bool", int: "int64", float: "float64", str: "str"}
    with_missing = types | {bool: "boolean", int: "Int64"}  # floats and texts have a missing value of their own
    return pandas.Series(column, dtype=(with_missing if None in column else types)[_kind(column)])


def _polars_column(polars: Any, name: str, column: Sequence[Any]) -> Any:
    types = {bool: polars.Boolean, int: polars.Int64, float: polars.Float64, str: polars.String}
    return polars.Series(name, column, dtype=types[_kind(column)])
