"""`depthub rescore RUN`: counts of a finished run on other data, or among the classes of all its test tasks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import Namespace
from jsonargparse.typing import NonNegativeInt

from depthub.cli.options.finished import add_classifier, classifier
from depthub.cli.options.parser import Parser
from depthub.cli.output import number_table, show_table
from depthub.cli.table import shown
from depthub.errors import DepthubError
from depthub.inference.rescored import ScoredBy

if TYPE_CHECKING:
    from depthub.inference.rescored import Rescored

HELP = "test a finished run on other data, or among all its classes"
LONG = True  # it shows its progress


def parser() -> Parser:
    """The command's options."""
    rescore = Parser("depthub rescore", f"{HELP.capitalize()}.")
    add_classifier(rescore)
    for name, kind, metavar, words in (
        ("data", str, "NAME", "a data set, folder:PATH or list:FILE; with --joint another place of the run's own data"),
        ("data_root", Path | None, "DIR", "the folder that holds data sets on this machine"),
        ("out", Path | None, "FILE", "write the JSON to a file"),
    ):
        rescore.add(f"--{name}", type=kind, default="" if kind is str else None, metavar=metavar, help=words)
    rescore.add("--joint", action="store_true", help="the run's own test images, among the classes of all its test tasks together")
    words = "of trained classes: as the head decides, every class as a new one, or trained classes as in the run beside new ones"
    rescore.add("--reading", type=ScoredBy, default="head", metavar="head|itm|rows", help=words)
    rescore.add("--workers", type=NonNegativeInt, default=0, metavar="N", help="data-loading processes; results do not depend on it")
    rescore.add("--cache", type=bool, default=True, metavar="true|false", help="image features on disk; see `depthub cache info`")
    rescore.add("--json", action="store_true", help="as JSON")
    return rescore


def main(config: Namespace) -> int:
    """Test, and show or write the counts."""
    if not config.joint and not config.data:
        raise DepthubError("give --data NAME, a data set to test on, or --joint")
    from depthub.inference.rescoring import Reading, rescore, rescore_jointly
    from depthub.system.files import atomic_write

    trained = classifier(config)
    reading = Reading(config.data_root, config.workers, config.cache)
    rescored = (rescore_jointly if config.joint else rescore)(trained, config.data, reading, config.reading)
    text = json.dumps(rescored.as_dict(), indent=1)
    if config.out:
        atomic_write(config.out, f"{text}\n".encode())
    if config.json:
        print(text)
    else:
        _show(rescored)
    return 0


def _show(rescored: Rescored) -> None:
    table = number_table("", numbers=["correct", "%"], title=f"among {len(rescored.classes)} classes")
    for name, task in rescored.tasks.items():
        count = task.count
        table.add_row(shown(name), f"{count.n_correct}/{count.n_total}", f"{count.percent:.2f}")
    if rescored.scores:
        table.add_section()
        for name, value in rescored.scores.items():
            table.add_row(shown(name), "", f"{value:.2f}")
    if traded := rescored.trade_off:
        table.add_row("best H, over a bias", f"bias {traded.bias:.4g}", f"{traded.best_h:.2f}")
        table.add_row("area of the trade-off", "of 1", f"{traded.area:.4f}")
    show_table(table, rescored.notes)
