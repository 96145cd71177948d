"""Imports of named distributions alone, while somebody else's submission is done again.

This keeps code out that nobody named; it is no cage for code that was let in, which may do all that this process may. Read a plugin before
you allow it, or work in a container.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata
from importlib.abc import MetaPathFinder
from types import ModuleType
from typing import Any

from depthub.registry.distributions import normalized, plugin_entries
from depthub.registry.hookspecs import GROUP
from depthub.registry.plugins import installed

LOADED = "DEPTHUB_LOAD_PLUGINS"  # names of plugins
STANDARD = "_sysconfigdata"  # begins the name of a module of the standard library that is missing in the list of them


class _Filter(MetaPathFinder):
    """A finder that finds modules of the allowed packages only; all others are as if they were not installed."""

    def __init__(self, finder: Any, packages: frozenset[str]) -> None:
        self.finder, self.packages = finder, packages

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> Any:
        """As the finder's; None for a module that is not allowed."""
        top = name.partition(".")[0]
        allowed = top in self.packages or top.startswith(STANDARD)
        return self.finder.find_spec(name, path, target) if allowed else None

    def __getattr__(self, name: str) -> Any:  # distributions are found by the same finders
        return getattr(self.finder, name)


@contextmanager
def only(distributions: Iterable[str]) -> Iterator[None]:
    """Allow imports of the standard library, of these distributions with their extras, and of all that they require."""
    packages = frozenset(_packages(required(distributions)) | sys.stdlib_module_names)
    finders = [*sys.meta_path]
    sys.meta_path[:] = [_Filter(finder, packages) for finder in finders]
    try:
        yield
    finally:
        sys.meta_path[:] = finders


@contextmanager
def plugins_of(distributions: Iterable[str]) -> Iterator[None]:
    """Load no plugins but depthub's own and those of these distributions within the block; around it, the process has all of them."""
    names = {*map(normalized, distributions)}
    before = os.environ.get(LOADED)
    os.environ[LOADED] = ",".join(entry.name for entry in plugin_entries() if normalized(entry.distribution) in names)
    installed.cache_clear()
    try:
        yield
    finally:
        installed.cache_clear()
        if before is None:
            del os.environ[LOADED]
        else:
            os.environ[LOADED] = before


def required(distributions: Iterable[str]) -> set[str]:
    """The distributions, their extras, and all that these require, as far as it is installed; normalised names."""
    roots = {*map(normalized, distributions)}
    names: set[str] = set()
    left = [*roots]
    while left:
        name = left.pop()
        if name in names:
            continue
        try:
            requirements = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        names.add(name)
        left += [_name_of(requirement) for requirement in requirements if name in roots or "extra ==" not in requirement]
    return names


def _name_of(requirement: str) -> str:
    """The distribution that a requirement names: "torch" for `torch>=2; python_version > "3.9"`."""
    return normalized(re.split(r"[^\w.-]", requirement, maxsplit=1)[0])


def _packages(distributions: set[str]) -> set[str]:
    """The top-level modules of distributions; of editable ones those of their plugins."""
    packages = {top for top, owners in metadata.packages_distributions().items() if {*map(normalized, owners)} & distributions}
    for name in distributions:
        entries = metadata.distribution(name).entry_points.select(group=GROUP)
        packages |= {entry.module.partition(".")[0] for entry in entries}
    return packages | {"depthub"}
