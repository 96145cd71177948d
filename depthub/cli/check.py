"""`depthub check`: whether a plugin's methods and heads keep the contract."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from jsonargparse import Namespace

from depthub.cli.parser import Parser

if TYPE_CHECKING:
    from depthub.testing import Case

HELP = "check that a plugin's methods and heads keep the contract (docs/contract.md)"


def parser() -> Parser:
    """The command's options."""
    made = Parser("depthub check", HELP)
    made.add_argument("plugins", nargs="+", metavar="PLUGIN", help="as `depthub plugins` names it")
    made.add_argument("--json", action="store_true", help="as JSON, with what was expected and seen")
    return made


def main(config: Namespace) -> int:
    """Check the plugins; the exit status is 1 if a part of the contract is broken."""
    from depthub.testing import cases

    found = {plugin: cases(plugin) for plugin in dict.fromkeys(config.plugins)}  # every name is known before the first check
    results = []
    for plugin, members in found.items():
        own = [{"plugin": plugin, **result} for result in _results(members)]
        results += own
        if not config.json:
            _show(plugin, own)
    if config.json:
        print(json.dumps(results, indent=1, ensure_ascii=False))
    return int(any(not result["ok"] for result in results))


def _results(members: list[Case]) -> Iterator[dict[str, Any]]:
    from depthub.testing import CHECKS, ContractError

    for case in members:
        for check in (check for check in CHECKS if case.kind in check.kinds):
            seen = ""
            try:
                check(case)
            except ContractError as error:
                seen = error.seen
            told = {"expected": check.contract, "seen": seen, "see": check.see}
            yield {"kind": case.kind, "component": case.name, "check": check.id, "ok": not seen, **told}


def _show(plugin: str, results: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    components = list(dict.fromkeys(result["component"] for result in results))
    outcome = {(result["check"], result["component"]): "ok" if result["ok"] else "failed" for result in results}
    table = Table(plugin, *components)
    for check in dict.fromkeys(result["check"] for result in results):
        table.add_row(check, *(outcome.get((check, component), "-") for component in components))
    console = Console(highlight=False, markup=False)
    console.print(table)
    for result in results:
        if not result["ok"]:
            console.print(f"\n{result['component']} fails {result['check']}", soft_wrap=True)
            for key in ("expected", "seen", "see"):
                console.print(f"  {key}: {result[key]}", soft_wrap=True)
