"""`depthub claim TABLE`: the arithmetic of a printed table, and which of its gains it can carry."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonargparse import Namespace

from depthub.cli.options.parser import Parser
from depthub.cli.output import number_table, show_table
from depthub.cli.plural import counted
from depthub.cli.table import shown
from depthub.values.text import plain

if TYPE_CHECKING:
    from depthub.literature.claims import Claim
    from depthub.literature.printed import Printed

HELP = "check a printed table: its arithmetic, and whether its gains exceed what it can tell apart"


def parser() -> Parser:
    """The command's options."""
    claim = Parser("depthub claim", f"{HELP[0].upper()}{HELP[1:]}.")
    words = "a CSV file with the columns table, row, data, shots, score and value, or a publication: dept-2023"
    claim.add("table", type=str, metavar="TABLE", help=words)
    claim.add("--score", type=str, default="H", metavar="SCORE", help="the score whose gains are examined")
    claim.add("--json", action="store_true", help="as JSON")
    return claim


def main(config: Namespace) -> int:
    """Show contradictions, gains and what is missing; the exit status is 1 if numbers contradict one another."""
    from depthub.literature import claims
    from depthub.literature.consistency import findings

    numbers = _numbers(config.table)
    contradictions, gains = findings(numbers), claims.claims(numbers, config.score)
    remarks = [*claims.missing_controls(numbers), *claims.mixed_leagues(numbers)]
    if config.json:
        facts = [{"kind": finding.kind, **asdict(finding.number), "expected": finding.expected} for finding in contradictions]
        print(json.dumps({"contradictions": facts, "gains": [_as_dict(gain) for gain in gains], "remarks": remarks}, indent=1))
    else:
        print(f"{counted(len(numbers), 'number')}, {counted(len(contradictions), 'contradiction')}")
        for line in (*map(str, contradictions), *remarks):
            print(plain(line))
        if gains:
            _show(gains)
    return 1 if contradictions else 0


def _numbers(table: str) -> Sequence[Printed]:
    from depthub.literature.printed import published, read

    return read(Path(table)) if Path(table).suffix or Path(table).exists() else published(table)


def _as_dict(gain: Claim) -> dict[str, Any]:
    return {**asdict(gain), "resolved": gain.is_resolved}


def _show(gains: Sequence[Claim]) -> None:
    numbers = ["gain", "least", "p", "worse", "equal", "better", "sets", "needed"]
    table = number_table("table", "row", "against", numbers=numbers, title=f"gains in {shown(gains[0].score)}, in points")
    for gain in gains:
        chances = (f"{value:.2f}" for value in asdict(gain.probabilities).values())
        needed = "-" if gain.needed is None else f"{gain.needed:,}"
        cells = (f"{gain.gain:+.2f}", f"{gain.least:.2f}", f"{gain.p_value:.3f}", *chances, str(gain.sets), needed)
        table.add_row(*map(shown, (gain.table, gain.row, gain.against)), *cells)
    notes = [
        "least: what a paired test over so many data sets sees with 80 % power; needed: data sets that would show the gain.",
        "p: Wilcoxon signed-rank test; worse, equal, better: Bayesian signed-rank test with a margin of 0.5 points.",
    ]
    show_table(table, notes)
