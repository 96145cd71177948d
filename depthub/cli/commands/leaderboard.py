"""`depthub leaderboard build RUNS`: tables from run files; `export BOARD`: the same for papers and spreadsheets."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, get_args

from depthub import boards
from depthub.boards.exports import Form, exported
from depthub.boards.packing import pack_runs
from depthub.cli.options.parser import Parser
from depthub.cli.plural import counted
from depthub.records.entries import RUNS
from depthub.statistics.averages import CONVENTION, Convention
from depthub.system.files import atomic_write
from depthub.values.text import plain

HELP = "make a leaderboard from finished runs, and export it"


def parser() -> Parser:
    """`build` and `export` with their options."""
    build = Parser(description="Average finished runs over seeds and data sets; write leaderboard.json and leaderboard.md.")
    build.add("runs", type=Path, metavar="DIR", help="the folder of run files or of packed runs")
    build.add("--out", type=Path, default=Path("leaderboard"), metavar="DIR", help="the folder for the two files")
    build.add("--average", type=Convention, default=CONVENTION, help="average of harmonic scores over data sets; the first is the papers'")
    build.add("--pack", action="store_true", help="also write the runs, packed into one small file per method, into DIR/runs of --out")
    build.add("--title", type=str, default="depthub leaderboard", metavar="TEXT", help="title of the board")
    leaderboard = Parser("depthub leaderboard", f"{HELP.capitalize()}.")
    leaderboard.add_commands({"build": build, "export": _export_parser()})
    return leaderboard


def _export_parser() -> Parser:
    export = Parser(description="Print a leaderboard as LaTeX, CSV or Markdown.")
    export.add("board", type=Path, metavar="BOARD", help="a leaderboard.json, or its folder")
    export.add("--form", type=Form, default="latex", metavar="|".join(get_args(Form)), help="of the output")
    export.add("--deviations", action="store_true", help="in LaTeX also the deviations over seeds")
    export.add("--out", type=Path | None, default=None, metavar="FILE", help="write it to a file")
    return export


def main(config: Any) -> int:
    """Carry out the sub-command."""
    return _export(config.export) if config.command == "export" else _build(config.build)


def _export(options: Any) -> int:
    text = exported(boards.load_board(options.board), options.form, deviations=options.deviations)
    if options.out:
        atomic_write(options.out, text.encode())
    else:
        print(text, end="")
    return 0


def _build(options: Any) -> int:
    """Build; the exit status is 0 also where some runs are left out, which are then named."""
    board = boards.of_folder(options.runs, options.title, options.average)
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
