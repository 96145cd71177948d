"""Data sets whose names say where the user's own pictures are: `folder:PATH`, `list:FILE`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from depthub.data.own.folder import Folder
from depthub.data.own.list_file import ListedPictures
from depthub.data.own.own_pictures import OwnPictures
from depthub.errors import DepthubError

OWN: Mapping[str, Callable[..., OwnPictures]] = {"folder:": Folder, "list:": ListedPictures}


def own(name: str, test_fraction: float = 0.5, background: str = "", **how: Any) -> OwnPictures | None:
    """The data set that a name with a path means; None for a name of another kind.

    Args:
        name: `folder:PATH` or `list:FILE`.
        test_fraction, background: as `Folder` and `ListedPictures` take them.
        how: else, as they take it.

    Raises:
        DepthubError: if the path is missing, or there is no such colour.
    """
    scheme = _scheme(name)
    if scheme is None:
        return None
    if name == scheme:
        raise DepthubError(f"data set {name!r} has no path; expected {scheme}PATH")
    return OWN[scheme](Path(name.removeprefix(scheme)), test_fraction, background, **how)


def placed(name: str) -> str:
    """A name with its path absolute, so that its last name is the folder's also for `.` and `..`; names of other kinds as they are."""
    scheme = _scheme(name)
    if scheme is None or name == scheme:
        return name
    return scheme + os.path.abspath(name.removeprefix(scheme))  # noqa: PTH100 - links stay as they are


def is_own(name: str) -> bool:
    """Whether a data set's name says where a user's own pictures lie."""
    return _scheme(name) is not None


def _scheme(name: str) -> str | None:
    return next((scheme for scheme in OWN if name.startswith(scheme)), None)
