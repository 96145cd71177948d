"""`depthub leaderboard`: boards of finished runs and of submissions: built, shown, compared, checked, and in other forms."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Literal, get_args

from depthub import boards
from depthub.boards.exports import Form, exported
from depthub.boards.packing import pack_runs
from depthub.cli.options.parser import Parser
from depthub.cli.plural import counted
from depthub.errors import DepthubError
from depthub.records.document import dumps
from depthub.records.entries import RUNS
from depthub.statistics.averages import CONVENTION, Convention
from depthub.system.files import atomic_write
from depthub.values.text import plain

Verdicts = Literal["text", "json", "markdown"]
HELP = "make a leaderboard from finished runs; show, check and export it"


def parser() -> Parser:
    """The sub-commands with their options."""
    leaderboard = Parser("depthub leaderboard", f"{HELP.capitalize()}.")
    leaderboard.add_commands(
        {
            "build": _build_parser(),
            "show": _show_parser(),
            "export": _export_parser(),
            "diff": _diff_parser(),
            "site": _site_parser(),
            "define": _define_parser(),
            "validate": _validate_parser(),
        }
    )
    return leaderboard


def _build_parser() -> Parser:
    build = Parser(description="Average finished runs over seeds and data sets; write leaderboard.json and leaderboard.md.")
    build.add("runs", type=Path, metavar="DIR", help="the folder of run files or of packed runs, or a board with submissions")
    build.add("--out", type=Path, default=Path("leaderboard"), metavar="DIR", help="the folder for the two files")
    build.add("--average", type=Convention, default=CONVENTION, help="average of harmonic scores over data sets; the first is the papers'")
    build.add("--pack", action="store_true", help="also write the runs, packed into one small file per method, into DIR/runs of --out")
    build.add("--title", type=str, default="", metavar="TEXT", help="title of the board; by default that of its definition")
    return build


def _show_parser() -> Parser:
    show = Parser(description="Show a leaderboard: what it can tell apart, then its rows.")
    show.add("board", type=Path, metavar="BOARD", help="a leaderboard.json, or its folder")
    return show


def _export_parser() -> Parser:
    export = Parser(description="Print a leaderboard as LaTeX, CSV or Markdown.")
    export.add("board", type=Path, metavar="BOARD", help="a leaderboard.json, or its folder")
    export.add("--form", type=Form, default="latex", metavar="|".join(get_args(Form)), help="of the output")
    export.add("--deviations", action="store_true", help="in LaTeX also the deviations over seeds")
    export.add("--out", type=Path | None, default=None, metavar="FILE", help="write it to a file")
    return export


def _diff_parser() -> Parser:
    diff = Parser(description="Two rows of a board, image by image.")
    diff.add("board", type=Path, metavar="BOARD", help="the board's folder, with its runs")
    for name in ("row", "other"):
        diff.add(name, type=str, metavar=name.upper(), help="a row's label, or the id of a submission")
    return diff


def _site_parser() -> Parser:
    site = Parser(description="Write boards as pages that open from a disk.")
    site.add("boards", type=Path, nargs="+", metavar="DIR", help="boards' folders, or folders of such folders")
    site.add("--out", type=Path, default=Path("site"), metavar="DIR", help="the folder for the pages; an earlier site in it is replaced")
    return site


def _define_parser() -> Parser:
    define = Parser(description="Define a board by finished runs: data sets, seeds, few-shot samples and test images of every submission.")
    define.add("runs", type=Path, metavar="DIR", help="the folder of the runs of a method that trains, on every data set with every seed")
    define.add("--out", type=Path, required=True, metavar="DIR", help="the board's folder, for definition.json")
    define.add("--name", type=str, required=True, metavar="NAME", help="that submissions name: lower-case letters, digits and hyphens")
    define.add("--title", type=str, default="", metavar="TEXT", help="one line; by default the name")
    return define


def _validate_parser() -> Parser:
    validate = Parser(description="Check all submissions of a board; every fault with its file and field.")
    validate.add("board", type=Path, metavar="BOARD", help="the board's folder")
    validate.add("--before", type=Path | None, default=None, metavar="DIR", help="the folder as merged before, in which nothing may change")
    validate.add("--form", type=Verdicts, default="text", metavar="|".join(get_args(Verdicts)), help="of the output; markdown: a comment")
    return validate


def main(config: Any) -> int:
    """Carry out the sub-command."""
    work = {"build": _build, "show": _show, "export": _export, "diff": _diff, "site": _site, "define": _define, "validate": _validate}
    return work[config.command](config[config.command])


def _show(options: Any) -> int:
    from depthub.cli.submission_table import show_board

    show_board(boards.load_board(options.board))
    return 0


def _diff(options: Any) -> int:
    from depthub.cli.submission_table import show_pairs
    from depthub.submissions.preview import beside, row_cells

    show_pairs(options.row, options.other, beside(row_cells(options.board, options.row), options.board, options.other))
    return 0


def _site(options: Any) -> int:
    from depthub.cli.descriptions import descriptions
    from depthub.site.build import write

    pages = write(options.boards, options.out, descriptions())
    print(plain(f"{counted(len(pages), 'page')}: {pages[0]}"))
    return 0


def _define(options: Any) -> int:
    from depthub.records.store import Store
    from depthub.submissions.definition import FILE, define
    from depthub.submissions.validation import require_name

    if not options.runs.exists():
        raise DepthubError(f"no folder {options.runs}; give the folder that holds the runs")
    definition = define(Store(options.runs).results(), require_name(options.name), options.title or options.name)
    path = atomic_write(options.out / FILE, dumps(definition.document))
    print(plain(f"{path}: {counted(len(definition.cells), 'cell')}"))
    return 0


def _validate(options: Any) -> int:
    """Validate; the exit status is 1 if a submission has faults."""
    from depthub.submissions.board import verdicts

    outcomes = verdicts(options.board, before=options.before)
    if options.form == "markdown":
        from depthub.submissions.comment import comment

        print(comment(outcomes, options.board, options.before), end="")
    elif options.form == "json":
        faults = {outcome.name: [fault.as_dict() for fault in outcome.faults] for outcome in outcomes}
        print(json.dumps({"submissions": len(outcomes), "faults": {name: of for name, of in faults.items() if of}}, indent=1))
    else:
        for outcome in outcomes:
            state = "valid" if outcome.valid else counted(len(outcome.faults), "fault")
            print(plain(f"{outcome.name}: {state}"))
            for fault in outcome.faults:
                print(f"- {fault}")
    return 0 if all(outcome.valid for outcome in outcomes) else 1


def _export(options: Any) -> int:
    text = exported(boards.load_board(options.board), options.form, deviations=options.deviations)
    if options.out:
        atomic_write(options.out, text.encode())
    else:
        print(text, end="")
    return 0


def _build(options: Any) -> int:
    """Build; the exit status is 0 also where some runs are left out, which are then named."""
    board = _document(options)
    packed = pack_runs(options.runs, options.out / RUNS) if options.pack else []
    files = boards.write(board, options.out)
    for note in board.get("notes", []):
        print(f"depthub: warning: {note}", file=sys.stderr)
    for entry in board["left_out"]:
        print(f"depthub: warning: left out: {entry['reason']}", file=sys.stderr)
    for row in board["rows"]:
        if row["missing"]:
            print(plain(f"incomplete: {row['label']} lacks {counted(len(row['missing']), 'run')}, listed in {files[1]}"))
    print(plain(f"{counted(len(board['rows']), 'row')}: {', '.join(map(str, [*files, *packed]))}"))
    return 0


def _document(options: Any) -> dict[str, Any]:
    """The leaderboard of runs, or of a board's own runs and submissions."""
    from depthub.submissions import board, definition

    if (options.runs / definition.FILE).is_file():
        title = options.title or str(definition.read(options.runs).document["title"])
        return board.of_folder(options.runs, title, options.average)
    return boards.of_folder(options.runs, options.title or "depthub leaderboard", options.average)
