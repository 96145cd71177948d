"""`depthub cache`: what is kept on disk to save time, and its removal."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from depthub.cli.options.parser import Parser
from depthub.data.published import folder_lists
from depthub.errors import DepthubError
from depthub.identity.file_digests import NAME
from depthub.system.disk_cache import Cache, File
from depthub.system.files import OFF, PLACE

HELP = "show or remove what is kept on disk to save time"
_SHA256 = "[0-9a-f]{64}"
_ANSWER, _LIST = rf"{_SHA256}\.json", rf"{_SHA256}{re.escape(folder_lists.SUFFIX)}"
# What lies beside the image features, by the pattern of its path below the cache folder; fetched split files and decoded images stay.
_BESIDE = {
    "digests of files": rf"{re.escape(NAME)}(-journal|-wal|-shm)?",
    "finished commands": f"recall/{_ANSWER}",
    "lists of images": f"{folder_lists.FOLDER}/{_LIST}",
    "choices of arithmetic": r"linear\.json",  # of earlier versions
    "what killed processes left": rf"(recall/\.{_ANSWER}|{folder_lists.FOLDER}/\.{_LIST})\.[0-9a-f-]+\.tmp",
}


def parser() -> Parser:
    """`info` and `clear`, and what they take."""
    clear = Parser("depthub cache clear", "Remove what is kept on disk to save time; later runs make it again.")
    clear.add_argument("--data", type=str, default="", help="the image features of this data set only, as `depthub cache info` names it")
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
        beside = {} if config.clear.data else _beside(cache.folder.parent)
        for what, found in beside.items():
            _remove(found)
            console.print(f"removed {what}: {_amount(found)}", soft_wrap=True)
        return 0
    files = cache.files()
    console.print(f"{cache.folder}: {_amount(files)}, limit {_size(cache.limit)}", soft_wrap=True)
    if files:
        console.print(_table(files))
    for what, found in _beside(cache.folder.parent).items():
        console.print(f"{what}: {_amount(found)}", soft_wrap=True)
    return 0


def _beside(folder: Path) -> dict[str, list[File]]:
    """What else the cache folder holds to save time, by what it is."""
    paths = [path for path in (*_inside(folder), *_inside(folder / "recall"), *_inside(folder / folder_lists.FOLDER)) if path.is_file()]
    found = dict[str, list[File]]()
    for what, pattern in _BESIDE.items():
        own = [path for path in paths if re.fullmatch(pattern, path.relative_to(folder).as_posix())]
        if own:
            found[what] = [File(path, path.stat().st_size, path.stat().st_mtime_ns) for path in own]
    return found


def _inside(folder: Path) -> Iterator[Path]:
    """What a folder holds; nothing where it is not there or may not be read."""
    try:
        yield from sorted(folder.iterdir())
    except OSError:
        return


def _remove(files: list[File]) -> None:
    for file in files:
        try:
            file.path.unlink(missing_ok=True)
        except OSError as error:
            raise DepthubError(f"cannot remove {file.path}: {error.strerror or error}") from error


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
