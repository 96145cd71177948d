"""`depthub submit new` and `pack`: a declaration to fill in, and a submission from it and from finished runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from depthub.cli.options.parser import Parser
from depthub.cli.plural import counted
from depthub.cli.submission_verdict import show_faults, show_valid
from depthub.errors import DepthubError
from depthub.values.text import plain

PACK = "pack finished runs and a declaration into a submission, and check it as the board does"


def new_parser() -> Parser:
    """Options of `new`."""
    new = Parser(description="Write a declaration to fill in: NAME.yaml.")
    new.add("name", type=str, metavar="NAME", help="of the submission: lower-case letters, digits and hyphens")
    new.add("--board", type=Path, required=True, metavar="DIR", help="the board's folder")
    return new


def pack_parser() -> Parser:
    """Options of `pack`."""
    pack = Parser(description=f"{PACK[0].upper()}{PACK[1:]}.")
    pack.add("declaration", type=Path, metavar="FILE", help="NAME.yaml of `depthub submit new`; NAME becomes the submission's id")
    pack.add("--runs", type=Path, default=Path("runs"), metavar="DIR", help="the folder of the runs; others may be in it, too")
    pack.add("--board", type=Path, required=True, metavar="DIR", help="the board's folder; the submission goes into its submissions/")
    pack.add("--row", type=str, default="", metavar="LABEL", help="method and head, such as 'CoOp + DePT', if there are runs of several")
    return pack


def new(options: Any) -> int:
    """Write a declaration to fill in."""
    from depthub.submissions.declaration import template
    from depthub.submissions.definition import read
    from depthub.submissions.writing import require_name
    from depthub.system.files import atomic_write

    path = Path(f"{require_name(options.name)}.yaml")
    if path.exists():
        raise DepthubError(f"{path} is there already; choose another name, or remove it")
    atomic_write(path, template(options.name, read(options.board).name).encode())
    print(plain(f"{path}: fill it in, then `depthub submit pack {path} --runs RUNS --board {options.board}`"))
    return 0


def pack(options: Any) -> int:
    """Write a submission; the exit status is 1, and nothing is written, if a board would refuse it."""
    from depthub.submissions.definition import read
    from depthub.submissions.folders import SUBMISSIONS
    from depthub.submissions.packing import packed

    place = options.board / SUBMISSIONS
    verdict = packed(options.declaration, options.runs, read(options.board), place, options.row)
    if not verdict.valid:
        return show_faults(verdict, f"nothing was written: {counted(len(verdict.faults), 'fault')}")
    return show_valid(verdict, options.board)
