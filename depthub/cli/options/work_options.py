"""The options of how runs are done, which all commands that do runs have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from jsonargparse.typing import NonNegativeInt, PositiveInt

from depthub.cli.options.parser import Parser
from depthub.executor import Executor
from depthub.registry.plugins import Plugins
from depthub.running.options import TRACKERS

WHERE = "where and how (results do not depend on these)"
Row = tuple[str, Any, Any, str, str]  # of an option: name, type, default, metavar, help


def add_work(parser: Parser, plugins: Plugins, words: str) -> None:
    """The options of how runs are done, on which no result depends.

    Args:
        parser: of a command that does runs.
        plugins: that provide executors.
        words: help of `--executor`.
    """
    stack = "at most N runs trained together; auto: as many as memory allows"
    parser.add_choice("executor", Executor | None, plugins.all("executors"), "", words, WHERE)
    work: list[Row] = [
        ("workers", NonNegativeInt, 0, "N", "data-loading processes"),
        ("stack", PositiveInt | Literal["auto", "off"], "auto", "N|auto|off", stack),
        ("cache", bool, True, "true|false", "image features on disk; see `depthub cache info`"),
        ("image_cache", str, "", "DIR|auto", "folder of decoded images, for methods that tune the image side"),
        ("tracker", str, "", "NAME", f"show every epoch in {', '.join(TRACKERS[:-1])} or {TRACKERS[-1]}, where it is installed"),
    ]
    add_rows(parser, WHERE, work)
    for name, words in (
        ("download", "download weights that are not on this machine; nothing else asks the network"),
        ("deterministic", "the same bits every time also on a GPU, where that is slower"),
        ("graphs", "on a GPU: replay training steps as CUDA graphs, one launch per step"),
        ("recompute", "for methods that tune the image side: less memory, more time"),
    ):
        parser.add(f"--{name}", WHERE, action="store_true", help=words)


def add_plan(parser: Parser) -> None:
    """The options of plans of many runs."""
    forecast = "forecast"
    parser.add("--pack_minutes", forecast, type=float, default=10.0, metavar="MIN", help="the most that a pack of runs should take")
    rate = "operations per second of one process, in 10^12, where no run was seen (default: measured now)"
    parser.add("--tflops", forecast, type=float, default=0.0, metavar="RATE", help=rate)
    parser.add("--watts", forecast, type=float, default=0.0, metavar="W", help="power of the machine, for the energy (default: not known)")


def add_rows(parser: Parser, group: str, rows: Sequence[Row]) -> None:
    """Add options in a group."""
    for name, kind, default, metavar, words in rows:
        parser.add(f"--{name}", group, type=kind, default=default, metavar=metavar, help=words)
