"""A rehearsal before the work: settings that no run can have are refused now, not after an hour in every run of their row."""

from __future__ import annotations

import torch

from depthub.errors import DepthubError
from depthub.registry.plugins import installed
from depthub.running.frozen_model import FrozenModel
from depthub.running.options import RunOptions
from depthub.running.resolved import Resolved
from depthub.suites.description import described
from depthub.suites.plan import Plan
from depthub.system.activity import tell


def rehearse(plan: Plan, options: RunOptions) -> None:
    """Make the method and the head of each row once, for the run with the fewest classes; nothing is trained.

    Args:
        plan: of the suite.
        options: of the runs.

    Raises:
        DepthubError: for the first row whose method or head cannot be made.
    """
    tell("trying every method and head")
    for run in _one_of_each([plan.runs[place] for place in plan.to_do]):
        try:
            FrozenModel(run.spec, options, torch.device("cpu")).tuner(run.stages[0], installed())
        except DepthubError as error:
            raise DepthubError(f"{described(run)}: {error} (so would every run with these settings; none was done)") from error


def _one_of_each(runs: list[Resolved]) -> list[Resolved]:
    """Of the runs with equal method, head and backbone the one with the fewest classes; one backbone after another."""
    runs = sorted(runs, key=lambda run: len(run.stages[0].train.classes))
    first: dict[tuple[str, ...], Resolved] = {}
    for run in runs:
        first.setdefault(tuple(map(repr, (run.spec.backbone, run.spec.method, run.spec.head))), run)
    return [run for _, run in sorted(first.items())]
