"""The table that ends `depthub run`: counts and scores of runs that differ in their seeds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from depthub.boards.summary import shared
from depthub.protocol import Summary
from depthub.statistics.averages import Statistic, over_seeds
from depthub.values.text import plain

if TYPE_CHECKING:
    from rich.table import Table

    from depthub.records.result import RunResult


def table(results: Sequence[RunResult]) -> Table:
    """Tasks and scores of runs that differ in their seeds; for several runs, averages as on a leaderboard, and standard deviations.

    Args:
        results: at least one.

    Raises:
        DepthubError: if their protocols declare different scores.
    """
    from rich.table import Table

    summary = shared({result.spec.run_id: result for result in results})
    several = len(results) > 1
    scores = Table("")
    for result in results:
        scores.add_column(f"seed {result.spec.seed}", justify="right")
    scores.add_column("mean ± std, %" if several else "%", justify="right")
    percents = [{task: count.percent for task, count in result.counts.items()} for result in results]
    for task, average in _averages(percents, Summary(summary.headline)).items():  # of tasks, no average is harmonic
        counts = [result.counts[task] for result in results]
        scores.add_row(shown(task), *(f"{count.n_correct}/{count.n_total}" for count in counts), str(average))
    scores.add_section()
    for score, average in _averages([result.scores for result in results], summary).items():
        scores.add_row(shown(score), *(f"{result.scores[score]:.2f}" if several else "" for result in results), str(average))
    return scores


def shown(name: str) -> Text:
    """A name from outside for the terminal: neither the terminal nor rich obeys anything in it."""
    return Text(plain(name))


def _averages(percents: Iterable[Mapping[str, float]], summary: Summary) -> dict[str, Statistic]:
    return over_seeds(dict(enumerate(percents)), summary)
