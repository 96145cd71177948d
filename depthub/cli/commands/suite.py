"""`depthub suite`: many runs as one: what they will take, their execution, and how far it is."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import Namespace

from depthub.cli.options.parser import Parser
from depthub.cli.plural import duration
from depthub.system.activity import tell
from depthub.values.text import listed, plain

if TYPE_CHECKING:
    from depthub.registry.plugins import Plugins

LONG = True  # it shows its progress
HELP = "plan and run many runs: methods and heads on all data sets and seeds of a board"
SUITE = "a suite that comes with depthub, or the path of a YAML file"
RUNS = "the folder of run files, which suites share"


def parser() -> Parser:
    """The sub-commands with their options."""
    from depthub.cli.commands.plugins import usable

    plugins = usable()
    suite = Parser("depthub suite", f"{HELP[0].upper()}{HELP[1:]}.")
    suite.add_commands({"list": _list_parser(), "plan": _plan_parser(plugins), "run": _run_parser(plugins), "status": _status_parser()})
    return suite


def main(config: Namespace) -> int:
    """Carry out the sub-command."""
    commands = {"list": _list, "plan": _plan, "run": _run, "status": _status}
    return commands[config.command](config[config.command])


def _plan(config: Namespace) -> int:
    from depthub.cli import suite_plan

    return suite_plan.main(config)


def _run(config: Namespace) -> int:
    from depthub.cli import suite_run

    return suite_run.main(config)


def _list_parser() -> Parser:
    return Parser(description="List the suites and boards that come with depthub.")


def _plan_parser(plugins: Plugins) -> Parser:
    plan = Parser(description="Show what a suite has done and what it will take: runs, shared work, hours, memory, energy.")
    _add_suite(plan, plugins)
    plan.add("--json", action="store_true", help="as JSON")
    return plan


def _run_parser(plugins: Plugins) -> Parser:
    run = Parser(description="Do the unfinished runs of a suite, then write its leaderboard; the same command continues after any end.")
    _add_suite(run, plugins)
    run.add("--out", type=Path | None, default=None, metavar="DIR", help="the folder of the leaderboard (default: boards/SUITE)")
    run.add("--dry_run", action="store_true", help="show the plan and end")
    run.add("--max_hours", type=float, default=0.0, metavar="H", help="stop after H hours; 0: no limit")
    return run


def _add_suite(parser: Parser, plugins: Plugins) -> None:
    """Options of a suite, and of how its runs are done: the plan depends on them as the execution does."""
    from depthub.cli.options.work_options import WHERE, add_plan, add_work

    parser.add("suite", type=str, metavar="SUITE", help=SUITE)
    parser.add("--board", type=str, default="", metavar="BOARD", help="another board for the suite's methods: a name, or a YAML file")
    only = "only runs whose description has this text, such as 'CoOp + DePT on tones'; several: any of them"
    parser.add("--only", type=str, nargs="+", default=[], metavar="TEXT", help=only)
    parser.add("--retry_failed", action="store_true", help="do again what failed or diverged with the same code and data")
    parser.add("--runs", WHERE, type=Path, default=Path("runs"), metavar="DIR", help=RUNS)
    parser.add("--data_root", WHERE, type=Path | None, default=None, metavar="DIR", help="the folder that holds data sets on this machine")
    add_work(parser, plugins, "executor (default: Local, a process per core or GPU)")
    add_plan(parser)


def _list(config: Namespace) -> int:
    """Print names and titles."""
    from depthub.suites.reading import shipped

    for kind in ("suites", "boards"):
        print(f"{kind}:")
        for name, title in shipped(kind).items():
            print(plain(f"  {name:<24} {title}"))
    return 0


def _status_parser() -> Parser:
    state = Parser(description="Show how far a suite is, from any terminal or machine that sees the folder of its runs.")
    state.add("suite", type=str, metavar="SUITE", help="name of a suite that `depthub suite run` was given")
    state.add("--runs", type=Path, default=Path("runs"), metavar="DIR", help=RUNS)
    state.add("--json", action="store_true", help="as JSON")
    return state


def _status(config: Namespace) -> int:
    """The exit status is 1 if runs failed."""
    from depthub.suites.manifest import Manifest, status

    tell("reading the folder of runs")
    manifest = Manifest.named(config.runs, Path(config.suite).stem)
    state = status(manifest, config.runs)
    if config.json:
        print(json.dumps(state, indent=1))
    else:
        pace = f"; {state['per_hour']:.0f} runs an hour" if state["per_hour"] else ""
        until = f", about {duration(3600 * state['hours_left'])} to go" if state["hours_left"] and state["left"] else ""
        numbers = f"{state['done']} of {state['runs']} runs done, {state['failed']} failed, {state['left']} left"
        print(plain(f"{manifest.name}: {numbers}{pace}{until}"))
        if state["current"]:
            print(plain(f"now: {listed(state['current'])}"))
        for run_id, line in state["failures"].items():
            print(plain(f"failed: {run_id[:12]} {line}"), file=sys.stderr)
    return 1 if state["failed"] else 0
