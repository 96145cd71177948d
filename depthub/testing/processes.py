"""The same training in one process and in two, for several cases at a time.

The two processes are forked from a fresh interpreter: a fork of the caller, in which torch has threads, may hang.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from weakref import WeakKeyDictionary

import torch
from accelerate import Accelerator, debug_launcher

from depthub.compute.device import accelerator
from depthub.testing import toy
from depthub.testing.case import Case, State, fit_toys, images, on_cpu, tuned
from depthub.testing.contract import in_words
from depthub.training.evaluation import evaluate
from depthub.training.tuner import Tuner

TOLERANCE = 1e-5  # between parameters; sums in another order differ in the last bits
TIMEOUT = 120  # seconds for all cases together
_OUTCOMES: WeakKeyDictionary[Case, Outcome] = WeakKeyDictionary()


@dataclass(frozen=True)
class Outcome:
    """The outcome of a training: parameters, and (correct, images, predicted) per class on the test images; or an error."""

    state: State = field(default_factory=dict)
    per_class: list[list[int]] = field(default_factory=list)
    error: str = ""


def in_one_process(case: Case) -> Outcome:
    """The outcome of the shared training."""
    with on_cpu() as accelerator:
        return _outcome(case.trained, accelerator)


def in_two_processes(case: Case) -> Outcome:
    """The outcome of a training in two processes; the same processes train the case's peers."""
    if case not in _OUTCOMES:
        group = case.peers or [case]
        _OUTCOMES.update(zip(group, _launched(group), strict=True))
    return _OUTCOMES[case]


def _outcome(tuner: Tuner, accelerator: Accelerator) -> Outcome:
    count = evaluate(tuner, images(tuner, *toy.TEST), toy.BASE, accelerator).count()
    return Outcome(tuned(tuner), [list(row) for row in count.per_class])


def _launched(group: list[Case]) -> list[Outcome]:
    with TemporaryDirectory() as folder:
        trainings, outcomes = Path(folder) / "trainings.json", Path(folder) / "outcomes.pt"
        rows = [[case.kind, case.thing.__module__, case.thing.__qualname__, dict(case.settings)] for case in group]
        trainings.write_text(json.dumps(rows))
        path = [*(str(_root(case.thing.__module__)) for case in group), *sys.path]
        process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(trainings), str(outcomes)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path), "OMP_NUM_THREADS": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # so that its children can be ended with it
        )
        try:
            _, stderr = process.communicate(timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return [Outcome(error=f"no end after {TIMEOUT} s: do both processes do the same steps?")] * len(group)
        if process.returncode:
            return [Outcome(error=(stderr.strip().splitlines() or ["the processes died"])[-1])] * len(group)
        return [Outcome(**outcome) for outcome in torch.load(outcomes, weights_only=True)]


def _root(module: str) -> Path:
    """The folder from which a module is imported by its full name; it need not be on this process's path."""
    file = Path(str(sys.modules[module].__file__)).resolve()
    return (file.parent if file.name == "__init__.py" else file).parents[module.count(".")]


# The code below runs in the two processes.


def _train_all(trainings: list[list[Any]], path: str) -> None:
    place, outcomes = accelerator("fp32"), []
    for kind, module, name, settings in trainings:
        try:
            case = Case(kind, getattr(import_module(module), name), settings)
            tuner = case.tuner()
            fit_toys(tuner, place)
            outcomes.append(vars(_outcome(tuner, place)))
        except Exception as error:  # reported with its case; the others go on
            outcomes.append({"error": in_words(error, module.partition(".")[0])})
    if place.is_main_process:
        torch.save(outcomes, path)


if __name__ == "__main__":
    debug_launcher(_train_all, args=(json.loads(Path(sys.argv[1]).read_text()), sys.argv[2]), num_processes=2)
