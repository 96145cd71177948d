"""Checks of executors, with runs that take a moment each."""

from __future__ import annotations

import json
import time
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory

from depthub import run
from depthub.executor import Executor
from depthub.records.result import RunResult
from depthub.spec import BackboneSpec, DataSpec, RunSpec, Training
from depthub.testing import toy
from depthub.testing.case import Part
from depthub.testing.contract import contract

PATIENCE = 60.0  # seconds until a run stops to wait for the file "go"
MOMENT = 2.0  # seconds in which a run that was not stopped would go on
OTHERS = 3  # waiting runs beside the first: most machines start all of them at once
WENT_ON = "went-on-"
MODEL = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 16, "patch_size": 8, "width": 16, "layers": 1, "head_width": 8},
    "text_cfg": {"context_length": 40, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}


@dataclass(eq=False)
class ExecutorCase(Part):
    """An executor, with tiny runs on pictures of one colour."""

    @property
    def executor(self) -> Executor:
        """A new executor."""
        executor: Executor = self.make()
        return executor

    @cached_property
    def outcomes(self) -> tuple[list[RunSpec], list[tuple[int, RunResult | Exception]], list[RunResult]]:
        """Three specs, of which the second fails; the executor's outcomes; and the results of the other two in this process."""
        with TemporaryDirectory() as name:
            folder = Path(name)
            first, last = (tiny(folder, seed) for seed in (1, 2))
            specs = [first, RunSpec(data=DataSpec(f"folder:{folder}/nowhere"), backbone=first.backbone), last]
            with closing(self.executor.map(partial(run, runs=folder / "runs"), specs)) as outcomes:
                yielded = [*outcomes]
            return specs, yielded, [run(spec, runs=folder / "here") for spec in (first, last)]


@contract("outcomes", "each run comes back once, with the result that it has here, or with its error; the others go on.", "executors")
def outcomes(case: ExecutorCase) -> None:
    """The other runs are done whatever happens to one of them. What `do` raises is yielded as it is, with the index of its run, and not
    raised.
    """
    specs, yielded, here = case.outcomes
    wrong = [item for item in yielded if not (isinstance(item, tuple) and len(item) == 2)]
    assert not wrong, f"map() yields {str(wrong[0])[:60]}, expected (index, result or error)"
    indices = sorted(index for index, _ in yielded)
    assert indices == [*range(len(specs))], f"of {len(specs)} runs map() yields the indices {indices}, expected each once"
    outcome = dict(yielded)
    assert isinstance(outcome[1], Exception), (
        f"a run whose data set does not exist comes back as a {type(outcome[1]).__name__}, expected its error"
    )
    for index, expected in ((0, here[0]), (2, here[1])):
        result = outcome[index]
        assert isinstance(result, RunResult), f"beside a run that fails, another comes back as {result!r}, expected its result"
        assert result.spec == expected.spec, f"index {index} comes back with the result of another run"
        assert result.counts == expected.counts, f"run {index} counts {result.counts}, done here {expected.counts}"


@contract("stopping", "closing the generator stops what still runs.", "executors")
def stopping(case: ExecutorCase) -> None:
    """The caller closes the generator when the user types Ctrl-C, for example. Waiting runs are then not begun, and running ones end."""
    with TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        specs = [tiny(folder, seed) for seed in range(OTHERS + 1)]
        with closing(case.executor.map(partial(patient, folder=folder), specs)) as outcomes:
            next(outcomes)
        (folder / "go").touch()
        end = time.monotonic() + MOMENT
        while time.monotonic() < end and not [*folder.glob(f"{WENT_ON}*")]:
            time.sleep(0.05)
        late = [*folder.glob(f"{WENT_ON}*")]
    assert not late, "runs went on after the generator was closed: end them in its `finally`"


def tiny(folder: Path, seed: int) -> RunSpec:
    """A run of one step, with data and model in a folder.

    Args:
        folder: the folder; data and model are written if they are missing.
        seed: seed of the run; the pictures do not depend on it.
    """
    config, pictures = folder / "tiny_clip.json", folder / "pictures"
    if not config.exists():
        config.write_text(json.dumps(MODEL))
        for split in ("train", "test"):
            for label in range(4):
                place = pictures / split / f"colour {label}"
                place.mkdir(parents=True)
                for i in range(2):
                    toy.picture("x" * (40 * label + 3 * i + len(split))).save(place / f"{i}.png")
    recipe = Training(epochs=1, batch_size=4, warmup_epochs=0, augmentation="none")
    data, backbone = DataSpec(f"folder:{pictures}"), BackboneSpec(str(config), "random")
    return RunSpec(data=data, backbone=backbone, training=recipe, shots=1, seed=seed)


def patient(spec: RunSpec, folder: Path) -> RunResult:
    """A run that waits for the file "go" before it begins, and then leaves a file of its own; the run of seed 0 does neither."""
    if spec.seed:
        end = time.monotonic() + PATIENCE
        while not (folder / "go").exists() and time.monotonic() < end:
            time.sleep(0.05)
        (folder / f"{WENT_ON}{spec.seed}").touch()
    return run(spec, runs=folder / "runs")
