"""Claims of runs: the gain of each row over its host, how far it is known, and what would settle it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal

import numpy as np

from depthub.boards.labels import row_label
from depthub.boards.rows import Row, settings
from depthub.boards.summary import shared
from depthub.protocol import Summary
from depthub.records.result import RunResult
from depthub.registry.plugins import installed
from depthub.spec import RunSpec
from depthub.statistics.answers import Answer, answers
from depthub.statistics.table import Table

FEWEST = 3  # data sets, or seeds, of which one can be left out
Unit = Literal["data set", "seed"]


@dataclass(frozen=True)
class Turn:
    """A data set or seed that alone carries what a claim says.

    Args:
        unit: that is left out.
        name: of the data set, or the seed.
        gain: without it, in points.
        changes: "sign", and the questions whose answer becomes another.
    """

    unit: Unit
    name: str
    gain: float
    changes: tuple[str, ...]


@dataclass(frozen=True)
class Measured:
    """A row against another one of its setting, over the data sets and seeds that both have.

    Args:
        row, against: their labels.
        score: the headline of their protocol, or another.
        gain: of the averages over data sets, in points.
        sets, seeds: their numbers.
        answers: as far as there are two units to draw from.
        control: label of the row's control; empty if there is none.
        turns: see `Turn`.
    """

    row: str
    against: str
    score: str
    gain: float
    sets: int
    seeds: int
    answers: tuple[Answer, ...]
    control: str
    turns: tuple[Turn, ...]


def measured(results: Iterable[RunResult], score: str = "") -> tuple[list[Measured], list[str]]:
    """Every row with an addition against its host: the same method with the default head.

    Args:
        results: finished runs.
        score: that is compared; empty for the headline of each protocol.

    Returns:
        The claims, and a line for each row without a host, without runs in common with it, or without a control.

    Raises:
        DepthubError: if the runs cannot be compared, or have no such score.
    """
    claims: list[Measured] = []
    remarks: list[str] = []
    for rows in settings({run.spec.run_id: run for run in results}, {}):
        summary = shared({run_id: run for row in rows for run_id, run in sorted(row.runs.items())})
        for row in sorted(filter(_has_addition, rows), key=lambda row: row.label):
            host, control = _host(row, rows), _control(row, rows)
            remarks += _missing(row, host, control)
            seeds = _common_seeds(row, host) if host else {}
            if host and seeds:
                claims.append(_measured(row, host, seeds, summary, score, control.label if control else ""))
    return claims, remarks


def is_control(row: Row) -> bool:
    """Whether a row's addition is switched off."""
    switch, settings = _switch(row), row.spec["head"].get("settings", {})
    return bool(switch) and all(settings.get(name) == value for name, value in switch.items())


def _switch(row: Row) -> Mapping[str, Any]:
    """The settings at which the row's head is switched off, as the head declares them; none of a head that is not installed."""
    plugins, name = installed(), row.spec["head"]["name"]
    return dict(plugins.get("heads", name).control) if name in plugins.names("heads") else {}


def _has_addition(row: Row) -> bool:
    return bool(row.spec["head"]["name"] != RunSpec().head.name)


def _host(row: Row, rows: Sequence[Row]) -> Row | None:
    """The row of the same method and recipe without the addition; where none is, the only one of the method with as many shots."""
    plain = [other for other in rows if not _has_addition(other) and _method(other) == _method(row)]
    alike = [other for other in plain if _beside_head(other) == _beside_head(row)] or plain
    return alike[0] if len(alike) == 1 else None


def _method(row: Row) -> tuple[Any, Any]:
    return row.spec["method"]["name"], row.spec.get("shots")


def _control(row: Row, rows: Sequence[Row]) -> Row | None:
    """The row that differs in nothing but the switch."""
    return next((other for other in rows if not is_control(row) and is_control(other) and _switched_off(row) == _switched_off(other)), None)


def _beside_head(row: Row) -> dict[str, Any]:
    return {key: value for key, value in row.spec.items() if key != "head"}


def _switched_off(row: Row) -> dict[str, Any]:
    head = row.spec["head"]
    return {**row.spec, "head": {**head, "settings": {**head.get("settings", {}), **_switch(row)}}}


def _missing(row: Row, host: Row | None, control: Row | None) -> Iterator[str]:
    if host is None:
        yield f"{row.label}: no single row of {row_label({**row.spec, 'head': {'name': RunSpec().head.name}})} with the same recipe"
    elif not _common_seeds(row, host):
        yield f"{row.label} and {host.label} have no data set with a seed that all have"
    if control is None and not is_control(row) and (switch := _switch(row)):
        settings_off = ", ".join(f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}" for name, value in switch.items())
        yield f"{row.label}: no control row with {settings_off}, so that another run of the same training may explain a gain"


def _common_seeds(row: Row, other: Row) -> dict[str, list[int]]:
    """The data sets that both rows have with a seed in common, and of each the seeds that all of these have; empty without any."""
    data = [name for name in sorted(row.cells) if row.cells[name].keys() & other.cells.get(name, {}).keys()]
    seeds = sorted(set.intersection(*(set(each.cells[name]) for each in (row, other) for name in data))) if data else []
    return dict.fromkeys(data, seeds) if seeds else {}


def _measured(row: Row, host: Row, cells: Mapping[str, Sequence[int]], summary: Summary, score: str, control: str) -> Measured:
    table, seeds = _table(row, host, cells, summary), next(iter(cells.values()))
    score = score or summary.headline
    gain, of_table = _gain(table, score), tuple(answers(table, score))
    turns = tuple(_turns(table, seeds, score, _verdict(gain, of_table)))
    return Measured(row.label, host.label, score, gain, len(cells), len(seeds), of_table, control, turns)


def _table(row: Row, other: Row, cells: Mapping[str, Sequence[int]], summary: Summary) -> Table:
    runs = [[[each.scores(name)[seed] for seed in seeds] for name, seeds in cells.items()] for each in (row, other)]
    names = set.intersection(*(set(run) for of_row in runs for of_set in of_row for run in of_set)) - summary.harmonic.keys()
    scores = {name: np.array([[[run[name] for run in of_set] for of_set in of_row] for of_row in runs]) for name in sorted(names)}
    return Table([row.label, other.label], list(cells), scores, summary.harmonic)


def _gain(table: Table, score: str) -> float:
    one, other = table.average(score)
    return float(one - other)


def _verdict(gain: float, of_table: Iterable[Answer]) -> Mapping[str, object]:
    return {"sign": float(np.sign(gain)), **{answer.question: answer.is_settled for answer in of_table}}


def _turns(table: Table, seeds: Sequence[int], score: str, verdict: Mapping[str, object]) -> Iterator[Turn]:
    if np.array_equal(*table.per_cell(score)):
        return  # a control that repeats its host
    for unit, name, rest in chain(_without_sets(table), _without_seeds(table, seeds)):
        gain = _gain(rest, score)
        changes = [key for key, value in _verdict(gain, answers(rest, score)).items() if verdict[key] != value]
        if changes:
            yield Turn(unit, name, gain, tuple(changes))


def _without_sets(table: Table) -> Iterator[tuple[Unit, str, Table]]:
    for place, name in enumerate(table.sets if len(table.sets) >= FEWEST else ()):
        scores = {key: np.delete(values, place, axis=1) for key, values in table.scores.items()}
        yield "data set", name, Table(table.rows, [other for other in table.sets if other != name], scores, table.harmonic)


def _without_seeds(table: Table, seeds: Sequence[int]) -> Iterator[tuple[Unit, str, Table]]:
    for place, seed in enumerate(seeds if len(seeds) >= FEWEST else ()):
        scores = {key: np.delete(values, place, axis=2) for key, values in table.scores.items()}
        yield "seed", str(seed), Table(table.rows, table.sets, scores, table.harmonic)
