"""Is the published division of the classes special? Shuffled divisions beside it: where the variance comes from, and what a claim needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from depthub.paper.cells import Cells
from depthub.paper.grids import Grid, number, signed
from depthub.paper.selection import Selection, hosted, name_of, scores_of
from depthub.paper.shown import Shown
from depthub.records.result import RunResult
from depthub.statistics.table import Array
from depthub.statistics.variance import PublishedCut, VarianceComponent, VarianceComponents, published_cut
from depthub.suites.board import CUT

PUBLISHED = "published"
FEWEST = 2  # data sets, shuffled cuts and seeds
POINT = 1.0  # the size of the claims that are asked about, in points


def cuts(selection: Selection) -> Shown:
    """Components of variance, the published cut's rank and the cuts that a claim of one point needs: of each row and of each gain."""
    rows = [_Row(cells.row.label, cells, by_cut) for cells, by_cut in _by_cut(selection)]
    gaps = [f"{row.name} is left out: {gap}." for row in rows if (gap := row.gap())]
    rows = [row for row in rows if not row.gap()]
    if not rows:
        return Shown([], {}, gaps)
    first = rows[0].any_run()
    assert first.summary is not None, "a run of today has a summary"
    scores = scores_of(first.summary, list(first.scores))
    tables = [(row.name, score, row.table(score)) for row in rows for score in scores]
    by_label = {row.label: row for row in rows}
    for row, host, (name, host_name) in hosted([one.cells for one in rows]):
        of_row, of_host = by_label[row.row.label], by_label[host.row.label]
        tables += [(f"{name} minus {host_name}", score, of_row.minus(of_host, score)) for score in scores]
    answers = [_answer(name, score, table) for name, score, table in tables]
    return Shown(list(_grids(answers)), {"answers": [dict(_plain(answer)) for answer in answers]}, [*gaps, *_words(answers)])


class _Row:
    """The runs of a row by cut, then data set and seed."""

    def __init__(self, label: str, cells: Cells, by_cut: Mapping[Any, Mapping[str, Mapping[int, RunResult]]]) -> None:
        self.label, self.cells, self.by_cut = label, cells, by_cut

    def any_run(self) -> RunResult:
        return next(run for of_cut in self.by_cut.values() for of_data in of_cut.values() for run in of_data.values())

    @property
    def name(self) -> str:
        return name_of(self.cells.row)

    @property
    def data(self) -> list[str]:
        return list(dict.fromkeys(name for of_cut in self.by_cut.values() for name in of_cut))

    @property
    def seeds(self) -> list[int]:
        return sorted({seed for of_cut in self.by_cut.values() for of_data in of_cut.values() for seed in of_data})

    def gap(self) -> str:
        """What a table of the row would lack, in words; empty if it is complete."""
        number = len(self.by_cut) * len(self.data) * len(self.seeds)
        missing = number - sum(len(of_data) for of_cut in self.by_cut.values() for of_data in of_cut.values())
        if missing or not number:
            return f"{missing} of {number} runs are missing" if number else "none of its runs is done"
        if PUBLISHED not in self.by_cut:
            return "the published cut is missing"
        enough = min(len(self.data), len(self.by_cut) - 1, len(self.seeds)) >= FEWEST
        return "" if enough else "it takes two data sets, two shuffled cuts and two seeds to tell them apart"

    def table(self, score: str) -> tuple[Array, Array]:
        """The score of the published cut, (D, S), and of the shuffled ones, (D, C, S); of a complete row."""
        order = (PUBLISHED, *sorted(cut for cut in self.by_cut if cut != PUBLISHED))
        runs = [[[self.by_cut[cut][name][seed] for seed in self.seeds] for cut in order] for name in self.data]
        values = np.array([[[run.scores[score] for run in of_cut] for of_cut in of_set] for of_set in runs])
        return values[:, 0], values[:, 1:]

    def minus(self, other: _Row, score: str) -> tuple[Array, Array]:
        """The differences of two rows, run by run."""
        (one, one_shuffled), (two, two_shuffled) = self.table(score), other.table(score)
        return one - two, one_shuffled - two_shuffled


class _Answer:
    """What the cuts say about a score of a row, or about a gain."""

    def __init__(self, name: str, score: str, parts: VarianceComponents, published: PublishedCut) -> None:
        self.name, self.score, self.parts, self.published = name, score, parts, published


def _answer(name: str, score: str, table: tuple[Array, Array]) -> _Answer:
    published, shuffled = table
    return _Answer(name, score, VarianceComponents.of(shuffled), published_cut(published, shuffled))


def _by_cut(selection: Selection) -> Iterator[tuple[Cells, dict[Any, dict[str, dict[int, RunResult]]]]]:
    for cells in selection.cells():
        by_cut: dict[Any, dict[str, dict[int, RunResult]]] = {}
        for run in selection.runs:
            if cells.row.holds(run.spec):
                cut = run.spec.protocol.settings.get(CUT, PUBLISHED)
                by_cut.setdefault(cut, {}).setdefault(run.spec.data.name, {})[run.spec.seed] = run
        yield cells, by_cut


def _grids(answers: Sequence[_Answer]) -> Iterator[Grid]:
    one = answers[0].parts
    size = f"{one.sets} data sets x {one.cuts} shuffled cuts x {one.seeds} seeds"
    yield Grid(
        f"Where the variance of a run comes from: {size}; deviation in points (95 % interval) and share",
        ("", "score", "mean", "data sets", "class cuts", "seeds"),
        [[answer.name, answer.score, number(answer.parts.mean), *map(_component, _parts(answer.parts))] for answer in answers],
        sorted({note for answer in answers for note in answer.parts.notes}),
    )
    yield Grid(
        "The published cut among the shuffled ones, by the average over data sets and seeds",
        (
            "",
            "score",
            "published",
            "shuffled, lowest to highest",
            "rank",
            "p",
            "cuts for 1 point",
            "seeds for 1 point, published cut alone",
        ),
        [
            [
                answer.name,
                answer.score,
                number(answer.published.value),
                f"{min(answer.published.shuffled):.2f} to {max(answer.published.shuffled):.2f}",
                f"{answer.published.rank} of {len(answer.published.shuffled) + 1}",
                number(answer.published.p_value),
                _needed(answer.parts.cuts_needed(POINT)),
                _needed(answer.parts.seeds_needed(POINT)),
            ]
            for answer in answers
        ],
        (
            "Cuts for 1 point: class cuts of each data set, with as many seeds as here, that show one point with 80 % power.",
            "Seeds for 1 point: of one cut, if the answer is to hold for other cuts too; never: no number of them does.",
            "H is that of each run; averages are of these.",
        ),
    )


def _words(answers: Sequence[_Answer]) -> Iterator[str]:
    cuts = len(answers[0].published.shuffled) + 1
    extreme = [f"{answer.name} ({answer.score})" for answer in answers if answer.published.rank in (1, cuts)]
    yield (
        f"The published cut is the highest or the lowest of {cuts} in {len(extreme)} of {len(answers)} comparisons; chance gives about "
        f"{2 * len(answers) / cuts:.1f}{': ' + ', '.join(extreme) if extreme else ''}."
    )
    gains = [answer for answer in answers if " minus " in answer.name]
    for answer in gains:
        low, high = min(answer.published.shuffled), max(answer.published.shuffled)
        yield (
            f"{answer.name}, {answer.score}: {signed(answer.published.value)} on the published cut, {signed(low)} to {signed(high)} "
            f"on shuffled ones, {signed(answer.parts.mean)} on average; cuts carry {answer.parts.of_cuts.share:.0f} % of a run's variance, "
            f"seeds {answer.parts.of_seeds.share:.0f} %."
        )


def _parts(parts: VarianceComponents) -> tuple[VarianceComponent, ...]:
    return parts.of_sets, parts.of_cuts, parts.of_seeds


def _component(part: VarianceComponent) -> str:
    low, high = part.sd_interval
    return f"{part.sd:.2f} ({low:.2f} to {high:.2f}), {part.share:.0f} %"


def _needed(units: int | None) -> str:
    return "never" if units is None else f"{units:,}"


def _plain(answer: _Answer) -> Iterator[tuple[str, Any]]:
    yield "row", answer.name
    yield "score", answer.score
    yield "components", asdict(answer.parts)
    yield "published_cut", asdict(answer.published)
    yield "cuts_needed", answer.parts.cuts_needed(POINT)
    yield "seeds_needed", answer.parts.seeds_needed(POINT)
