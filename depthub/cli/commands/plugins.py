"""`depthub plugins`: what is installed, what it provides, and what is broken and why."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

from jsonargparse import Namespace

from depthub.cli.options.parser import Parser
from depthub.registry.admission import KINDS
from depthub.registry.plugins import PluginReport, Plugins, installed

HELP = "list plugins, what they provide, and what is broken and why"


def parser() -> Parser:
    """The command's options."""
    made = Parser("depthub plugins", HELP)
    made.add_argument("--json", action="store_true", help="as JSON, in full")
    return made


def main(config: Namespace) -> int:
    """List the plugins. Broken ones are what this command is for, hence no failure."""
    reports = installed().reports
    if config.json:
        print(json.dumps([asdict(report) for report in reports], indent=1))
    else:
        _show(reports)
    return 0


def usable() -> Plugins:
    """The installed plugins, for other commands; one line on stderr if some were left out as broken."""
    plugins = installed()
    if broken := [report.name for report in plugins.reports if report.faults]:
        print(f"depthub: warning: broken and left out: {', '.join(broken)}; `depthub plugins` says why", file=sys.stderr)
    return plugins


def _show(reports: tuple[PluginReport, ...]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("plugin", "distribution", "provides")
    for report in reports:
        provides = [f"{KINDS[kind].singular} {name}" for kind, names in report.provides.items() for name in names]
        state = "disabled" if report.disabled else "broken" if report.faults else "only run events"
        table.add_row(report.name, f"{report.distribution} {report.version}", "\n".join(provides) or state)
    console = Console(highlight=False, markup=False)
    console.print(table)
    for report in reports:
        for fault in report.faults:
            console.print(f"{report} is left out: {fault}", soft_wrap=True)
