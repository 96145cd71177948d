"""What `depthub claim` shows: gains in print, and gains of runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from depthub.cli.output import number_table, show_table
from depthub.cli.table import shown
from depthub.values.text import plain

if TYPE_CHECKING:
    from depthub.boards.measured import Measured
    from depthub.literature.claims import Claim


def show_claims(gains: Sequence[Claim]) -> None:
    """Gains of printed rows over their hosts, at least one."""
    numbers = ["gain", "least", "p", "worse", "equal", "better", "sets", "needed"]
    table = number_table("table", "row", "against", numbers=numbers, title=f"gains in {shown(gains[0].score)}, in points")
    for gain in gains:
        chances = (f"{value:.2f}" for value in asdict(gain.probabilities).values())
        cells = (f"{gain.gain:+.2f}", f"{gain.least:.2f}", f"{gain.p_value:.3f}", *chances, str(gain.sets), _number(gain.needed))
        table.add_row(*map(shown, (gain.table, gain.row, gain.against)), *cells)
    notes = [
        "least: what a paired test over so many data sets sees with 80 % power; needed: data sets that would show the gain.",
        "p: Wilcoxon signed-rank test; worse, equal, better: Bayesian signed-rank test with a margin of 0.5 points.",
    ]
    show_table(table, notes)


def show_measured(claims: Sequence[Measured]) -> None:
    """Gains of measured rows over their hosts, at least one, and what alone carries each."""
    numbers = ["gain", "95 % interval", "least", "needed"]
    table = number_table("row", "against", "on", numbers=numbers, title="gains over the host, in points")
    for claim in claims:
        for place, answer in enumerate(claim.answers):
            interval, least = f"{answer.low:+.2f} to {answer.high:+.2f}", "-" if answer.least is None else f"{answer.least:.2f}"
            names = ("", "") if place else (claim.row, claim.against)
            gain = "" if place else f"{claim.gain:+.2f} {plain(claim.score)}"
            table.add_row(*map(shown, (*names, answer.question)), shown(gain), interval, least, _number(answer.needed))
    notes = [
        "least: what these runs see with 80 % power; needed: data sets, or seeds on each of these, that would show such a gain.",
        *(f"{claim.row}: control {claim.control}" for claim in claims if claim.control),
        *map(_in_words, claims),
    ]
    show_table(table, notes)


def _in_words(claim: Measured) -> str:
    """What alone carries a claim."""
    turns = [f"{turn.unit} {turn.name} ({turn.gain:+.2f}; {', '.join(turn.changes)})" for turn in claim.turns]
    if not turns:
        return f"{claim.row} against {claim.against}: no single data set or seed turns the sign or an answer"
    return f"{claim.row} against {claim.against}: left out alone, these turn the sign or an answer: {', '.join(turns)}"


def _number(needed: int | None) -> str:
    return "-" if needed is None else f"{needed:,}"
