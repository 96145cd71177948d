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
from depthub.spec import BackboneSpec, Component, DataSpec, RunSpec, Training
from depthub.testing import toy
from depthub.testing.case import Part
from depthub.testing.contract import contract

PATIENCE = 60.0  # seconds that a run waits for a word that does not come
MOMENT = 2.0  # seconds after which what was stopped has not gone on
OTHERS = 3  # runs that wait beside the first, as many as start at once on most machines
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
        """A new one."""
        made: Executor = self.make()
        return made

    @cached_property
    def outcomes(self) -> tuple[list[RunSpec], list[tuple[int, RunResult | Exception]], list[RunResult]]:
        """Three specs, of which the second fails; what the executor gives of them, and the results of the others here."""
        with TemporaryDirectory() as name:
            folder = Path(name)
            first, last = (tiny(folder, seed) for seed in (1, 2))
            specs = [first, RunSpec(first.method, data=DataSpec(f"folder:{folder}/nowhere"), backbone=first.backbone), last]
            with closing(self.executor.map(partial(run, runs=folder / "runs"), specs)) as outcomes:
                given = [*outcomes]
            return specs, given, [run(spec, runs=folder / "here") for spec in (first, last)]


@contract("outcomes", "each run comes back once, with the result that it has here, or with its error; the others go on.", "executors")
def outcomes(case: ExecutorCase) -> None:
    """The other runs are done whatever happens to one of them. What `do` raises is yielded as it is, with the index of its run, and not
    raised.
    """
    specs, given, here = case.outcomes
    wrong = [one for one in given if not (isinstance(one, tuple) and len(one) == 2)]
    assert not wrong, f"map() yields {str(wrong[0])[:60]}, expected (index, result or error)"
    indices = sorted(index for index, _ in given)
    assert indices == [*range(len(specs))], f"of {len(specs)} runs map() yields the indices {indices}, expected each once"
    found = dict(given)
    assert isinstance(found[1], Exception), (
        f"a run whose data set does not exist comes back as a {type(found[1]).__name__}, expected its error"
    )
    for index, expected in ((0, here[0]), (2, here[1])):
        result = found[index]
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
        folder: is filled if it is empty.
        seed: of the run; the pictures do not depend on it.
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
    return RunSpec(Component("CoOp", {"n_ctx": 2}), data=data, backbone=backbone, training=recipe, shots=1, seed=seed)


def patient(spec: RunSpec, folder: Path) -> RunResult:
    """A run that, but for the first, waits for a word before it begins, and says that it got it."""
    if spec.seed:
        end = time.monotonic() + PATIENCE
        while not (folder / "go").exists() and time.monotonic() < end:
            time.sleep(0.05)
        (folder / f"{WENT_ON}{spec.seed}").touch()
    return run(spec, runs=folder / "runs")
