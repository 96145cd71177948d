"""Texts that name a place of this machine, and all texts within a value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path, PurePath
from typing import Any

HUB = "hf-hub:"  # before the name of a model on the Hugging Face Hub
OWN_DATA = ("folder:", "list:")  # before the path of a user's own pictures
RUN = "run:"  # before the folder of a finished run
_SCHEMES = (*OWN_DATA, RUN, "local-dir:")  # before a path


def last_name(path: str) -> str:
    """A path without the folders above it, but with its scheme: `local-dir:clip` for `local-dir:/home/clip`."""
    if path.startswith(HUB):  # a name, not a place
        return path
    scheme = next((scheme for scheme in _SCHEMES if path.startswith(scheme)), "")
    return scheme + PurePath(path.removeprefix(scheme)).name


def absolute_run(name: str, root: Path | None = None) -> str:
    """A finished run's name with the absolute path of its folder; other texts unchanged.

    Args:
        name: any text.
        root: the folder of runs, for names without a path; None: the working folder.
    """
    return f"{RUN}{((root or Path()) / name.removeprefix(RUN)).absolute()}" if name.startswith(RUN) else name


def changed(value: Any, change: Callable[[str], str]) -> Any:
    """A value with every text in it changed, at any depth of lists and mappings; keys stay."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {key: changed(inner, change) for key, inner in value.items()}
    return type(value)(changed(inner, change) for inner in value) if isinstance(value, list | tuple) else value
