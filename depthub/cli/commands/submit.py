"""`depthub submit`: a row of one's own on a board: declared, packed, checked, compared, and done again by others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonargparse import Namespace

from depthub.cli import submit_pack, submit_verify
from depthub.cli.options.parser import Parser
from depthub.cli.plural import counted
from depthub.cli.submission_verdict import show_faults, show_valid
from depthub.cli.submit_verify import BOARD, verdict_on
from depthub.errors import DepthubError

if TYPE_CHECKING:
    pass

HELP = "send a row to a leaderboard: declare, pack, check, compare and verify it"
LONG = True  # verify trains


def parser() -> Parser:
    """`new`, `pack`, `check`, `diff` and `verify` with their options."""
    submit = Parser("depthub submit", f"{HELP.capitalize()}.")
    submit.add_commands(
        {
            "new": submit_pack.new_parser(),
            "pack": submit_pack.pack_parser(),
            "check": _check_parser(),
            "diff": _diff_parser(),
            "verify": submit_verify.parser(),
        }
    )
    return submit


def _check_parser() -> Parser:
    check = Parser(description="Check a submission, and show where its row would stand.")
    check.add("submission", type=Path, metavar="DIR", help="the submission's folder")
    check.add("--board", type=Path | None, default=None, metavar="DIR", help=BOARD)
    check.add("--json", action="store_true", help="as JSON")
    return check


def _diff_parser() -> Parser:
    diff = Parser(description="A submission beside a row of the board, image by image, and beside the numbers that it claims.")
    diff.add("submission", type=Path, metavar="DIR", help="the submission's folder")
    diff.add("--against", type=str, default="", metavar="LABEL", help="a row of the board, or a submission's id; by default the best one")
    diff.add("--board", type=Path | None, default=None, metavar="DIR", help=BOARD)
    return diff


def main(config: Namespace) -> int:
    """Carry out the sub-command; the exit status is 1 if the submission has faults, or counts differ by more than the tolerance."""
    work = {"new": submit_pack.new, "pack": submit_pack.pack, "check": _check, "diff": _diff, "verify": submit_verify.main}
    return work[config.command](config[config.command])


def _check(options: Any) -> int:
    folder, verdict = verdict_on(options)
    if options.json:
        faults = [fault.as_dict() for fault in verdict.faults]
        print(json.dumps({"submission": verdict.name, "valid": verdict.valid, "faults": faults}, indent=1))
        return 0 if verdict.valid else 1
    if not verdict.valid:
        return show_faults(verdict, f"{verdict.name}: {counted(len(verdict.faults), 'fault')}")
    return show_valid(verdict, folder)


def _diff(options: Any) -> int:
    from depthub.boards import load_board
    from depthub.cli.submission_table import show_claims, show_pairs
    from depthub.submissions.preview import beside, cells_of

    folder, verdict = verdict_on(options)
    if not verdict.valid:
        return show_faults(verdict, f"{verdict.name}: {counted(len(verdict.faults), 'fault')}")
    others = [row for row in load_board(folder)["rows"] if row.get("submission") != verdict.name]
    if not others:
        raise DepthubError(f"{folder} has no other row; `depthub leaderboard build {folder} --out {folder}` makes its table")
    label = options.against or others[0]["label"]
    show_pairs(verdict.name, label, beside(cells_of(verdict.results), folder, label))
    show_claims(verdict.document)
    return 0
