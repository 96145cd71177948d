"""`depthub data check`: faults of data sets, a line per data set and the faults below."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import Namespace

from depthub.cli.data_sets import add_root, by_name, data_sets, existing_root
from depthub.cli.options.parser import Parser
from depthub.data.check_report import LEVELS, Report
from depthub.errors import DepthubError

if TYPE_CHECKING:
    from depthub.data.decode import Progress
    from depthub.data.own.own_pictures import OwnPictures
    from depthub.data.published.on_disk import OnDisk

SHORT = 12  # characters that fit into a cell of the table


def check_parser() -> Parser:
    """The command's options."""
    check = Parser(description="Compare data sets with those that the published numbers were measured on.")
    names = "data sets, or folder:PATH or list:FILE (default: all in --data_root)"
    check.add("names", nargs="*", default=[], metavar="NAME", help=names)
    add_root(check)
    check.add("--deep", action="store_true", help="decode every image; folders and lists are always decoded")
    check.add("--shots", type=int, nargs="+", default=[16], metavar="K", help="sizes of the samples to compare with published ones")
    check.add("--seeds", type=int, nargs="+", default=[1, 2, 3], metavar="SEED", help="seeds of those samples")
    check.add("--zero_shot", action="store_true", help="compare CLIP's zero-shot accuracy with the published one")
    check.add("--backbone.model", type=str, default="", metavar="MODEL", help="another model for --zero_shot, for tests")
    check.add("--backbone.pretrained", type=str, default="", metavar="WEIGHTS", help="its weights: a tag or a checkpoint's path")
    check.add("--json", action="store_true", help="as JSON, with every file")
    return check


def check_data(config: Namespace) -> int:
    """Check the data sets and show their faults; the exit status is 1 if there are any."""
    pictures = _own_pictures(config.names)
    names = [name for name in config.names if name not in pictures]
    reports, absent = _check_own(list(pictures.values())), list[str]()
    if names or not pictures:
        published, absent = _check_published(config, names)
        reports += published
    if config.json:
        print(json.dumps({"data_sets": [report.as_dict() for report in reports], "absent": absent}, indent=1, ensure_ascii=False))
    else:
        show(reports, absent, config.data_root)
    return int(not all(report.good for report in reports))


def _own_pictures(names: Sequence[str]) -> dict[str, OwnPictures]:
    """The folders and lists of pictures among the names."""
    from depthub.data.own.by_name import own_data_set

    pictures = {name: own_data_set(name) for name in names}
    return {name: one for name, one in pictures.items() if one is not None}


def _check_own(pictures: Sequence[OwnPictures]) -> list[Report]:
    from depthub.data.own.check import check_own

    reports = []
    for one in pictures:
        with _bar(one.name) as progress:
            reports.append(check_own(one, progress))
    return reports


def _check_published(config: Namespace, names: Sequence[str]) -> tuple[list[Report], list[str]]:
    """Reports of the data sets of these names, or of all in the folder; and the names of absent ones."""
    from depthub.data.published.check import check, is_there

    root = existing_root(config)
    installed = data_sets()
    present = [one for one in installed.values() if is_there(one, root)]
    if not names and not present:
        raise DepthubError(f"no data set in {root} (--data_root); `depthub data list` names the expected folders")
    reports = []
    for one in by_name(names, installed) if names else present:
        with _bar(one.name) as progress:
            report = check(one, root, deep=config.deep, shots=config.shots, seeds=config.seeds, progress=progress)
        reports.append(_with_zero_shot(report, one, config) if config.zero_shot else report)
    return reports, [] if names else [one.name for one in installed.values() if one not in present]


def _with_zero_shot(report: Report, one: OnDisk, config: Namespace) -> Report:
    from depthub.running import zero_shot_check
    from depthub.spec import BackboneSpec, Component

    if not one.card.zero_shot:
        return report.with_level(zero_shot_check.LEVEL, skipped="no accuracy is published")
    if not report.good:
        return report.with_level(zero_shot_check.LEVEL, skipped="there are faults")
    model, pretrained, published = config.backbone.model, config.backbone.pretrained, zero_shot_check.PUBLISHED
    backbone = BackboneSpec(model, pretrained) if model else replace(published, pretrained=pretrained or published.pretrained)
    faults, note = zero_shot_check.check_zero_shot(one.card, config.data_root, Component("ZeroShot"), backbone)
    return report.with_level(zero_shot_check.LEVEL, faults, note)


def show(reports: Sequence[Report], absent: Sequence[str], root: Path | None) -> None:
    """A line per data set, then faults, levels that were not checked, and absent data sets."""
    from rich.console import Console
    from rich.table import Column, Table

    console = Console(highlight=False, markup=False)
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
    """The levels that were not checked and why, with the data sets' names unless it holds for all."""
    names_by_reason: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for report in reports:
        for reason in dict.fromkeys(report.skipped.values()):
            levels = tuple(LEVELS[level] for level, why in sorted(report.skipped.items()) if why == reason)
            names_by_reason.setdefault((reason, levels), []).append(report.name)
    for (reason, levels), names in names_by_reason.items():
        of = "" if len(names) == len(reports) else f" of {', '.join(names)}"
        yield f"not checked: {', '.join(levels)}{of}: {reason}"


@contextmanager
def _bar(name: str) -> Iterator[Progress]:
    """A bar on stderr while images are decoded, if that is a terminal."""
    from rich.console import Console
    from rich.progress import Progress as Bar

    console = Console(file=sys.stderr)
    with Bar(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(f"{name}: images", visible=False)
        yield lambda done, total: bar.update(task, completed=done, total=total, visible=True)
