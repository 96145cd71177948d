"""Checks of executors, with packs of runs that take a moment each."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

from depthub import run
from depthub.executor import Executor
from depthub.records import failures
from depthub.records.result import RunResult
from depthub.records.store import Store
from depthub.running.claims import Claims
from depthub.running.options import RunOptions
from depthub.running.packs import Pack
from depthub.running.runner import resolve
from depthub.spec import BackboneSpec, DataSpec, RunSpec, Training
from depthub.testing import toy
from depthub.testing.case import Part
from depthub.testing.contract import SkippedError, contract

PATIENCE = 30.0  # seconds for packs under way to end after the generator was closed
MOMENT = 2.0  # seconds in which a run that was not ended would go on
OTHERS = 3  # long packs beside the first: most machines start all of them at once
LONG = 100_000  # epochs: hours
MODEL = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 16, "patch_size": 8, "width": 16, "layers": 1, "head_width": 8},
    "text_cfg": {"context_length": 40, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}


@dataclass(frozen=True)
class Outcomes:
    """What an executor did with packs.

    Args:
        yielded: by the executor.
        results: of the runs of the good packs, as it stored them.
        here: the results of the same runs in this process.
        failure: recorded for the run that fails.
    """

    yielded: list[tuple[int, Exception | None]]
    results: list[RunResult | None]
    here: list[RunResult]
    failure: failures.Failure | None


@dataclass(eq=False)
class ExecutorCase(Part):
    """An executor, with tiny runs on pictures of one colour."""

    @property
    def executor(self) -> Executor:
        """A new executor.

        Raises:
            SkippedError: if this machine lacks what it needs.
        """
        executor: Executor = self.make()
        if reason := executor.missing():
            raise SkippedError(reason)
        return executor

    @cached_property
    def outcomes(self) -> Outcomes:
        """Four packs: of one run, of a run that fails, a file that is not a pack, and one of another run."""
        with TemporaryDirectory() as name:
            folder = Path(name)
            store = Store(folder / "runs")
            first, last = (resolve(tiny(folder, seed)) for seed in (1, 2))
            lost = RunSpec(data=DataSpec(f"folder:{folder}/nowhere"), backbone=first.backbone)
            packs = [write(folder, number, [spec]) for number, spec in enumerate((first, lost, last))]
            packs.insert(2, folder / "not-a-pack.json")
            packs[2].write_text("{}")
            with closing(self.executor.map(packs)) as ended:
                yielded = [*ended]
            results = [store.load(spec) for spec in (first, last)]
            here = [run(spec, runs=folder / "here") for spec in (first, last)]
            return Outcomes(yielded, results, here, failures.read(store.path(lost)))


@contract("outcomes", "each pack comes back once, its runs done; an error comes back as it is, and the other packs go on.", "executors")
def outcomes(case: ExecutorCase) -> None:
    """`do_pack` stores the results and the failures of runs; a pack that it cannot carry out raises an error, which is yielded with the
    pack's index and not raised. Every pack is carried out, whatever happens to one of them.
    """
    outcomes = case.outcomes
    wrong = [item for item in outcomes.yielded if not (isinstance(item, tuple) and len(item) == 2)]
    assert not wrong, f"map() yields {str(wrong[0])[:60]}, expected (index, error or None)"
    indices = sorted(index for index, _ in outcomes.yielded)
    assert indices == [*range(4)], f"of 4 packs map() yields the indices {indices}, expected each once"
    errors = dict(outcomes.yielded)
    assert isinstance(errors[2], Exception), f"a file that is not a pack comes back with {errors[2]!r}, expected its error"
    for index in (0, 1, 3):
        assert errors[index] is None, f"pack {index} comes back with {errors[index]!r}, expected None: failures of runs are in the store"
    assert outcomes.failure, "the run whose data set does not exist left no record of its failure: carry out packs by `do_pack`"
    for stored, here in zip(outcomes.results, outcomes.here, strict=True):
        assert stored, f"a pack came back, but run {here.spec.run_id[:12]} has no result in the store: was it carried out?"
        assert stored.counts == here.counts, f"a run counts {stored.counts}, done here {here.counts}"


@contract("stopping", "closing the generator ends the packs under way.", "executors")
def stopping(case: ExecutorCase) -> None:
    """The caller closes the generator when the user types Ctrl-C, for example. Waiting packs are then not begun, and running ones end."""
    with TemporaryDirectory(ignore_cleanup_errors=True) as name, _ended(Path(name) / "runs") as runs:
        folder = Path(name)
        packs = [write(folder, number, [resolve(tiny(folder, number, LONG if number else 1))]) for number in range(OTHERS + 1)]
        with closing(case.executor.map(packs)) as ended:
            next(ended)
        claims, end = Claims(runs), time.monotonic() + PATIENCE
        while claims.active() and time.monotonic() < end and _changes(runs):
            time.sleep(0.1)
        assert not _changes(runs), "runs went on after the generator was closed: end them in its `finally`"


@contextmanager
def _ended(runs: Path) -> Iterator[Path]:
    """A folder of runs that nothing can write to afterwards, so that runs which an executor left behind end."""
    try:
        yield runs
    finally:
        runs.mkdir(exist_ok=True)
        runs.rename(runs.with_name("ended"))
        runs.write_text("")


def _changes(runs: Path) -> bool:
    """Whether the files of unfinished runs change."""
    before = _times(runs)
    time.sleep(MOMENT)
    return _times(runs) != before


def _times(runs: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in runs.glob("*/*") if path.is_file()}


def write(folder: Path, number: int, specs: Sequence[RunSpec]) -> Path:
    """The file of a pack of runs whose results go to `runs` in the folder."""
    pack = Pack({spec.run_id: spec for spec in specs}, folder / "runs", RunOptions())
    return pack.write(folder / f"pack-{number}.json")


def tiny(folder: Path, seed: int, epochs: int = 1) -> RunSpec:
    """A run of one step an epoch, with data and model in a folder.

    Args:
        folder: the folder; data and model are written if they are missing.
        seed: seed of the run; the pictures do not depend on it.
        epochs: of its training.
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
    recipe = Training(epochs=epochs, batch_size=4, warmup_epochs=0, augmentation="none")
    data, backbone = DataSpec(f"folder:{pictures}"), BackboneSpec(str(config), "random")
    return RunSpec(data=data, backbone=backbone, training=recipe, shots=1, seed=seed)
