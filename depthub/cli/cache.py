"""`depthub cache`: what is kept on disk to save time, and its removal."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from rich.console import Console
from rich.table import Table

from depthub.cache import Cache, File
from depthub.cli.parser import Parser
from depthub.errors import DepthubError
from depthub.files import OFF, PLACE

HELP = "show or remove the image features kept on disk"


def parser() -> Parser:
    """`info` and `clear`, and what they take."""
    clear = Parser("depthub cache clear", "Remove the image features kept on disk; later runs make them again.")
    clear.add_argument("--data", type=str, default="", help="of this data set only, as `depthub cache info` names it")
    made = Parser("depthub cache", HELP.capitalize() + ".")
    commands = made.add_subcommands(required=True)
    info = Parser("depthub cache info", "Show the cache's folder, files and size.")
    commands.add_subcommand("info", info, help="folder, files and size").prog = "depthub cache info"
    commands.add_subcommand("clear", clear, help="remove files").prog = "depthub cache clear"
    return made


def main(config: Any) -> int:
    """Show or remove; the exit status.

    Raises:
        DepthubError: if the cache is off.
    """
    cache = Cache.here()
    if cache is None:
        raise DepthubError(f"the cache is off: {PLACE}={OFF}")
    console = Console(highlight=False, markup=False)
    if config.subcommand == "clear":
        removed = cache.clear(config.clear.data)
        console.print(f"removed from {cache.folder}: {_amount(removed)}", soft_wrap=True)
        return 0
    files = cache.files()
    console.print(f"{cache.folder}: {_amount(files)}, limit {_size(cache.limit)}", soft_wrap=True)
    if files:
        console.print(_table(files))
    return 0


def _table(files: list[File]) -> Table:
    groups: dict[tuple[str, str], list[tuple[File, int]]] = defaultdict(list)
    for file in files:
        description = file.description()
        kind = description.get("kind", {"data": "(damaged)", "backbone": {"model": ""}})
        groups[kind["data"], kind["backbone"]["model"]].append((file, len(description.get("items", ()))))
    table = Table("data set", "backbone")
    for column in ("files", "images and views", "size"):
        table.add_column(column, justify="right")
    for names, held in sorted(groups.items()):
        table.add_row(*names, str(len(held)), str(sum(n for _, n in held)), _size(sum(file.size for file, _ in held)))
    return table


def _amount(files: list[File]) -> str:
    return f"{len(files)} file{'' if len(files) == 1 else 's'}, {_size(sum(file.size for file in files))}"


def _size(count: float) -> str:
    """Bytes in the largest unit that leaves a number of at least 1."""
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.4g} {unit}"
        count /= 1000
    return f"{count:.4g} GB"
