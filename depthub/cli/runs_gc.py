"""`depthub runs gc`: remove what interrupted work has left in a folder of runs."""

from __future__ import annotations

from pathlib import Path

from jsonargparse import Namespace

from depthub.cli.options.finished import RUNS
from depthub.cli.options.parser import Parser
from depthub.cli.plural import counted
from depthub.errors import DepthubError
from depthub.values.text import plain


def parser() -> Parser:
    """The command's options."""
    gc = Parser(description="Remove what interrupted work has left: half-written files, packs and claims of processes that have ended.")
    gc.add("runs", type=Path, nargs="?", default=RUNS, metavar="DIR", help="the folder of run files")
    gc.add("--unfinished", action="store_true", help="also runs without a result: their checkpoints, and records of failures")
    gc.add("--earlier", action="store_true", help="also results that later ones have replaced")
    gc.add("--dry_run", action="store_true", help="only list what would be removed")
    return gc


def main(config: Namespace) -> int:
    """Remove, and say what."""
    from depthub.running.garbage import collect, leftovers

    if not config.runs.is_dir():
        raise DepthubError(f"no folder {config.runs}; expected the folder of run files")
    items = list(leftovers(config.runs, unfinished=config.unfinished, earlier=config.earlier))
    size = sum(leftover.size for leftover in items)
    for leftover in items:
        print(plain(f"{leftover.path.relative_to(config.runs)}: {leftover.reason}"))
    if not config.dry_run:
        collect(config.runs, items)
    print(plain(f"{counted(len(items), 'leftover')}{' would be' if config.dry_run else ''} removed, {size / 2**20:.1f} MiB"))
    return 0
