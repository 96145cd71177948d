"""Entry points of plugins in the installed distributions. A damaged distribution does not affect the others."""

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
FOLDER = re.compile(r"(.*?)(?:-(\d[^-]*)(?:-py.*)?)?", re.DOTALL)  # name and version in the name of a metadata folder: "mine-1.0"


@dataclass(frozen=True)
class PluginEntry:
    """One entry point.

    Args:
        entry: the entry point; None if the distribution's list of entry points cannot be read.
        distribution: name of the distribution, as in `pip list`.
        version: version of the distribution.
        direct_url: source of the installation if not an index (PEP 610).
        fault: the reason if there is nothing to load.
    """

    entry: metadata.EntryPoint | None
    distribution: str
    version: str
    direct_url: Mapping[str, Any] | None = None
    fault: str = ""

    @property
    def name(self) -> str:
        """Name of the plugin: that of its entry point; without one, that of its distribution."""
        return plain(self.entry.name) if self.entry else self.distribution


def plugin_entries() -> list[PluginEntry]:
    """All entry points of plugins. Of several distributions with one name, the first on the search path counts, as for imports."""
    first: dict[str, metadata.Distribution] = {}
    for distribution in metadata.distributions():
        first.setdefault(normalized(_folder_label(distribution)[0]), distribution)
    return [entry for distribution in first.values() for entry in _entries_of(distribution)]


def normalized(name: str) -> str:
    """A distribution's name in its normalized form (PEP 503): "My_Plugin" and "my-plugin" are one name."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _entries_of(distribution: metadata.Distribution) -> Iterator[PluginEntry]:
    try:
        entries = [*distribution.entry_points.select(group=GROUP)]
    except Exception as error:
        if _names_group(distribution):
            yield PluginEntry(None, *_label(distribution), fault=f"its list of entry points cannot be read: {described(error)}")
        return
    for entry in entries:
        yield PluginEntry(entry, *_label(distribution), direct_url(distribution) or None)


def _folder_label(distribution: metadata.Distribution) -> tuple[str, str]:
    """Name and version from the name of the metadata folder, which exists even if the metadata are missing."""
    stem = Path(str(getattr(distribution, "_path", ""))).stem  # no public attribute names the folder
    name, version = FOLDER.fullmatch(stem).groups()  # type: ignore[union-attr]  # it matches everything
    return plain(name) or UNKNOWN, plain(version or "") or UNKNOWN


def _label(distribution: metadata.Distribution) -> tuple[str, str]:
    """Name and version from the metadata; what these lack, from the name of their folder."""
    name, version = _folder_label(distribution)
    with suppress(Exception):  # the error for missing metadata depends on the version of Python
        name = _text(distribution.metadata["Name"]) or name
        version = _text(distribution.metadata["Version"]) or version
    return name, version


def _text(value: Any) -> str:
    return plain(value) if isinstance(value, str) else ""


def _names_group(distribution: metadata.Distribution) -> bool:
    try:
        return GROUP.encode() in Path(f"{getattr(distribution, '_path', '')}/entry_points.txt").read_bytes()
    except OSError:
        return False
