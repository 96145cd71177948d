"""Installed distributions with plugins, read so that a damaged one costs nobody else anything."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from depthub.registry.foreign import described
from depthub.registry.hookspecs import GROUP
from depthub.system.provenance import direct_url
from depthub.values.text import plain

UNKNOWN = "unknown"
FOLDER = re.compile(r"(.*?)(?:-(\d[^-]*)(?:-py.*)?)?", re.DOTALL)  # name and version of a folder of metadata


@dataclass(frozen=True)
class Found:
    """One entry point.

    Args:
        entry: what to load; None where a distribution's list of entry points cannot be read.
        distribution: what pip calls the package it came with.
        version: of that package.
        direct_url: where pip took the package from if not from an index (PEP 610).
        fault: why there is nothing to load.
    """

    entry: metadata.EntryPoint | None
    distribution: str
    version: str
    direct_url: Mapping[str, Any] | None = None
    fault: str = ""

    @property
    def name(self) -> str:
        """Of the plugin: its entry point's, or, where there is none, its distribution's."""
        return plain(self.entry.name) if self.entry else self.distribution


def found() -> list[Found]:
    """All entry points of plugins. Of several distributions of one name the first on the search path counts, as for imports."""
    first: dict[str, metadata.Distribution] = {}
    for distribution in metadata.distributions():
        first.setdefault(normal(_label(distribution)[0]), distribution)
    return [one for distribution in first.values() for one in _of(distribution)]


def normal(name: str) -> str:
    """A distribution's name in the spelling by which names are compared (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _of(distribution: metadata.Distribution) -> Iterator[Found]:
    try:
        entries = [*distribution.entry_points.select(group=GROUP)]
    except Exception as error:
        if _names_group(distribution):
            yield Found(None, *_said(distribution), fault=f"its list of entry points cannot be read: {described(error)}")
        return
    for entry in entries:
        yield Found(entry, *_said(distribution), direct_url(distribution) or None)


def _label(distribution: metadata.Distribution) -> tuple[str, str]:
    """Name and version by the folder of the metadata, which is there where the metadata is not."""
    stem = Path(str(getattr(distribution, "_path", ""))).stem  # the only place that names it
    name, version = FOLDER.fullmatch(stem).groups()  # type: ignore[union-attr]  # it matches everything
    return plain(name) or UNKNOWN, plain(version or "") or UNKNOWN


def _said(distribution: metadata.Distribution) -> tuple[str, str]:
    """Name and version by the metadata, else by the folder."""
    label = _label(distribution)
    told: tuple[Any, ...] = (None, None)
    with suppress(Exception):  # versions of Python differ in what they raise for metadata that is not there
        told = (distribution.metadata["Name"], distribution.metadata["Version"])
    name, version = (plain(said) if isinstance(said, str) and said else other for said, other in zip(told, label, strict=True))
    return name, version


def _names_group(distribution: metadata.Distribution) -> bool:
    try:
        return GROUP.encode() in Path(f"{getattr(distribution, '_path', '')}/entry_points.txt").read_bytes()
    except OSError:
        return False
