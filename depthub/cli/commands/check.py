"""`depthub check`: whether what a plugin provides keeps the contract."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonargparse import Namespace

from depthub.cli.options.parser import Parser

if TYPE_CHECKING:
    from depthub.testing import Part

WORDS = {True: "ok", False: "failed", None: "skipped"}
HELP = "check that what a plugin provides keeps the contract (docs/contract.md)"


def parser() -> Parser:
    """The command's options."""
    made = Parser("depthub check", HELP)
    made.add_argument("plugins", nargs="+", metavar="PLUGIN", help="as `depthub plugins` names it")
    made.add_argument("--data_root", type=Path | None, default=None, help="the folder that holds data sets on this machine")
    made.add_argument("--json", action="store_true", help="as JSON, with what was expected and seen")
    return made


def main(config: Namespace) -> int:
    """Check the plugins; the exit status is 1 if a part of the contract is broken."""
    from depthub.testing import cases

    # every name is known before the first check
    found = {plugin: cases(plugin, config.data_root) for plugin in dict.fromkeys(config.plugins)}
    results = []
    for plugin, members in found.items():
        own = [{"plugin": plugin, **result} for result in _results(members)]
        results += own
        if not config.json:
            _show(plugin, own)
    if config.json:
        print(json.dumps(results, indent=1, ensure_ascii=False))
    return int(any(result["ok"] is False for result in results))


def _results(members: list[Part]) -> Iterator[dict[str, Any]]:
    """What each check gave; `ok` is None where it could not be made."""
    from depthub.testing import CHECKS, ContractError, SkippedError

    for case in members:
        for check in (check for check in CHECKS if case.kind in check.kinds):
            told: dict[str, Any] = {"ok": True, "expected": check.contract, "seen": "", "see": check.see, "same_as": "", "note": ""}
            try:
                told["note"] = check(case)
            except ContractError as error:
                told |= {"ok": False, "seen": error.seen, "same_as": error.first}
            except SkippedError as error:
                told |= {"ok": None, "note": str(error)}
            yield {"kind": case.kind, "component": case.name, "check": check.id, **told}


def _show(plugin: str, results: list[dict[str, Any]]) -> None:
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    for kinds in _alike(results):
        console.print(_table(plugin, [result for result in results if result["kind"] in kinds]))
    for result in results:
        if result["ok"] is False and not result["same_as"]:
            _show_fault(console, result, [other["check"] for other in results if _repeats(other, result)])
    for line in _notes(results):
        console.print(f"\n{line}", soft_wrap=True)


def _table(plugin: str, results: list[dict[str, Any]]) -> Any:
    """Checks by components, the longer side downwards."""
    from rich.table import Table

    components, checks = (list(dict.fromkeys(result[key] for result in results)) for key in ("component", "check"))
    outcome = {(result["check"], result["component"]): WORDS[result["ok"]] for result in results}
    across = len(components) > len(checks)
    table = Table(plugin, *(checks if across else components))
    for row in components if across else checks:
        table.add_row(row, *(outcome.get((one, row) if across else (row, one), "-") for one in (checks if across else components)))
    return table


def _show_fault(console: Any, result: dict[str, Any], others: list[str]) -> None:
    console.print(f"\n{result['component']} fails {result['check']}", soft_wrap=True)
    for key in ("expected", "seen", "see"):
        console.print(f"  {key}: {result[key]}", soft_wrap=True)
    if others:
        number = f"{len(others)} more {'check fails' if len(others) == 1 else 'checks fail'}"
        console.print(f"  and {number} for the same reason: {', '.join(others)}", soft_wrap=True)


def _alike(results: list[dict[str, Any]]) -> list[set[str]]:
    """The kinds of a plugin's parts, those that share checks together: each gets a table."""
    asked: dict[str, set[str]] = {}
    for result in results:
        asked.setdefault(result["kind"], set()).add(result["check"])
    groups: list[set[str]] = []
    for kind, checks in asked.items():
        group = next((group for group in groups if any(len(checks & asked[other]) > 1 for other in group)), None)
        groups.append({kind}) if group is None else group.add(kind)
    return groups


def _repeats(other: dict[str, Any], result: dict[str, Any]) -> bool:
    """Whether a result tells what another of the same component told before."""
    same = (other["kind"], other["component"]) == (result["kind"], result["component"])
    return same and bool(other["same_as"] == result["check"])


def _notes(results: list[dict[str, Any]]) -> list[str]:
    """What was left out, and why; checks of a component with the same reason together."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for result in results:
        if result["note"]:
            word = " skipped" if result["ok"] is None else ""
            found.setdefault((result["component"], word, result["note"]), []).append(result["check"])
    return [f"{component}, {', '.join(checks)}{word}: {note}" for (component, word, note), checks in found.items()]
