"""`depthub work`: carry out packs of runs; the command that executors start on other machines."""

from __future__ import annotations

from pathlib import Path

from jsonargparse import Namespace

from depthub.cli.options.parser import Parser

LONG = True  # it shows its progress
HELP = "carry out packs of runs (executors call it)"


def parser() -> Parser:
    """The command's options."""
    work = Parser("depthub work", "Carry out packs of runs, as executors do in processes of their own.")
    work.add("packs", type=Path, nargs="+", metavar="PACK", help="files of packs, in the folder `.packs` of the runs")
    return work


def main(config: Namespace) -> int:
    """Do the runs; the exit status is 0 also if runs failed: the store holds the reasons."""
    from depthub.running.do_pack import do_pack

    for pack in config.packs:
        do_pack(pack)
    return 0
