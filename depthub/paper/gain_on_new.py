"""Is there a gain on new classes? A method with a second head beside its controls, and what its runs can and cannot show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from depthub.paper.cells import Cells
from depthub.paper.gains import Gain, grid_of
from depthub.paper.grids import Grid, in_three_lines
from depthub.paper.selection import Selection, hosted
from depthub.paper.shown import Shown
from depthub.paper.tables import gains_of, scores_of_rows, values_of
from depthub.records.result import RunResult
from depthub.spec import RunSpec


def gain(selection: Selection) -> Shown:
    """Averages and gains of every row over its method alone, and in words what they show of the second part of the headline."""
    rows = selection.cells()
    scores = scores_of_rows(rows)
    every = gains_of(rows, scores)
    lines = [line for row in rows for line in in_three_lines(row.row.label, [row.average(score) for score in scores])]
    new = scores[1] if len(scores) > 1 else scores[0]  # the headline is made of the trained classes' score and of this one
    of_new, others = [one for one in every if one.score == new], [one for one in every if one.score != new]
    grids = [Grid("", ("", *scores), lines), grid_of(f"Gains in {new}", of_new), grid_of("Gains in the other scores", others)]
    values = {"average": values_of(rows, scores), "gains": [one.as_dict() for one in every]}
    return Shown(grids, values, [*_equal_runs(rows), *(_verdict(one) for one in of_new if not _is_nothing(one))])


def _equal_runs(rows: Sequence[Cells]) -> Iterator[str]:
    """Rows that count exactly what another row counts: controls, and forms of the head that new classes do not see."""
    for row, host, (name, host_name) in hosted(rows):
        equal, number = _compared(row, host, all_tasks=True)
        if number and equal == number:
            yield f"{name} counts exactly what {host_name} counts in all {number} runs: differences elsewhere are no noise of the engine."
    with_head = [row for row in rows if row.runs and _head(row) != RunSpec().head.name]
    for place, row in enumerate(with_head):
        for other in with_head[:place]:
            equal, number = _compared(row, other, all_tasks=False)
            if row.row.host == other.row.host and number and equal == number:
                yield f"{row.row.label} and {other.row.label} count the same on new classes in all {number} runs: nothing is fused there."


def _is_nothing(one: Gain) -> bool:
    """Whether the row has its host's score in every run."""
    return not one.points and not any(answer.low or answer.high for answer in one.answers.values())


def _verdict(one: Gain) -> str:
    """What a gain on new classes shows."""
    on_new = one.answers.get("new data sets")
    shown = "is there" if one.is_settled("these data sets") else "is not shown"
    sentence = f"{one.row} against {one.host}, {one.score}: {one.points:+.2f} points; on these data sets a difference {shown}"
    if on_new is None or on_new.least is None:
        return f"{sentence}; with one data set or seed nothing can be said about others."
    sees = f"on new data sets these runs see {on_new.least:.1f} points or more (80 % power)"
    if one.printed is None:
        return f"{sentence}; {sees}."
    would = "would be seen" if abs(one.printed) >= on_new.least else "could not be seen"
    return f"{sentence}; {sees}, so that the {one.printed:+.2f} in print {would} here."


def _compared(row: Cells, other: Cells, *, all_tasks: bool) -> tuple[int, int]:
    """Equal ones among the runs with the same data set and seed, and their number; without `all_tasks`, only the last task counts."""
    pairs = [
        (run, other.runs[data][seed])
        for data, of_data in row.runs.items()
        for seed, run in of_data.items()
        if seed in other.runs.get(data, {})
    ]
    return sum(_counts(one, all_tasks) == _counts(two, all_tasks) for one, two in pairs), len(pairs)


def _counts(run: RunResult, all_tasks: bool) -> object:
    return dict(run.counts) if all_tasks else list(run.counts.items())[-1]


def _head(row: Cells) -> str:
    return next(run for of_data in row.runs.values() for run in of_data.values()).spec.head.name
