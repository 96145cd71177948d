"""`depthub leaderboard`: boards of finished runs and of submissions: built, shown, compared, checked, and in other forms."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

from depthub import boards
from depthub.boards.exports import Form, exported, parquet
from depthub.cli import leaderboard_build, leaderboard_checks, leaderboard_site
from depthub.cli.options.parser import Parser
from depthub.errors import DepthubError
from depthub.system.files import atomic_write

HELP = "make a leaderboard from finished runs; show, check and export it"


def parser() -> Parser:
    """The sub-commands with their options."""
    leaderboard = Parser("depthub leaderboard", f"{HELP.capitalize()}.")
    leaderboard.add_commands(
        {
            "build": leaderboard_build.parser(),
            "show": _show_parser(),
            "export": _export_parser(),
            "diff": _diff_parser(),
            "site": leaderboard_site.parser(),
            "define": leaderboard_checks.define_parser(),
            "validate": leaderboard_checks.validate_parser(),
        }
    )
    return leaderboard


def _show_parser() -> Parser:
    show = Parser(description="Show a leaderboard: what it can tell apart, then its rows.")
    show.add("board", type=Path, metavar="BOARD", help="a leaderboard.json, or its folder")
    return show


def _export_parser() -> Parser:
    export = Parser(description="A leaderboard for papers, spreadsheets and collections of results.")
    export.add("board", type=Path, metavar="BOARD", help="a leaderboard.json, or its folder")
    export.add("--form", type=Form, default="latex", metavar="|".join(get_args(Form)), help="of the output; parquet needs --out")
    export.add("--deviations", action="store_true", help="in LaTeX also the deviations over seeds")
    export.add("--out", type=Path | None, default=None, metavar="FILE", help="write it to a file")
    return export


def _diff_parser() -> Parser:
    diff = Parser(description="Two rows of a board, image by image.")
    diff.add("board", type=Path, metavar="BOARD", help="the board's folder, with its runs")
    for name in ("row", "other"):
        diff.add(name, type=str, metavar=name.upper(), help="a row's label, or the id of a submission")
    return diff


def main(config: Any) -> int:
    """Carry out the sub-command."""
    work = {
        "build": leaderboard_build.main,
        "show": _show,
        "export": _export,
        "diff": _diff,
        "site": leaderboard_site.main,
        "define": leaderboard_checks.define,
        "validate": leaderboard_checks.validate,
    }
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


def _export(options: Any) -> int:
    board = boards.load_board(options.board)
    if options.form == "parquet" and not options.out:
        raise DepthubError("Parquet is not text; give the file with --out FILE")
    content = parquet(board) if options.form == "parquet" else exported(board, options.form, deviations=options.deviations).encode()
    if options.out:
        atomic_write(options.out, content)
    else:
        print(content.decode(), end="")
    return 0
