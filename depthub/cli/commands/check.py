"""`depthub check`: plugins against the contract."""

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
HELP = "check plugins against the contract (docs/contract.md)"


def parser() -> Parser:
    """The command's options."""
    check = Parser("depthub check", f"{HELP.capitalize()}.")
    check.add("plugins", nargs="+", metavar="PLUGIN", help="names from `depthub plugins`")
    check.add("--data_root", type=Path | None, default=None, metavar="DIR", help="the folder that holds data sets on this machine")
    check.add("--json", action="store_true", help="as JSON, with expected and observed behaviour")
    return check


def main(config: Namespace) -> int:
    """Check the plugins; the exit status is 1 if a part of the contract is broken."""
    from depthub.testing import cases

    # an unknown name is refused before the first check
    parts = {plugin: cases(plugin, config.data_root) for plugin in dict.fromkeys(config.plugins)}
    results = []
    for plugin, members in parts.items():
        plugin_results = [{"plugin": plugin, **result} for result in _results(members)]
        results += plugin_results
        if not config.json:
            _show(plugin, plugin_results)
    if config.json:
        print(json.dumps(results, indent=1, ensure_ascii=False))
    return int(any(result["ok"] is False for result in results))


def _results(members: list[Part]) -> Iterator[dict[str, Any]]:
    """The result of each check; `ok` is None where it was skipped."""
    from depthub.testing import CHECKS, ContractError, SkippedError

    for case in members:
        for check in (check for check in CHECKS if case.kind in check.kinds):
            outcome: dict[str, Any] = {"ok": True, "expected": check.contract, "seen": "", "see": check.see, "same_as": "", "note": ""}
            try:
                outcome["note"] = check(case)
            except ContractError as error:
                outcome |= {"ok": False, "seen": error.seen, "same_as": error.first}
            except SkippedError as error:
                outcome |= {"ok": None, "note": str(error)}
            yield {"kind": case.kind, "component": case.name, "check": check.id, **outcome}


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
    """The kinds of a plugin's parts in groups that share checks; each group gets a table."""
    checks_of: dict[str, set[str]] = {}
    for result in results:
        checks_of.setdefault(result["kind"], set()).add(result["check"])
    groups: list[set[str]] = []
    for kind, checks in checks_of.items():
        group = next((group for group in groups if any(len(checks & checks_of[other]) > 1 for other in group)), None)
        groups.append({kind}) if group is None else group.add(kind)
    return groups


def _repeats(other: dict[str, Any], result: dict[str, Any]) -> bool:
    """Whether a result of the same component has the same cause as an earlier one."""
    same = (other["kind"], other["component"]) == (result["kind"], result["component"])
    return same and bool(other["same_as"] == result["check"])


def _notes(results: list[dict[str, Any]]) -> list[str]:
    """The skipped checks and why; checks of a component with the same reason together."""
    checks_by_note: dict[tuple[str, str, str], list[str]] = {}
    for result in results:
        if result["note"]:
            word = " skipped" if result["ok"] is None else ""
            checks_by_note.setdefault((result["component"], word, result["note"]), []).append(result["check"])
    return [f"{component}, {', '.join(checks)}{word}: {note}" for (component, word, note), checks in checks_by_note.items()]
