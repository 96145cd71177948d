"""`depthub rescore RUN`: counts of a finished run on other data, or among the classes of all its test tasks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import Namespace
from jsonargparse.typing import NonNegativeInt

from depthub.cli.options.finished import add_classifier, classifier
from depthub.cli.options.parser import Parser
from depthub.cli.table import shown
from depthub.errors import DepthubError
from depthub.values.text import plain

if TYPE_CHECKING:
    from depthub.inference.rescoring import Rescored

HELP = "test a finished run on other data, or among all its classes"
LONG = True


def parser() -> Parser:
    """The command's options."""
    made = Parser("depthub rescore", f"{HELP.capitalize()}.")
    add_classifier(made)
    made.add_argument("--data", type=str, default="", help="a data set, folder:PATH or list:FILE; with --joint the place of the run's own")
    made.add_argument("--joint", action="store_true", help="the run's own test images, among the classes of all its test tasks together")
    made.add_argument("--data_root", type=Path | None, default=None, help="the folder that holds data sets on this machine")
    made.add_argument("--workers", type=NonNegativeInt, default=0, help="data-loading processes; results do not depend on it")
    made.add_argument("--cache", type=bool, default=True, metavar="on|off", help="image features on disk; see `depthub cache info`")
    made.add_argument("--json", action="store_true", help="as JSON")
    made.add_argument("--out", type=Path | None, default=None, metavar="FILE", help="write the JSON to a file")
    return made


def main(config: Namespace) -> int:
    """Test, and show or write the counts."""
    if not config.joint and not config.data:
        raise DepthubError("give --data NAME, a data set to test on, or --joint")
    from depthub.inference.rescoring import Reading, rescore, rescore_jointly
    from depthub.system.files import atomic_write

    trained = classifier(config)
    reading = Reading(config.data_root, config.workers, config.cache)
    rescored = (rescore_jointly if config.joint else rescore)(trained, config.data, reading)
    text = json.dumps(rescored.as_dict(), indent=1)
    if config.out:
        atomic_write(config.out, f"{text}\n".encode())
    if config.json:
        print(text)
    else:
        _show(rescored)
    return 0


def _show(rescored: Rescored) -> None:
    from rich.console import Console
    from rich.table import Column, Table

    among = f"among {len(rescored.classes)} classes"
    table = Table("", Column("correct", justify="right"), Column("%", justify="right"), title=among, title_justify="left")
    for name, task in rescored.tasks.items():
        count = task.count
        table.add_row(shown(name), f"{count.n_correct}/{count.n_total}", f"{count.percent:.2f}")
    if rescored.scores:
        table.add_section()
        for name, value in rescored.scores.items():
            table.add_row(shown(name), "", f"{value:.2f}")
    console = Console(highlight=False, markup=False)
    console.print(table)
    for note in rescored.notes:
        console.print(plain(note), soft_wrap=True)
