"""`depthub data`: check, list, prepare and fetch the data sets on disk."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonargparse import Namespace

from depthub.cli.data_check import check_data, check_parser, show
from depthub.cli.data_sets import add_root, by_name, data_sets, existing_root, root_of
from depthub.cli.options.parser import Parser
from depthub.errors import DepthubError
from depthub.values.text import plain

if TYPE_CHECKING:
    from depthub.data.published.on_disk import OnDisk

HELP = "check, list, prepare and fetch data sets on disk"
NUMBERS = ("classes", "train", "val", "test")


def parser() -> Parser:
    """The sub-commands with their options."""
    data = Parser("depthub data", f"{HELP.capitalize()}.")
    data.add_commands({"check": check_parser(), "list": _list_parser(), "prepare": _prepare_parser(), "fetch-splits": _fetch_parser()})
    return data


def main(config: Namespace) -> int:
    """Carry out the sub-command; the exit status is 1 if a check finds faults."""
    action = {"check": check_data, "list": _list, "prepare": _prepare, "fetch-splits": _fetch}[config.command]
    return action(config[config.command])


def _list_parser() -> Parser:
    listing = Parser(description="List the data sets on disk that plugins provide.")
    add_root(listing)
    listing.add("--json", action="store_true", help="as JSON")
    return listing


def _list(config: Namespace) -> int:
    root = None if config.data_root is None else existing_root(config)
    rows = [_row(one, root) for one in data_sets().values()]
    if config.json:
        print(json.dumps(rows, indent=1, ensure_ascii=False))
    else:
        _show_rows(rows, root)
    return 0


def _row(one: OnDisk, root: Path | None) -> dict[str, Any]:
    """A data set as plain data, with its folder if that exists."""
    from depthub.data.published.check import place

    card, folder = one.card, place(one, root).directory if root else None
    row: dict[str, Any] = {"name": one.name, "title": card.title, "classes": card.n_classes}
    row |= {part: card.counts.get(part, 0) for part in NUMBERS[1:]}
    row |= {"template": card.template, "licence": card.licence, "directory": card.directory}
    return {**row, "found": str(folder) if folder and folder.is_dir() else None}


def _show_rows(rows: Sequence[Mapping[str, Any]], root: Path | None) -> None:
    from rich.console import Console
    from rich.table import Column, Table

    columns = (*(Column(key, justify="right") for key in NUMBERS), Column("template, licence, place", overflow="fold"))
    table = Table("data set", *columns, box=None, padding=(0, 1, 0, 0))
    for row in rows:
        where = row["found"] or (f"not in {root}" if root else f"{row['directory']}/")
        table.add_row(row["name"], *(f"{row[key]:,}" for key in NUMBERS), f"{row['template']}\n{row['licence']}\n{where}")
    Console(highlight=False, markup=False).print(table)


def _prepare_parser() -> Parser:
    prepare = Parser(description="Arrange downloaded folders and archives as links in the usual folders, overwriting nothing; then check.")
    prepare.add("name", type=str, metavar="NAME", help="name of the data set")
    prepare.add("--from", type=Path, nargs="+", default=[], metavar="PATH", help="folders, and archives, which are unpacked")
    add_root(prepare)
    prepare.add("--copy", action="store_true", help="copy instead of linking")
    return prepare


def _prepare(config: Namespace) -> int:
    from depthub.data.published.check import check
    from depthub.data.published.prepare import prepare

    root = root_of(config)
    if not config["from"]:
        raise DepthubError("give --from PATH ..., the folders or archives that hold the data set")
    (one,) = by_name([config.name], data_sets())
    for entry in prepare(one, config["from"], root, copy=config.copy):
        print(plain(str(entry)))
    report = check(one, root)
    show([report], [], root)
    return int(not report.good)


def _fetch_parser() -> Parser:
    fetch = Parser(description="Download official split files into the user's cache, where runs find them.")
    fetch.add("names", nargs="*", default=[], metavar="NAME", help="data sets (default: all with a split file)")
    fetch.add("--mirror", type=str, default="", metavar="URL", help="another address of the folder of split files")
    return fetch


def _fetch(config: Namespace) -> int:
    from depthub.data.published.fetch_splits import fetch_split
    from depthub.data.published.splits import download_folder

    installed = data_sets()
    sets = by_name(config.names, installed) if config.names else [one for one in installed.values() if one.card.split_file]
    if without := [one.name for one in sets if not one.card.split_file]:
        raise DepthubError(f"{', '.join(without)}: no split file is needed; leave the name out")
    for one in sets:
        outcome = "fetched" if fetch_split(one.card, download_folder(), config.mirror) else "was there:"
        print(plain(f"{outcome} {download_folder() / one.card.split_file}"))
    return 0
