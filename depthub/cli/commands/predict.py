"""`depthub predict RUN IMAGES`: classes of picture files, by what a finished run trained."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import Namespace
from jsonargparse.typing import PositiveInt

from depthub.cli.options.finished import add_classifier, classifier
from depthub.cli.options.parser import Parser
from depthub.cli.table import shown
from depthub.values.text import plain

if TYPE_CHECKING:
    from depthub.inference.predicting import Predicted

HELP = "classify pictures with a finished run"
LONG = True


def parser() -> Parser:
    """The command's options."""
    made = Parser("depthub predict", f"{HELP.capitalize()}.")
    add_classifier(made)
    made.add_argument("images", type=Path, nargs="+", metavar="IMAGE", help="picture files, and folders of such")
    made.add_argument("--classes", type=str, nargs="+", default=[], metavar="NAME", help="classes to tell apart; default: the trained ones")
    made.add_argument("--task", type=str, default="", help="tell the classes of this test task of the run apart")
    made.add_argument("--top", type=PositiveInt, default=1, metavar="K", help="the K most probable classes of each picture")
    made.add_argument("--json", action="store_true", help="as JSON")
    return made


def main(config: Namespace) -> int:
    """Classify; the exit status is 2 if a picture could not be read, which is then named."""
    from depthub.inference.predicting import picture_files, predict

    files = picture_files(config.images)
    trained = classifier(config)
    classes = trained.classes(config.classes or None, config.task)
    predicted = list(predict(trained, files, config.classes or None, task=config.task, k=config.top))
    failed = [one for one in predicted if one.fault]
    for one in failed:
        print(f"depthub: error: {plain(one.fault)}", file=sys.stderr)
    if config.json:
        print(json.dumps(_document(trained.result.spec.run_id, classes.names, predicted), indent=1))
    else:
        _show([one for one in predicted if not one.fault])
    return 2 if failed else 0


def _document(run_id: str, names: Sequence[str], predicted: Sequence[Predicted]) -> dict[str, object]:
    """Plain data; probabilities are fractions."""
    images = [
        {"path": str(one.path), "best": [{"class": name, "probability": value} for name, value in one.best]}
        for one in predicted
        if not one.fault
    ]
    failed = [{"path": str(one.path), "error": one.fault} for one in predicted if one.fault]
    return {"run_id": run_id, "classes": list(names), "images": images, "failed": failed}


def _show(predicted: Sequence[Predicted]) -> None:
    from rich.console import Console
    from rich.table import Column, Table

    table = Table(Column("image", overflow="fold"), "class", Column("probability", justify="right"), box=None, padding=(0, 2, 0, 0))
    for one in predicted:
        for place, (name, value) in enumerate(one.best):
            table.add_row(shown(str(one.path)) if place == 0 else "", shown(name), f"{value:.4f}")
    if predicted:
        Console(highlight=False).print(table)
