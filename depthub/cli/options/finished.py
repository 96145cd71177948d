"""Options of the commands on finished runs: the run, its backbone's weights, the classes, the form of the output."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import Namespace

from depthub.cli.options.parser import Parser
from depthub.records.store import Store

if TYPE_CHECKING:
    from depthub.inference.classifier import Classifier
    from depthub.records.result import RunResult

RUNS = Path("runs")
RUN = "a run's folder or run.json, or the beginning of the id of a run in --runs"


def add_run(parser: Parser, *names: str, several: bool = False) -> None:
    """Options that name finished runs.

    Args:
        parser: of the command.
        names: of the arguments.
        several: whether the argument takes one run or more.
    """
    for name in names:
        parser.add(name, type=str, metavar=name.upper(), help=RUN, **({"nargs": "+"} if several else {}))
    parser.add("--runs", type=Path, default=RUNS, metavar="DIR", help="the folder of run files, where ids are looked up")


def add_classifier(parser: Parser, *, several: bool = False) -> None:
    """Options that load the trained classifier of a run, or with `several` of each of some runs."""
    add_run(parser, "run", several=several)
    parser.add("--stage", type=int, default=0, metavar="N", help="number of the training, counted from 0")
    for name, metavar, words in (
        ("backbone.model", "MODEL", "place of the backbone, if the run's name for it does not lead there"),
        ("backbone.pretrained", "WEIGHTS", "weights: a tag or a checkpoint's path; other weights than the run's are refused"),
    ):
        parser.add(f"--{name}", type=str, default="", metavar=metavar, help=words)
    parser.add("--texts", type=str, default="", metavar="FILE", help="place of the run's file of class texts, if it is not in this folder")
    parser.add("--download", action="store_true", help="download weights that are not on this machine")


def add_classes(parser: Parser) -> None:
    """Options that name the classes of a classifier."""
    words = "class names (default: the classes of the training)"
    parser.add("--classes", type=str, nargs="+", default=[], metavar="NAME", help=words)
    parser.add("--task", type=str, default="", metavar="TASK", help="the classes of this test task of the run")


def read_run(name: str, runs: Path) -> RunResult:
    """The finished run of an argument.

    Args:
        name: a folder, a file, or the beginning of an id.
        runs: the folder where ids are looked up.

    Raises:
        DepthubError: if there is none, or its files are damaged.
    """
    return Store(runs).named(name)


def classifier(config: Namespace, name: str = "") -> Classifier:
    """The trained classifier of the run that a command line names.

    Args:
        config: of the command line.
        name: of the run, where the command line names several.

    Raises:
        DepthubError: as `depthub.load` does.
    """
    from depthub.inference.loading import load

    result = read_run(name or config.run, config.runs)
    changes = {name: value for name, value in vars(config.backbone).items() if value}
    backbone = replace(result.spec.backbone, **changes) if changes else None
    return load(result, backbone=backbone, stage=config.stage, download=config.download, texts=config.texts)
