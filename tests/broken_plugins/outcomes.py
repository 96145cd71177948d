"""Packs that are forgotten."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path

from depthub import Executor, do_pack


class Forgetful(Executor):
    """One pack after the other, but for the last, which it only says to have done."""

    def map(self, packs: Sequence[Path]) -> Generator[tuple[int, Exception | None], None, None]:
        for index, pack in enumerate(packs):
            error = None
            try:
                if index < len(packs) - 1:
                    do_pack(pack)
            except Exception as failure:
                error = failure
            yield index, error
