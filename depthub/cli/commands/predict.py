"""`depthub predict RUN IMAGES`: classify picture files with a finished run."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import Namespace
from jsonargparse.typing import PositiveInt

from depthub.cli.options.finished import add_classes, add_classifier, classifier
from depthub.cli.options.parser import Parser
from depthub.cli.output import number_table, show_table
from depthub.cli.table import shown
from depthub.values.text import plain

if TYPE_CHECKING:
    from depthub.inference.predicting import Predicted

HELP = "classify pictures with a finished run"
LONG = True  # it shows its progress


def parser() -> Parser:
    """The command's options."""
    predict = Parser("depthub predict", f"{HELP.capitalize()}.")
    add_classifier(predict)
    predict.add("images", type=Path, nargs="+", metavar="IMAGE", help="picture files, or folders of them")
    add_classes(predict)
    predict.add("--top", type=PositiveInt, default=1, metavar="K", help="the K most probable classes of each picture")
    predict.add("--json", action="store_true", help="as JSON")
    return predict


def main(config: Namespace) -> int:
    """Classify; the exit status is 2 if a picture could not be read, which is then named."""
    from depthub.inference.predicting import picture_files, predict

    files = picture_files(config.images)
    trained = classifier(config)
    classes = trained.classes(config.classes or None, config.task)
    predictions = list(predict(trained, files, config.classes or None, task=config.task, k=config.top))
    failures = [one for one in predictions if one.fault]
    for one in failures:
        print(f"depthub: error: {plain(one.fault)}", file=sys.stderr)
    if config.json:
        print(json.dumps(_document(trained.result.spec.run_id, classes.names, predictions), indent=1))
    else:
        _show([one for one in predictions if not one.fault])
    return 2 if failures else 0


def _document(run_id: str, names: Sequence[str], predictions: Sequence[Predicted]) -> dict[str, object]:
    """Plain data; probabilities are fractions."""
    images = [
        {"path": str(one.path), "best": [{"class": name, "probability": value} for name, value in one.best]}
        for one in predictions
        if not one.fault
    ]
    failed = [{"path": str(one.path), "error": one.fault} for one in predictions if one.fault]
    return {"run_id": run_id, "classes": list(names), "images": images, "failed": failed}


def _show(predictions: Sequence[Predicted]) -> None:
    table = number_table("image", "class", numbers=["probability"])
    for one in predictions:
        for place, (name, value) in enumerate(one.best):
            table.add_row(shown(str(one.path)) if place == 0 else "", shown(name), f"{value:.4f}")
    if predictions:
        show_table(table)
