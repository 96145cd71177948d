"""Names that say where a user's own pictures are: `folder:PATH`, `list:FILE`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from depthub.data.own.folder import Folder
from depthub.data.own.list_file import ListedPictures
from depthub.data.own.own_pictures import OwnPictures
from depthub.errors import DepthubError

SCHEMES: Mapping[str, Callable[..., OwnPictures]] = {"folder:": Folder, "list:": ListedPictures}


def own_data_set(name: str, test_fraction: float = 0.5, background: str = "", **options: Any) -> OwnPictures | None:
    """The data set at a path; None for names without a path.

    Args:
        name: `folder:PATH` or `list:FILE`.
        test_fraction, background: as for `Folder` and `ListedPictures`.
        options: further arguments of these.

    Raises:
        DepthubError: if the path is missing, or there is no such colour.
    """
    scheme = _scheme(name)
    if scheme is None:
        return None
    if name == scheme:
        raise DepthubError(f"data set {name!r} has no path; expected {scheme}PATH")
    return SCHEMES[scheme](Path(name.removeprefix(scheme)), test_fraction, background, **options)


def absolute_name(name: str) -> str:
    """A name with an absolute path, so that it ends in the folder's name also for `.` and `..`; other names unchanged."""
    scheme = _scheme(name)
    if scheme is None or name == scheme:
        return name
    return scheme + os.path.abspath(name.removeprefix(scheme))  # noqa: PTH100 - links stay as they are


def is_own(name: str) -> bool:
    """Whether a data set's name is the place of a user's own pictures."""
    return _scheme(name) is not None


def _scheme(name: str) -> str | None:
    return next((scheme for scheme in SCHEMES if name.startswith(scheme)), None)
