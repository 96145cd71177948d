"""`depthub leaderboard build RUNS`: tables from run files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console

from depthub import leaderboard
from depthub.cli.parser import Parser
from depthub.leaderboard.aggregate import CONVENTION, Convention

HELP = "make a leaderboard from finished runs"


def parser() -> Parser:
    """`build`, and what it takes."""
    build = Parser(
        "depthub leaderboard build", "Average finished runs over seeds and data sets; write leaderboard.json and leaderboard.md."
    )
    build.add_argument("runs", type=Path, help="folder of the runs")
    build.add_argument("--out", type=Path, default=Path("leaderboard"), help="folder for the two files")
    build.add_argument("--average", type=Convention, default=CONVENTION, help="of H over data sets; the first is the papers'")
    build.add_argument("--title", type=str, default="depthub leaderboard", help="title of the board")
    made = Parser("depthub leaderboard", HELP.capitalize() + ".")
    made.add_subcommands(required=True).add_subcommand("build", build, help=HELP).prog = "depthub leaderboard build"
    return made


def main(config: Any) -> int:
    """Build; the exit status."""
    given = config.build
    board = leaderboard.of_folder(given.runs, given.title, given.average)
    files = leaderboard.write(board, given.out)
    console = Console()
    for row in board["rows"]:
        if row["missing"]:
            console.print(
                f"incomplete: {row['label']} lacks {len(row['missing'])} runs, listed in {files[1]}", markup=False, soft_wrap=True
            )
    console.print(f"{len(board['rows'])} rows: {files[0]}, {files[1]}", markup=False, soft_wrap=True)
    return 0
