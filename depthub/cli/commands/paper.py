"""`depthub paper`: the paper's tables and figures, measured anew beside the numbers in print."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import Namespace

from depthub.cli.options.parser import Parser

if TYPE_CHECKING:
    from depthub.registry.plugins import Plugins

LONG = True  # it shows its progress
HELP = "the paper's tables and figures, measured anew beside the numbers in print"


def parser() -> Parser:
    """The command's options."""
    from depthub.cli.commands.plugins import usable

    paper = Parser("depthub paper", f"{HELP[0].upper()}{HELP[1:]}. Runs that are done are read; the others are done first.")
    _add_exhibits(paper, usable())
    return paper


def main(config: Namespace) -> int:
    """Show the exhibits; the exit status: 0, 1 if runs failed, 3 if the time was up before the end."""
    from depthub.cli import paper_run

    return paper_run.main(config)


def _add_exhibits(parser: Parser, plugins: Plugins) -> None:
    from depthub.cli.options.work_options import WHERE, add_plan, add_work
    from depthub.paper.exhibit import ALL, paper

    names = ", ".join(paper().exhibits)
    words = f"{names}; {ALL}: all of these; {', '.join(paper().beyond)}: questions that the paper does not ask"
    parser.add("exhibits", type=str, nargs="+", metavar="EXHIBIT", help=words)
    parser.add(
        "--board",
        type=str,
        default="shapes",
        metavar="BOARD",
        help="a board, whose companions have the other protocols (base-to-new: real data)",
    )
    parser.add("--seeds", type=int, nargs="+", default=[], metavar="S", help="instead of the paper's three")
    parser.add("--plan", action="store_true", help="show what the runs will take, and what the published code would, and end")
    parser.add("--json", action="store_true", help="the plan as JSON")
    parser.add("--out", type=Path, default=Path("paper"), metavar="DIR", help="the folder of tables and figures")
    parser.add("--max_hours", type=float, default=0.0, metavar="H", help="stop after H hours; 0: no limit")
    parser.add("--retry_failed", action="store_true", help="do again what failed or diverged with the same code and data")
    parser.add("--runs", WHERE, type=Path, default=Path("runs"), metavar="DIR", help="the folder of run files, which suites share")
    parser.add("--data_root", WHERE, type=Path | None, default=None, metavar="DIR", help="the folder that holds data sets on this machine")
    add_work(parser, plugins, "executor (default: Local, a process per core or GPU)")
    add_plan(parser)
