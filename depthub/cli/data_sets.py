"""The data sets on disk that plugins provide, found without loading torch."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import Namespace

from depthub.data.published.on_disk import OnDisk
from depthub.errors import DepthubError, UnknownNameError
from depthub.registry.aliases import names_of_alias
from depthub.registry.hookspecs import GROUP

if TYPE_CHECKING:
    from depthub.cli.options.parser import Parser

HOOK = "depthub_datasets"


def data_sets() -> dict[str, OnDisk]:
    """The data sets on disk, by name. Plugins without the hook for data sets are not imported, since methods load torch."""
    from depthub.registry.plugins import Plugins

    others = [entry.name for entry in entry_points(group=GROUP) if not _names_hook(entry)]
    disabled = ",".join([os.environ.get("DEPTHUB_DISABLE_PLUGINS", ""), *others])
    plugins = Plugins({**os.environ, "DEPTHUB_DISABLE_PLUGINS": disabled})
    provided = plugins.all("datasets")
    return {name: one for name, one in provided.items() if isinstance(one, OnDisk)}


def by_name(names: Sequence[str], installed: Mapping[str, OnDisk]) -> list[OnDisk]:
    """Data sets by name, each once.

    Raises:
        UnknownNameError: for a name that no data set has.
        DepthubError: for another name of a data set.
    """
    for name in names:
        if name not in installed:
            if names_here := names_of_alias(name, installed):
                raise DepthubError(f"data set {name!r} is called {names_here[0]!r} here")
            raise UnknownNameError("data set", name, installed)
    return [installed[name] for name in dict.fromkeys(names)]


def add_root(parser: Parser) -> None:
    """The option that names the folder of data sets."""
    parser.add("--data_root", type=Path | None, default=None, metavar="DIR", help="the folder that holds data sets on this machine")


def root_of(config: Namespace) -> Path:
    """The folder of data sets.

    Raises:
        DepthubError: if the command line does not name it.
    """
    if config.data_root is None:
        raise DepthubError("give --data_root DIR, the folder that holds data sets on this machine")
    return Path(config.data_root)


def existing_root(config: Namespace) -> Path:
    """The same, of a folder that exists.

    Raises:
        DepthubError: also if there is no such folder.
    """
    root = root_of(config)
    if not root.is_dir():
        raise DepthubError(f"no folder {root} (--data_root); expected the folder that holds data sets")
    return root


def _names_hook(entry: EntryPoint) -> bool:
    """Whether the word stands in the source of a plugin's module; True where there is no source to read: loading it reports the fault."""
    try:
        spec = find_spec(entry.module)
        return spec is None or spec.origin is None or HOOK in Path(spec.origin).read_text(encoding="utf-8", errors="replace")
    except (ImportError, OSError, ValueError):
        return True
