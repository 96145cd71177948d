"""`depthub cache`: files that only save time, shown and removed."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from depthub.cli.options.parser import Parser
from depthub.cli.plural import counted
from depthub.data.published import folder_lists
from depthub.errors import DepthubError
from depthub.identity.file_digests import NAME
from depthub.system.disk_cache import Cache, File
from depthub.system.files import OFF, PLACE

HELP = "show or remove cached files, which only save time"
_SHA256 = "[0-9a-f]{64}"
_ANSWER, _LIST = rf"{_SHA256}\.json", rf"{_SHA256}{re.escape(folder_lists.SUFFIX)}"
# Files beside the image features, by the pattern of their paths below the cache folder; fetched split files and decoded images stay.
_BESIDE = {
    "digests of files": rf"{re.escape(NAME)}(-journal|-wal|-shm)?",
    "finished commands": f"recall/{_ANSWER}",
    "lists of images": f"{folder_lists.FOLDER}/{_LIST}",
    "choices of arithmetic": r"linear\.json",  # of earlier versions
    "temporary files of killed processes": rf"(recall/\.{_ANSWER}|{folder_lists.FOLDER}/\.{_LIST})\.[0-9a-f-]+\.tmp",
}


def parser() -> Parser:
    """`info` and `clear` with their options."""
    clear = Parser(description="Remove cached files; later runs compute them again.")
    clear.add("--data", type=str, default="", metavar="NAME", help="only the image features of this data set in `depthub cache info`")
    cache = Parser("depthub cache", f"{HELP.capitalize()}.")
    cache.add_commands({"info": Parser(description="Show the cache's folder, files and size."), "clear": clear})
    return cache


def main(config: Any) -> int:
    """Show or remove; the exit status.

    Raises:
        DepthubError: if the cache is off.
    """
    cache = Cache.here()
    if cache is None:
        raise DepthubError(f"the cache is off: {PLACE}={OFF}")
    console = Console(highlight=False, markup=False)
    if config.command == "clear":
        removed = cache.clear(config.clear.data)
        console.print(f"removed from {cache.folder}: {_amount(removed)}", soft_wrap=True)
        beside = {} if config.clear.data else _beside(cache.folder.parent)
        for kind, others in beside.items():
            _remove(others)
            console.print(f"removed {kind}: {_amount(others)}", soft_wrap=True)
        return 0
    files = cache.files()
    console.print(f"{cache.folder}: {_amount(files)}, limit {_size(cache.limit)}", soft_wrap=True)
    if files:
        console.print(_table(files))
    for kind, others in _beside(cache.folder.parent).items():
        console.print(f"{kind}: {_amount(others)}", soft_wrap=True)
    return 0


def _beside(folder: Path) -> dict[str, list[File]]:
    """The other files of the cache folder that only save time, by kind."""
    paths = [path for path in (*_inside(folder), *_inside(folder / "recall"), *_inside(folder / folder_lists.FOLDER)) if path.is_file()]
    files = dict[str, list[File]]()
    for kind, pattern in _BESIDE.items():
        matches = [path for path in paths if re.fullmatch(pattern, path.relative_to(folder).as_posix())]
        if matches:
            files[kind] = [File(path, path.stat().st_size, path.stat().st_mtime_ns) for path in matches]
    return files


def _inside(folder: Path) -> Iterator[Path]:
    """The entries of a folder; none where it does not exist or may not be read."""
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
    for names, members in sorted(groups.items()):
        table.add_row(*names, str(len(members)), str(sum(n for _, n in members)), _size(sum(file.size for file, _ in members)))
    return table


def _amount(files: list[File]) -> str:
    return f"{counted(len(files), 'file')}, {_size(sum(file.size for file in files))}"


def _size(count: float) -> str:
    """Bytes in the largest unit that leaves a number of at least 1."""
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.4g} {unit}"
        count /= 1000
    return f"{count:.4g} GB"
