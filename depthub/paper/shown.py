"""What an exhibit shows: grids of text, its numbers as plain data, and a picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from depthub.paper.grids import Grid


@dataclass(frozen=True)
class Shown:
    """What an exhibit shows.

    Args:
        grids: in order.
        values: the same numbers for JSON.
        notes: sentences above the grids: what the numbers are, and what they cannot show.
        picture: writes the picture's files, given their path without the ending; None: there is none.
        caption: of the picture.
    """

    grids: Sequence[Grid]
    values: Mapping[str, Any]
    notes: Sequence[str] = ()
    picture: Callable[[Path], list[Path]] | None = None
    caption: str = ""
