"""`depthub export RUN`: prompts and classifier of a run, for use without depthub."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import Namespace

from depthub.cli.options.finished import add_classes, add_classifier, classifier
from depthub.cli.options.parser import Parser
from depthub.errors import DepthubError
from depthub.values.text import plain

if TYPE_CHECKING:
    from depthub.inference.classifier import Classifier
    from depthub.inference.input_images import Picture

HELP = "write a run's prompts and classifier for use without depthub"
LONG = True  # it shows its progress
SAMPLE = 32  # test images of the run's own data set to try the exported program on


def parser() -> Parser:
    """The command's options."""
    export = Parser("depthub export", f"{HELP.capitalize()}.")
    add_classifier(export)
    add_classes(export)
    export.add("--out", type=Path, default=Path("export"), metavar="DIR", help="the folder for the files")
    export.add("--images", type=Path, nargs="+", default=[], metavar="IMAGE", help="pictures to try the exported program on")
    export.add("--data_root", type=Path | None, default=None, metavar="DIR", help="the folder of data sets, for such pictures")
    return export


def main(config: Namespace) -> int:
    """Export prompts and classifier as far as possible; the exit status is 2 if neither can be."""
    from depthub.inference.export import export_classifier, export_prompts
    from depthub.inference.predicting import picture_files

    names, task = config.classes or None, config.task
    pictures = picture_files(config.images)
    trained = classifier(config)
    trained.classes(names, task)  # refused before anything is written
    images: Sequence[Picture] = pictures or _test_images(trained, config.data_root)
    written = [
        _written(lambda: export_prompts(trained, config.out)),
        _written(lambda: export_classifier(trained, config.out, names, task=task, images=images)),
    ]
    return 0 if any(written) else 2


def _written(export: Callable[[], Sequence[Path]]) -> bool:
    """Whether a part was exported; prints its files, or the reason why there are none."""
    try:
        for path in export():
            print(plain(str(path)))
    except DepthubError as error:
        print(f"depthub: not exported: {plain(str(error))}", file=sys.stderr)
        return False
    return True


def _test_images(trained: Classifier, data_root: Path | None) -> list[Picture]:
    """Some test images of the run's data set; none, with a line on stderr, where it cannot be read here."""
    from depthub.registry.plugins import installed
    from depthub.running.data_names import data_set_of

    try:
        test = data_set_of(trained.result.spec.data, installed()).load(data_root).test
        return [test.read(name) for name in test.ids[:SAMPLE]]
    except DepthubError as error:
        print(f"depthub: note: tried on random pixels alone, since {plain(str(error))}; --images names pictures", file=sys.stderr)
        return []
