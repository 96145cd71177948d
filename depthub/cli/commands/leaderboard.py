"""`depthub leaderboard build RUNS`: tables from run files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from depthub import boards
from depthub.cli.options.parser import Parser
from depthub.statistics.averages import CONVENTION, Convention
from depthub.values.text import plain

HELP = "make a leaderboard from finished runs"


def parser() -> Parser:
    """`build`, and what it takes."""
    build = Parser(
        "depthub leaderboard build", "Average finished runs over seeds and data sets; write leaderboard.json and leaderboard.md."
    )
    build.add_argument("runs", type=Path, help="folder of the runs")
    build.add_argument("--out", type=Path, default=Path("leaderboard"), help="folder for the two files")
    build.add_argument("--average", type=Convention, default=CONVENTION, help="of harmonic scores over data sets; the first is the papers'")
    build.add_argument("--title", type=str, default="depthub leaderboard", help="title of the board")
    made = Parser("depthub leaderboard", HELP.capitalize() + ".")
    made.add_subcommands(required=True).add_subcommand("build", build, help=HELP).prog = "depthub leaderboard build"
    return made


def main(config: Any) -> int:
    """Build; the exit status: 0 also where some runs are left out, which are then named."""
    given = config.build
    board = boards.of_folder(given.runs, given.title, given.average)
    files = boards.write(board, given.out)
    for note in board.get("notes", []):
        print(f"depthub: warning: {note}", file=sys.stderr)
    for entry in board["left_out"]:
        print(f"depthub: warning: left out: {entry['reason']}", file=sys.stderr)
    for row in board["rows"]:
        if row["missing"]:
            print(plain(f"incomplete: {row['label']} lacks {len(row['missing'])} runs, listed in {files[1]}"))
    print(plain(f"{len(board['rows'])} row{'' if len(board['rows']) == 1 else 's'}: {files[0]}, {files[1]}"))
    return 0
