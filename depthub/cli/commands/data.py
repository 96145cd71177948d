"""`depthub data`: the data sets that live on disk: what there is, whether it is right, and how to get it there."""

from __future__ import annotations

import ast
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonargparse import Namespace

from depthub.cli.options.parser import Parser
from depthub.data.check_report import LEVELS, Report
from depthub.errors import DepthubError, UnknownNameError
from depthub.registry.hookspecs import GROUP

if TYPE_CHECKING:
    from rich.console import Console

    from depthub.data.decode import Progress
    from depthub.data.own.own_pictures import OwnPictures
    from depthub.data.published.on_disk import OnDisk

HELP = "check, list, prepare and fetch what data sets on disk consist of"
HOOK = "depthub_datasets"
SHORT = 12  # characters that fit into a cell of the table


def parser() -> Parser:
    """The sub-commands, and what they take."""
    made = Parser("depthub data", HELP.capitalize() + ".")
    commands = made.add_subcommands(required=True, dest="command")
    for name, one in (
        ("check", _check_parser()),
        ("list", _list_parser()),
        ("prepare", _prepare_parser()),
        ("fetch-splits", _fetch_parser()),
    ):
        commands.add_subcommand(name, one, help=one.description).prog = f"depthub data {name}"
    return made


def main(config: Namespace) -> int:
    """Do what the sub-command says; the exit status is 1 if a check found faults."""
    do = {"check": _check, "list": _list, "prepare": _prepare, "fetch-splits": _fetch}[config.command]
    return do(config[config.command])


def data_sets() -> dict[str, OnDisk]:
    """The data sets that live on disk, by name.

    Only plugins with a hook for data sets are imported, which needs no torch: the others are looked at, not run.
    """
    from depthub.data.published.on_disk import OnDisk
    from depthub.registry.plugins import Plugins

    others = [entry.name for entry in entry_points(group=GROUP) if not _gives_data_sets(entry)]
    disabled = ",".join([os.environ.get("DEPTHUB_DISABLE_PLUGINS", ""), *others])
    plugins = Plugins({**os.environ, "DEPTHUB_DISABLE_PLUGINS": disabled})
    found = {name: plugins.get("datasets", name) for name in plugins.names("datasets")}
    return {name: one for name, one in found.items() if isinstance(one, OnDisk)}


def _gives_data_sets(entry: EntryPoint) -> bool:
    """Whether a plugin's module defines the hook, or imports it, as its source says; True also where that cannot be told."""
    try:
        spec = find_spec(entry.module)
        if spec is None or spec.origin is None:
            return True
        body = ast.parse(Path(spec.origin).read_bytes()).body
    except (ImportError, OSError, SyntaxError, ValueError):  # loading it says what is wrong with it
        return True
    named = {node.name for node in body if isinstance(node, ast.FunctionDef)}
    named |= {alias.asname or alias.name for node in body if isinstance(node, ast.ImportFrom) for alias in node.names}
    return HOOK in named


def _chosen(names: Sequence[str], known: dict[str, OnDisk]) -> list[OnDisk]:
    """Data sets by name, each once.

    Raises:
        UnknownNameError: for a name that is none, also if it is another name of one.
    """
    for name in names:
        if name not in known:
            others = [one.name for one in known.values() if name.lower() in {alias.lower() for alias in one.aliases}]
            raise DepthubError(f"data set {name!r} is called {others[0]!r} here") if others else UnknownNameError("data set", name, known)
    return [known[name] for name in dict.fromkeys(names)]


def _check_parser() -> Parser:
    every = "of data sets, or folder:PATH or list:FILE; by default all that are there"
    made = Parser("depthub data check", "Find out whether data sets are what the published numbers were measured on.")
    made.add_argument("names", nargs="*", default=[], metavar="NAME", help=every)
    made.add_argument("--data_root", type=Path | None, default=None, help="the folder that holds data sets on this machine")
    made.add_argument("--deep", action="store_true", help="decode every image, as is always done with those of a folder or a list")
    made.add_argument(
        "--shots", type=int, nargs="+", default=[16], metavar="K", help="of the samples that are compared with published ones"
    )
    made.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], metavar="SEED", help="of these samples")
    made.add_argument("--zero_shot", action="store_true", help="compare CLIP's zero-shot accuracy with the published one")
    made.add_argument("--backbone.model", type=str, default="", help="for --zero_shot: another model, for trials")
    made.add_argument("--backbone.pretrained", type=str, default="", help="its weights: a tag or a checkpoint's path")
    made.add_argument("--json", action="store_true", help="as JSON, with every file")
    return made


def _check(config: Namespace) -> int:
    own = _own(config.names)
    names = [name for name in config.names if name not in own]
    reports, absent = _check_own(list(own.values())), list[str]()
    if names or not own:
        published, absent = _check_published(config, names)
        reports += published
    if config.json:
        print(json.dumps({"data_sets": [report.as_dict() for report in reports], "absent": absent}, indent=1, ensure_ascii=False))
    else:
        _show(reports, absent, config.data_root)
    return int(not all(report.good for report in reports))


def _own(names: Sequence[str]) -> dict[str, OwnPictures]:
    """The folders and lists of pictures among the names."""
    from depthub.data.own.by_name import own

    return {name: found for name in names if (found := own(name)) is not None}


def _check_own(chosen: Sequence[OwnPictures]) -> list[Report]:
    from depthub.data.own.check import check_own

    reports = []
    for one in chosen:
        with _bar(one.name) as progress:
            reports.append(check_own(one, progress))
    return reports


def _check_published(config: Namespace, names: Sequence[str]) -> tuple[list[Report], list[str]]:
    """Reports of the data sets of these names, or of all that are there; and names of those that are not."""
    from depthub.data.published.check import check, is_there

    root = _existing(config)
    known = data_sets()
    there = [one for one in known.values() if is_there(one, root)]
    if not names and not there:
        raise DepthubError(f"no data set in {root} (--data_root); `depthub data list` names the folders that are looked for")
    chosen = _chosen(names, known) if names else there
    reports = []
    for one in chosen:
        with _bar(one.name) as progress:
            report = check(one, root, deep=config.deep, shots=config.shots, seeds=config.seeds, progress=progress)
        reports.append(_calibrated(report, one, config) if config.zero_shot else report)
    return reports, [] if names else [one.name for one in known.values() if one not in there]


def _calibrated(report: Report, one: OnDisk, config: Namespace) -> Report:
    from depthub.running import zero_shot_check
    from depthub.spec import BackboneSpec

    if not one.card.zero_shot:
        return report.with_level(zero_shot_check.LEVEL, skipped="no accuracy is published")
    if not report.good:
        return report.with_level(zero_shot_check.LEVEL, skipped="there are faults")
    model, pretrained, published = config.backbone.model, config.backbone.pretrained, zero_shot_check.PUBLISHED
    backbone = BackboneSpec(model, pretrained) if model else replace(published, pretrained=pretrained or published.pretrained)
    faults, note = zero_shot_check.check_zero_shot(one.card, config.data_root, backbone)
    return report.with_level(zero_shot_check.LEVEL, faults, note)


def _show(reports: Sequence[Report], absent: Sequence[str], root: Path | None) -> None:
    """A line a data set, then what is wrong, what was not checked, and which data sets are not there."""
    from rich.table import Column, Table

    console = _console()
    if reports:
        levels = [level for level in range(len(LEVELS)) if not all(level in report.skipped for report in reports)]
        table = Table(Column("data set", no_wrap=True), *(LEVELS[level] for level in levels), box=None, padding=(0, 1, 0, 0))
        for report in reports:
            table.add_row(report.name, *(_cell(report, level) for level in levels))
        console.print(table)
    for report in reports:
        for level, note in report.notes.items():
            if len(note) > SHORT:
                console.print(f"{report.name}: {LEVELS[level]}: {note}", soft_wrap=True)
        for fault in report.faults:
            console.print(f"{report.name}: {fault}", soft_wrap=True)
    for line in _unchecked(reports):
        console.print(line, soft_wrap=True)
    if absent:
        console.print(f"not in {root}: {', '.join(absent)}", soft_wrap=True)


def _cell(report: Report, level: int) -> str:
    note = report.notes.get(level, "")
    return "-" if level in report.skipped else report.severity(level) or (note if len(note) <= SHORT else "ok") or "ok"


def _unchecked(reports: Sequence[Report]) -> Iterator[str]:
    """Which levels were not checked and why, with the data sets' names unless it is true of all."""
    found: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for report in reports:
        for reason in dict.fromkeys(report.skipped.values()):
            levels = tuple(LEVELS[level] for level, why in sorted(report.skipped.items()) if why == reason)
            found.setdefault((reason, levels), []).append(report.name)
    for (reason, levels), names in found.items():
        of = "" if len(names) == len(reports) else f" of {', '.join(names)}"
        yield f"not checked: {', '.join(levels)}{of}: {reason}"


def _list_parser() -> Parser:
    made = Parser("depthub data list", "List the data sets that live on disk.")
    made.add_argument("--data_root", type=Path | None, default=None, help="the folder to look for them in")
    made.add_argument("--json", action="store_true", help="as JSON")
    return made


def _list(config: Namespace) -> int:
    from rich.table import Column, Table

    from depthub.data.published.check import place

    if config.data_root is not None:
        _existing(config)
    root, numbers = config.data_root, ("classes", "train", "val", "test")
    rows: list[dict[str, Any]] = []
    for one in data_sets().values():
        card, found = one.card, root and place(one, root).directory
        row: dict[str, Any] = {"name": one.name, "title": card.title, "classes": card.n_classes}
        row |= {part: card.counts.get(part, 0) for part in numbers[1:]}
        row |= {"template": card.template, "licence": card.licence, "directory": card.directory}
        rows.append({**row, "found": str(found) if found and found.is_dir() else None})
    if config.json:
        print(json.dumps(rows, indent=1, ensure_ascii=False))
        return 0
    columns = (*(Column(key, justify="right") for key in numbers), Column("template, licence, place", overflow="fold"))
    table = Table("data set", *columns, box=None, padding=(0, 1, 0, 0))
    for row in rows:
        where = row["found"] or (f"not in {root}" if root else f"{row['directory']}/")
        table.add_row(row["name"], *(f"{row[key]:,}" for key in numbers), f"{row['template']}\n{row['licence']}\n{where}")
    _console().print(table)
    return 0


def _prepare_parser() -> Parser:
    made = Parser("depthub data prepare", "Arrange what other tools or archives gave into the usual folders, with links; then check it.")
    made.add_argument("name", type=str, metavar="NAME", help="of the data set")
    made.add_argument("--from", type=Path, nargs="+", default=[], metavar="PATH", help="folders, and archives, which are unpacked")
    made.add_argument("--data_root", type=Path | None, default=None, help="the folder that holds data sets; nothing in it is overwritten")
    made.add_argument("--copy", action="store_true", help="copy instead of linking")
    return made


def _prepare(config: Namespace) -> int:
    from depthub.data.published.check import check
    from depthub.data.published.prepare import prepare

    root = _root(config)
    if not config["from"]:
        raise DepthubError("give --from PATH ..., the folders or archives that hold the data set")
    (one,) = _chosen([config.name], data_sets())
    console = _console()
    for placed in prepare(one, config["from"], root, copy=config.copy):
        console.print(str(placed), soft_wrap=True)
    report = check(one, root)
    _show([report], [], root)
    return int(not report.good)


def _fetch_parser() -> Parser:
    made = Parser("depthub data fetch-splits", "Download official split files into the user's cache, where runs find them.")
    made.add_argument("names", nargs="*", default=[], metavar="NAME", help="of data sets; by default all that have a split file")
    made.add_argument("--mirror", type=str, default="", metavar="URL", help="another address of a folder that holds the split files")
    return made


def _fetch(config: Namespace) -> int:
    from depthub.data.published.fetch_splits import fetch_split
    from depthub.data.published.splits import fetched

    known = data_sets()
    chosen = _chosen(config.names, known) if config.names else [one for one in known.values() if one.card.split_file]
    if without := [one.name for one in chosen if not one.card.split_file]:
        raise DepthubError(f"{', '.join(without)}: no split file is needed; leave the name out")
    console = _console()
    for one in chosen:
        done = "fetched" if fetch_split(one.card, fetched(), config.mirror) else "was there:"
        console.print(f"{done} {fetched() / one.card.split_file}", soft_wrap=True)
    return 0


def _root(config: Namespace) -> Path:
    if config.data_root is None:
        raise DepthubError("give --data_root DIR, the folder that holds data sets on this machine")
    return Path(config.data_root)


def _existing(config: Namespace) -> Path:
    root = _root(config)
    if not root.is_dir():
        raise DepthubError(f"no folder {root} (--data_root); expected the folder that holds data sets")
    return root


@contextmanager
def _bar(name: str) -> Iterator[Progress]:
    """A bar on stderr while images are decoded, if that is a terminal."""
    from rich.console import Console
    from rich.progress import Progress as Bar

    console = Console(file=sys.stderr)
    with Bar(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(f"{name}: images", visible=False)
        yield lambda done, total: bar.update(task, completed=done, total=total, visible=True)


def _console() -> Console:
    from rich.console import Console

    return Console(highlight=False, markup=False)
