"""Submissions: how long it takes to check a thousand of them and to build their board, and with how much memory.

`python -m benchmarks.submissions [NUMBER]` writes a board of made-up runs in the real format (every digest, count and prediction agrees),
and prints the seconds of `depthub leaderboard validate` and `depthub leaderboard build`.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np

from depthub.data.fewshot import fingerprint
from depthub.protocol import Summary
from depthub.records import document as documents
from depthub.records.document import StoredRun
from depthub.records.packed import pack
from depthub.records.predictions import best_only
from depthub.records.result import RunResult, Sample, TestedTask, TrainedStage
from depthub.spec import BackboneSpec, Component, DataSpec, RunSpec, Training
from depthub.statistics.averages import harmonic
from depthub.submissions import definition
from depthub.submissions.rows import DISCLOSURES, aggregates
from depthub.submissions.writing import write
from depthub.types import ClassSet

TASKS = ("base", "new")
DIST = {"distribution": "depthub", "version": "0.1.0", "commit": "0" * 40, "dirty": False}
SUMMARY = Summary("H", {"H": TASKS})


@dataclass(frozen=True)
class Sizes:
    """The size of a made-up board; images and classes as in the mean of the embedded data sets.

    Args:
        sets: data sets.
        seeds: of every data set.
        images: test images of a task.
        classes: of a task.
        shots: training images a class.
    """

    sets: int = 11
    seeds: int = 3
    images: int = 330
    classes: int = 6
    shots: int = 16


def write_board(folder: Path, sizes: Sizes, submissions: int) -> None:
    """A board's folder with a definition and submissions `s-0000`, `s-0001` and so on, all valid, each a little better than the last."""
    folder.mkdir(parents=True, exist_ok=True)
    defined = definition.define([run.result for run in row(sizes, 0, 0.6)], "made", "Sizes-up runs")
    (folder / definition.FILE).write_bytes(documents.dumps(defined.document))
    with ProcessPoolExecutor(mp_context=get_context("forkserver")) as pool:
        for _ in pool.map(partial(write_submission, folder, sizes), range(submissions), chunksize=8):
            pass


def write_submission(folder: Path, sizes: Sizes, number: int) -> Path:
    """One of them; returns its folder."""
    name = f"s-{number:04}"
    place = folder / "submissions" / name
    runs = row(sizes, number + 1, 0.6 + 0.0001 * number)
    disclosures = {**dict.fromkeys(DISCLOSURES, False), "notes": ""}
    method = {"name": f"Sizes {number}", "summary": "made up", "code_url": "https://example.org/made", "commit": "", "licence": "MIT"}
    document = {
        **{"id": name, "created": "2026-11-26", "licence": "CC-BY-4.0", "board": "made"},
        **{"submitter": {"name": "Somebody", "contact": "@somebody", "relationship": "author"}, "method": {**method, "paper": None}},
        **{"league": "S", "disclosures": disclosures, "claims": [], "supersedes": None, "withdrawn": None},
        "aggregates": aggregates([run.result for run in runs]),
    }
    place.mkdir(parents=True)
    for file, content in write(place, document, pack(runs)).items():
        (place / file).write_bytes(content)
    return place


def row(sizes: Sizes, number: int, accuracy: float) -> list[StoredRun]:
    """The runs of one recipe, which `number` tells from others."""
    runs = []
    for data in range(sizes.sets):
        for seed in range(1, sizes.seeds + 1):
            result = _run(sizes, number, data, seed, accuracy)
            runs.append(StoredRun(documents.document(result), result))
    return runs


def _run(sizes: Sizes, number: int, data: int, seed: int, accuracy: float) -> RunResult:
    generator = np.random.default_rng([number, data, seed])
    spec = RunSpec(
        Component("CoOp", {"n_ctx": 4, "recipe": number}),
        data=DataSpec(f"set{data:02}"),
        backbone=BackboneSpec("shapes", sha256="0" * 64),
        training=Training(),
        shots=sizes.shots,
        seed=seed,
    )
    labels = [place % sizes.classes for place in range(sizes.images)]
    predictions, tested = {}, {}
    for place, task in enumerate(TASKS):
        right = generator.random(sizes.images) < accuracy + 0.02 * data - 0.05 * place
        predicted = np.where(right, labels, generator.integers(sizes.classes, size=sizes.images))
        predictions[task] = best_only(labels, predicted.astype(np.int32), sizes.classes)
        ids = range(place * sizes.classes, (place + 1) * sizes.classes)
        classes = ClassSet(spec.data.name, tuple(ids), tuple(f"class {index} of set {data}" for index in ids), "a photo of a {}.")
        sentences = (tuple(f"X X X X {name}." for name in classes.names),)
        tested[task] = TestedTask(classes, sentences, fingerprint([f"{task}{image}" for image in range(sizes.images)], labels))
    counts = {task: of_task.count() for task, of_task in predictions.items()}
    base, new = (count.percent for count in counts.values())
    trained = [(f"train{label}-{shot}-{seed}", label) for label in range(sizes.classes) for shot in range(sizes.shots)]
    sample = Sample("base", spec.data.name, *map(tuple, zip(*trained, strict=True)))
    return RunResult(
        spec,
        counts,
        {"base": base, "new": new, "H": harmonic(base, new)},
        {"python": "3.11.0", "plugins": [{"kind": "protocols", "name": "BaseToNew", "plugin": "protocols", **DIST}]},
        {"params_trainable": 2048, "train_s": 1.0, "eval_s": 0.5},
        samples=(sample,),
        summary=SUMMARY,
        tasks=tested,
        stages=(TrainedStage("base", tested["base"].classes, TASKS),),
        predictions=predictions,
    )


def measured(number: int, sizes: Sizes) -> Iterator[str]:
    """Lines of the report."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_board(folder, sizes, number)
        runs = number * sizes.sets * sizes.seeds
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        yield f"{number:,} submissions, {runs:,} runs of 2 x {sizes.images} images, {size / 2**20:.0f} MiB of files"
        for command in (["validate", name, "--form", "json"], ["build", name, "--out", f"{name}/out"]):
            start = perf_counter()
            done = subprocess.run([sys.executable, "-m", "depthub", "leaderboard", *command], check=False, capture_output=True)
            seconds = perf_counter() - start
            assert done.returncode == 0, done.stdout[-500:] + done.stderr[-2000:]
            peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
            yield f"leaderboard {command[0]}: {seconds:.1f} s, start-up included; largest process {peak:.2f} GiB"


def main(arguments: list[str]) -> None:
    """Print the report."""
    for line in measured(int(arguments[0]) if arguments else 1000, Sizes()):
        print(line, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
