"""`depthub runs`: finished runs in a folder: a list, one in full, two side by side, metrics; and what interrupted ones have left."""

from __future__ import annotations

import json

from jsonargparse import Namespace

from depthub.cli import runs_diff, runs_gc, runs_list, runs_metrics, runs_show
from depthub.cli.options.finished import add_run, read_run
from depthub.cli.options.parser import Parser

HELP = "list finished runs, show one, compare two, compute metrics, or remove what interrupted ones left"


def parser() -> Parser:
    """The sub-commands with their options."""
    runs = Parser("depthub runs", f"{HELP.capitalize()}.")
    parsers = {"list": runs_list.parser(), "show": _show_parser(), "diff": _diff_parser()}
    runs.add_commands(parsers | {"metrics": runs_metrics.parser(), "gc": runs_gc.parser()})
    return runs


def main(config: Namespace) -> int:
    """Carry out the sub-command."""
    commands = {"list": runs_list.main, "show": _show, "diff": _diff, "metrics": runs_metrics.main, "gc": runs_gc.main}
    return commands[config.command](config[config.command])


def _show_parser() -> Parser:
    show = Parser(description="Show a finished run in full: settings, counts, scores, classes, costs and provenance.")
    add_run(show, "run")
    show.add("--json", action="store_true", help="as JSON")
    return show


def _show(config: Namespace) -> int:
    result = read_run(config.run, config.runs)
    if config.json:
        print(json.dumps(runs_show.document(result), indent=1))
    else:
        runs_show.show(result)
    return 0


def _diff_parser() -> Parser:
    diff = Parser(description="Compare two finished runs: settings, counts, scores, and correct predictions image by image.")
    add_run(diff, "first", "second")
    diff.add("--json", action="store_true", help="as JSON")
    return diff


def _diff(config: Namespace) -> int:
    from depthub.records.comparison import compare

    comparison = compare(read_run(config.first, config.runs), read_run(config.second, config.runs))
    if config.json:
        print(json.dumps(comparison.as_dict(), indent=1))
    else:
        runs_diff.show(comparison)
    return 0
