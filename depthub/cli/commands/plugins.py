"""`depthub plugins`: installed plugins, their parts, and the faults of broken ones."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

from jsonargparse import Namespace

from depthub.cli.options.parser import Parser
from depthub.registry.plugins import SINGULAR, PluginReport, Plugins, installed

HELP = "list plugins with their methods, heads and so on, and the faults of broken ones"


def parser() -> Parser:
    """The command's options."""
    plugins = Parser("depthub plugins", f"{HELP.capitalize()}.")
    plugins.add("--json", action="store_true", help="as JSON, in full")
    return plugins


def main(config: Namespace) -> int:
    """List the plugins; the exit status is 0 also with broken ones, which this command is for."""
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
        provides = [f"{SINGULAR[kind]} {name}" for kind, names in report.provides.items() for name in names]
        state = "disabled" if report.disabled else "broken" if report.faults else "only run events"
        table.add_row(report.name, f"{report.distribution} {report.version}", "\n".join(provides) or state)
    console = Console(highlight=False, markup=False)
    console.print(table)
    for report in reports:
        for fault in report.faults:
            console.print(f"{report} is left out: {fault}", soft_wrap=True)
