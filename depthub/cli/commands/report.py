"""`depthub report RUNS`: one page about any set of finished runs, complete in one file."""

from __future__ import annotations

from pathlib import Path

from jsonargparse import Namespace

from depthub.cli.options.parser import Parser
from depthub.cli.plural import counted
from depthub.values.text import plain

HELP = "write one page about finished runs: warnings, tables, pictures, gains, settings, origins and costs"


def parser() -> Parser:
    """The command's options."""
    report = Parser("depthub report", f"{HELP[0].upper()}{HELP[1:]}.")
    report.add("runs", type=Path, metavar="RUNS", help="a folder of runs or of packed runs, a packed file, a board's folder, or one run's")
    report.add("--out", type=Path, default=Path("report.html"), metavar="FILE", help="the page; it needs no other file")
    report.add("--title", type=str, default="", metavar="TEXT", help="title of the page; by default the number of runs")
    words = "only runs in whose description, such as 'CoOp + DePT on tones, BaseToNew, shapes, 16 shots, seed 1', TEXT begins a word"
    report.add("--only", type=str, nargs="+", default=[], metavar="TEXT", help=words)
    return report


def main(config: Namespace) -> int:
    """Write the page, and print where."""
    from depthub.site.reports.report import report

    page = report(config.runs, title=config.title, only=config.only)
    path = page.save(config.out)
    print(plain(f"{counted(page.runs, 'run')}, {counted(len(page.warnings), 'warning')}: {path}"))
    return 0
