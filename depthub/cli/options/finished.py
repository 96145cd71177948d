"""Options that the commands on finished runs share: which run, and where its backbone's weights lie."""

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


def add_run(made: Parser, *names: str) -> None:
    """Options that name finished runs.

    Args:
        made: the command's parser.
        names: of the arguments.
    """
    for name in names:
        made.add_argument(name, type=str, metavar=name.upper(), help=RUN)
    made.add_argument("--runs", type=Path, default=RUNS, help="the folder of run files, where ids are looked for")


def add_classifier(made: Parser) -> None:
    """Options that load what a run trained."""
    add_run(made, "run")
    made.add_argument("--stage", type=int, default=0, help="which of the run's trainings, counted from 0")
    made.add_argument(
        "--backbone.model", type=str, default="", help="where the backbone lies, if the run's name for it does not lead there"
    )
    made.add_argument("--backbone.pretrained", type=str, default="", help="its weights: a tag or a checkpoint's path; others are refused")
    made.add_argument("--download", action="store_true", help="ask the network for weights that are not on this machine")


def read_run(given: str, runs: Path) -> RunResult:
    """The finished run that an argument names.

    Raises:
        DepthubError: if there is none, or its files are damaged.
    """
    from depthub.records.document import read

    return read(Store(runs).find(given))


def classifier(config: Namespace) -> Classifier:
    """What the run trained.

    Raises:
        DepthubError: as `depthub.load` does.
    """
    from depthub.inference.classifier import load

    result = read_run(config.run, config.runs)
    asked = {name: value for name, value in vars(config.backbone).items() if value}
    backbone = replace(result.spec.backbone, **asked) if asked else None
    return load(result, backbone=backbone, stage=config.stage, download=config.download)
