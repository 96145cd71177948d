"""`depthub claim TABLE|RUNS`: the arithmetic of a printed table, which gains it can carry, and which gains runs can."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonargparse import Namespace

from depthub.cli.options.parser import Parser
from depthub.cli.plural import counted
from depthub.values.text import plain

if TYPE_CHECKING:
    from depthub.boards.measured import Measured
    from depthub.literature.claims import Claim
    from depthub.literature.printed import Printed

HELP = "check a printed table or finished runs: arithmetic, and whether gains exceed what they can tell apart"
PACKED = ".jsonl"


def parser() -> Parser:
    """The command's options."""
    claim = Parser("depthub claim", f"{HELP[0].upper()}{HELP[1:]}.")
    words = (
        "a CSV file with the columns table, row, data, shots, score and value; a LaTeX file with tables; a publication, such as dept-2023; "
        "or a folder of runs, or a board's folder"
    )
    claim.add("table", type=str, metavar="TABLE|RUNS", help=words)
    claim.add(
        "--score", type=str, default="", metavar="SCORE", help="the score whose gains are examined; by default H, of runs the headline"
    )
    claim.add("--json", action="store_true", help="as JSON")
    return claim


def main(config: Namespace) -> int:
    """Show contradictions, gains and what is missing; the exit status is 1 if numbers contradict one another."""
    path = Path(config.table)
    if path.is_dir() or path.suffix == PACKED:
        return _runs(path, config.score, as_json=config.json)
    return _table(config)


def _table(config: Namespace) -> int:
    from depthub.literature import claims
    from depthub.literature.consistency import findings

    numbers, protocols = _numbers(config.table)
    contradictions, gains = findings(numbers, protocols), claims.claims(numbers, config.score or "H")
    remarks = [*claims.missing_controls(numbers), *claims.mixed_leagues(numbers)]
    if config.json:
        facts = [{"kind": finding.kind, **asdict(finding.number), "expected": finding.expected} for finding in contradictions]
        print(json.dumps({"contradictions": facts, "gains": [_as_dict(gain) for gain in gains], "remarks": remarks}, indent=1))
    else:
        print(f"{counted(len(numbers), 'number')}, {counted(len(contradictions), 'contradiction')}")
        for line in (*map(str, contradictions), *remarks):
            print(plain(line))
        if gains:
            from depthub.cli.claim_tables import show_claims

            show_claims(gains)
    return 1 if contradictions else 0


def _runs(path: Path, score: str, *, as_json: bool) -> int:
    from depthub.boards import readable
    from depthub.boards.measured import measured

    results, unreadable = readable(path)
    for entry in unreadable:
        print(f"depthub: warning: left out: {entry['reason']}", file=sys.stderr)
    claims, remarks = measured(results, score)
    if as_json:
        print(json.dumps({"gains": [_measured_as_dict(claim) for claim in claims], "remarks": remarks}, indent=1))
        return 0
    print(f"{counted(len(results), 'run')}, {counted(len(claims), 'gain')} over a host")
    for line in remarks:
        print(plain(line))
    if claims:
        from depthub.cli.claim_tables import show_measured

        show_measured(claims)
    return 0


def _numbers(table: str) -> tuple[Sequence[Printed], Mapping[str, str]]:
    """The numbers, and the protocols of their tables as far as they are known."""
    from depthub.literature.printed import published, read
    from depthub.literature.publications import publications

    path = Path(table)
    if path.suffix.lower() == ".tex":
        from depthub.literature.latex_tables import read_latex

        return read_latex(path), {}
    if path.suffix or path.exists():
        return read(path), {}
    numbers = published(table)
    return numbers, publications()[table].tables


def _as_dict(gain: Claim) -> dict[str, Any]:
    return {**asdict(gain), "resolved": gain.is_resolved}


def _measured_as_dict(claim: Measured) -> dict[str, Any]:
    answers = [{**asdict(answer), "settled": answer.is_settled} for answer in claim.answers]
    return {**asdict(claim), "answers": answers}
