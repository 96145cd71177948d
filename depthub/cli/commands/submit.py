"""`depthub submit`: a row of one's own on a board: declared, packed, checked, compared, and done again by others."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonargparse import Namespace
from jsonargparse.typing import NonNegativeInt, PositiveInt

from depthub.cli.options.parser import Parser
from depthub.cli.plural import counted
from depthub.errors import DepthubError
from depthub.values.text import plain

if TYPE_CHECKING:
    from depthub.submissions.validation import Verdict

HELP = "send a row to a leaderboard: declare, pack, check, compare and verify it"
LONG = True  # verify trains
BOARD = "the board's folder; by default that of the submission"
PACK = "pack finished runs and a declaration into a submission, and check it as the board does"


def parser() -> Parser:
    """`new`, `pack`, `check`, `diff` and `verify` with their options."""
    submit = Parser("depthub submit", f"{HELP.capitalize()}.")
    submit.add_commands(
        {
            "new": _new_parser(),
            "pack": _pack_parser(),
            "check": _check_parser(),
            "diff": _diff_parser(),
            "verify": _verify_parser(),
        }
    )
    return submit


def _new_parser() -> Parser:
    new = Parser(description="Write a declaration to fill in: NAME.yaml.")
    new.add("name", type=str, metavar="NAME", help="of the submission: lower-case letters, digits and hyphens")
    new.add("--board", type=Path, required=True, metavar="DIR", help="the board's folder")
    return new


def _pack_parser() -> Parser:
    pack = Parser(description=f"{PACK[0].upper()}{PACK[1:]}.")
    pack.add("declaration", type=Path, metavar="FILE", help="NAME.yaml of `depthub submit new`; NAME becomes the submission's id")
    pack.add("--runs", type=Path, default=Path("runs"), metavar="DIR", help="the folder of the runs; others may be in it, too")
    pack.add("--board", type=Path, required=True, metavar="DIR", help="the board's folder; the submission goes into its submissions/")
    pack.add("--row", type=str, default="", metavar="LABEL", help="method and head, such as 'CoOp + DePT', if there are runs of several")
    return pack


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


def _verify_parser() -> Parser:
    verify = Parser(description="Do some runs of a submission again, and append the signed outcome.")
    verify.add("submission", type=Path, metavar="DIR", help="the submission's folder")
    verify.add("--board", type=Path | None, default=None, metavar="DIR", help=BOARD)
    verify.add("--sample", type=PositiveInt, default=3, metavar="N", help="number of runs, chosen at random")
    verify.add("--seed", type=NonNegativeInt | None, default=None, metavar="N", help="of the choice; by default another one each time")
    verify.add("--identity", type=str, required=True, metavar="NAME", help="yours, as in the board's allowed_signers")
    verify.add("--key", type=Path, required=True, metavar="FILE", help="your private ssh key, or the public one of an agent's")
    verify.add("--allow", type=str, nargs="+", default=[], metavar="DIST", help="distributions beside depthub whose code may be imported")
    verify.add("--runs", type=Path, default=Path("verified"), metavar="DIR", help="folder of the new runs")
    verify.add("--data_root", type=Path | None, default=None, metavar="DIR", help="the folder that holds data sets on this machine")
    return verify


def main(config: Namespace) -> int:
    """Carry out the sub-command; the exit status is 1 if the submission has faults, or counts differ by more than the tolerance."""
    return {"new": _new, "pack": _pack, "check": _check, "diff": _diff, "verify": _verify}[config.command](config[config.command])


def _new(options: Any) -> int:
    from depthub.submissions.definition import read
    from depthub.submissions.packing import template
    from depthub.submissions.validation import require_name
    from depthub.system.files import atomic_write

    path = Path(f"{require_name(options.name)}.yaml")
    if path.exists():
        raise DepthubError(f"{path} is there already; choose another name, or remove it")
    atomic_write(path, template(options.name, read(options.board).name).encode())
    print(plain(f"{path}: fill it in, then `depthub submit pack {path} --runs RUNS --board {options.board}`"))
    return 0


def _pack(options: Any) -> int:
    from depthub.submissions.board import SUBMISSIONS
    from depthub.submissions.definition import read
    from depthub.submissions.packing import packed

    place = options.board / SUBMISSIONS
    verdict = packed(options.declaration, options.runs, read(options.board), place, options.row)
    if not verdict.valid:
        return _faults(verdict, f"nothing was written: {counted(len(verdict.faults), 'fault')}")
    return _show_valid(verdict, options.board)


def _check(options: Any) -> int:
    folder, verdict = _verdict(options)
    if options.json:
        faults = [fault.as_dict() for fault in verdict.faults]
        print(json.dumps({"submission": verdict.name, "valid": verdict.valid, "faults": faults}, indent=1))
        return 0 if verdict.valid else 1
    if not verdict.valid:
        return _faults(verdict, f"{verdict.name}: {counted(len(verdict.faults), 'fault')}")
    return _show_valid(verdict, folder)


def _show_valid(verdict: Verdict, folder: Path) -> int:
    from depthub.cli.submission_table import show_claims, show_place
    from depthub.submissions.preview import preview

    print(plain(f"{verdict.name} is valid: {counted(len(verdict.results), 'run')}, every prediction counted"))
    show_place(preview(verdict, folder))
    show_claims(verdict.document)
    return 0


def _diff(options: Any) -> int:
    from depthub.boards import load_board
    from depthub.cli.submission_table import show_claims, show_pairs
    from depthub.submissions.preview import beside, cells_of

    folder, verdict = _verdict(options)
    if not verdict.valid:
        return _faults(verdict, f"{verdict.name}: {counted(len(verdict.faults), 'fault')}")
    others = [row for row in load_board(folder)["rows"] if row.get("submission") != verdict.name]
    if not others:
        raise DepthubError(f"{folder} has no other row; `depthub leaderboard build {folder} --out {folder}` makes its table")
    label = options.against or others[0]["label"]
    show_pairs(verdict.name, label, beside(cells_of(verdict.results), folder, label))
    show_claims(verdict.document)
    return 0


def _verify(options: Any) -> int:
    """Without other people's plugins unless they are allowed: nothing of them is imported before that is settled."""
    os.environ["DEPTHUB_LOAD_PLUGINS"] = ",".join(options.allow)
    from depthub.cli.submission_table import show_verification
    from depthub.running.options import RunOptions
    from depthub.submissions.verification import Verification
    from depthub.submissions.verifying import Sample, record, verify

    _, verdict = _verdict(options)
    seed = secrets.randbelow(2**31) if options.seed is None else int(options.seed)
    sample = Sample.draw(verdict, options.sample, seed)
    allowed = ["depthub", *options.allow]
    sample.require_allowed(allowed)
    print(plain(f"{counted(len(sample.runs), 'run')} of {verdict.name}, chosen with seed {seed}, are done again in {options.runs}"))
    fields = verify(sample, options.runs, RunOptions(data_root=options.data_root), allowed, on_run=show_verification)
    path = record(options.submission, fields, options.identity, options.key)
    agrees = Verification(fields).agrees
    print(plain(f"{'all counts agree' if agrees else 'counts differ'} within the tolerance ({fields['rule']}); recorded in {path}"))
    return 0 if agrees else 1


def _verdict(options: Any) -> tuple[Path, Verdict]:
    """The board's folder, and the verdict on a submission beside the board's other ones."""
    from depthub.submissions.board import verdict

    folder = options.board or options.submission.absolute().parent.parent
    return folder, verdict(options.submission, folder)


def _faults(verdict: Verdict, title: str) -> int:
    print(plain(title))
    for fault in verdict.faults:
        print(f"- {fault}")
    return 1
