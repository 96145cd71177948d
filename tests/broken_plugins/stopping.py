"""Packs that nobody waits for any more."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path
from queue import Queue
from threading import Thread

from depthub import Executor, do_pack


class Diligent(Executor):
    """One pack after the other in a thread, which nothing ends."""

    def map(self, packs: Sequence[Path]) -> Generator[tuple[int, Exception | None], None, None]:
        ended: Queue[tuple[int, Exception | None]] = Queue()
        # by their contents: the files do not outlive the caller's interest
        contents = [pack.read_text() for pack in packs]

        def work() -> None:
            for index, content in enumerate(contents):
                copy = packs[index].parent.parent.parent / f"copy-{index}.json"
                copy.write_text(content)
                error = None
                try:
                    do_pack(copy)
                except Exception as failure:
                    error = failure
                ended.put((index, error))

        Thread(target=work, name="diligent", daemon=True).start()
        for _ in packs:
            yield ended.get()
