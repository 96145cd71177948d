"""From a spec to a result: `run` does one, `run_many` does several wherever an executor takes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Hashable, Sequence
from contextlib import closing
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

from depthub import presets, settings
from depthub.attempt import Attempt, How, data_set, named
from depthub.device import determinism
from depthub.engine import OnEpoch, fit_together
from depthub.errors import DepthubError
from depthub.executor import Executor
from depthub.loading import weights_digest
from depthub.plugins import installed
from depthub.spec import RunSpec
from depthub.stack import MOST, Limit, arrange
from depthub.store import RunResult, Store

OnDone = Callable[[int, "RunResult | Exception", bool], None]
OnNote = Callable[[str], None]


def resolve(spec: RunSpec, data_root: Path | None = None) -> RunSpec:
    """The spec with everything spelt out that the numbers depend on; nothing is trained or loaded.

    Args:
        spec: what to run.
        data_root: folder that holds the data sets.

    Raises:
        DepthubError: for unknown names or settings, and for files that are missing or not those the spec names.
    """
    plugins = installed()
    data = data_set(spec.data, plugins)
    training = presets.recipe(spec, plugins)
    augmentation = data.augmentation if training.augmentation == "auto" else training.augmentation
    files = data.digest(data_root)
    weights = weights_digest(spec.backbone, named(plugins))
    for what, given, found in (("data", spec.data.sha256, files), ("backbone", spec.backbone.sha256, weights)):
        if given and given != found:
            raise DepthubError(f"the files of {what} are not those of the spec: sha256 {found[:12] or 'none'}, expected {given[:12]}")
    return replace(
        spec,
        method=settings.complete(spec.method, "methods", plugins),
        head=settings.complete(spec.head, "heads", plugins),
        protocol=settings.complete(spec.protocol, "protocols", plugins),
        data=replace(spec.data, sha256=files),
        backbone=replace(spec.backbone, sha256=weights),
        training=replace(training, augmentation=augmentation),
    )


def run(
    spec: RunSpec,
    *,
    runs: Path = Path("runs"),
    data_root: Path | None = None,
    force: bool = False,
    workers: int = 0,
    cache: bool = True,
    image_cache: Path | None = None,
    deterministic: bool = False,
    graphs: bool = False,
    recompute: bool = False,
    on_epoch: OnEpoch | None = None,
) -> RunResult:
    """Do one run, or find it done.

    Args:
        spec: what to run; it is resolved first.
        runs: folder of the run files.
        data_root: folder that holds the data sets.
        force: do it again even if it is done.
        workers: processes that read images.
        cache: keep image features on disk for later runs; the environment says where (see `Cache`).
        image_cache: a folder where images that are read again and again, because the method tunes the image side, are kept decoded.
        deterministic: the same bits every time, also on a GPU, where some sums have no fixed order otherwise; on a CPU it is always so.
        graphs: on a GPU, play the training steps from a CUDA graph: the same numbers with one launch a step instead of hundreds.
        recompute: where image prompts are tuned, keep less for the backward pass and compute it again: less memory, more time.
        on_epoch: told the number of epochs done in a stage, and the mean loss.

    Raises:
        DepthubError: for what the user can mend.
    """
    how = How(data_root, force, workers, cache, image_cache, graphs, recompute)
    made = Attempt(resolve(spec, data_root), Store(Path(runs)), how, on_epoch)
    with determinism(deterministic):
        ((_, outcome),) = _carry_out([made], "off", None)
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def run_many(
    specs: Sequence[RunSpec],
    *,
    runs: Path = Path("runs"),
    data_root: Path | None = None,
    force: bool = False,
    workers: int = 0,
    cache: bool = True,
    image_cache: Path | None = None,
    deterministic: bool = False,
    graphs: bool = False,
    recompute: bool = False,
    executor: Executor | None = None,
    stack: Limit = "auto",
    on_done: OnDone | None = None,
    on_epoch: OnEpoch | None = None,
    on_note: OnNote | None = None,
) -> list[RunResult]:
    """Do several runs and return their results in the order of `specs`.

    Every spec is checked before the first is run. Finished runs are found on disk; the others go to the executor. Without one they are done
    here, and those that differ in seed, head, settings or learning rate only train together, each as if it were alone.

    Args:
        specs: what to run.
        runs, data_root, force, workers, cache, image_cache, deterministic, graphs, recompute: as in `run`.
        executor: where runs go, each on its own; by default into this process.
        stack: how many train together at the most; "auto" as many as memory allows, "off" none. Processes that share runs do one at a time.
        on_done: told (index, result or error, whether it was found on disk) as each ends.
        on_epoch: as in `run`; without an executor only.
        on_note: told why runs that might train together do not.

    Raises:
        DepthubError: if runs failed, after all others have ended; the first failure's own error.
    """
    if isinstance(stack, int) and stack < 1:
        raise DepthubError(f"stack is {stack}, expected auto, off or at least 1")
    store, resolved = Store(Path(runs)), [resolve(spec, data_root) for spec in specs]
    results: dict[int, RunResult | Exception] = {}
    for i, spec in enumerate(resolved):
        found = None if force else store.load(spec)
        if found:
            results[i] = found
            if on_done:
                on_done(i, found, True)
    waiting = [i for i in range(len(resolved)) if i not in results]
    todo = [resolved[i] for i in waiting]
    how = How(data_root, force, workers, cache, image_cache, graphs, recompute)
    if executor:
        outcomes = executor.map(partial(run, runs=runs, deterministic=deterministic, **asdict(how)), todo)
    else:
        outcomes = _here(partial(Attempt, store=store, how=how, on_epoch=on_epoch), todo, stack, on_note)
    with determinism(deterministic), closing(outcomes):  # workers stop at once if the caller does
        for place, outcome in outcomes:
            results[waiting[place]] = outcome
            if on_done:
                on_done(waiting[place], outcome, False)
    for outcome in results.values():
        if isinstance(outcome, Exception):
            raise outcome
    return [r for _, r in sorted(results.items()) if isinstance(r, RunResult)]


def _here(
    begin: Callable[[RunSpec], Attempt], specs: Sequence[RunSpec], stack: Limit, note: OnNote | None
) -> Generator[tuple[int, RunResult | Exception], None, None]:
    """In this process; a failure does not stop the rest. Yields (place among `specs`, outcome) as each run ends."""
    for places in _batches(specs, stack):
        runs = {begin(specs[place]): place for place in places}
        for run, outcome in _carry_out(list(runs), stack, note):
            yield runs[run], outcome


def _batches(specs: Sequence[RunSpec], stack: Limit) -> list[list[int]]:
    """Places of the runs that may train together and are begun together, in the order of the first of each."""
    alike: dict[Hashable, list[int]] = {}
    for place, spec in enumerate(specs):
        training = spec.training
        assert training is not None, "the spec is resolved"
        recipe = (training.batch_size, training.precision, training.augmentation)
        key = (spec.method.name, spec.protocol, spec.data, spec.backbone, spec.shots, recipe)
        alike.setdefault(place if stack in ("off", 1) else key, []).append(place)
    most = max(MOST, stack) if isinstance(stack, int) else MOST
    return [places[i : i + most] for places in alike.values() for i in range(0, len(places), most)]


def _carry_out(runs: Sequence[Attempt], stack: Limit, note: OnNote | None) -> Generator[tuple[Attempt, RunResult | Exception], None, None]:
    """Bring runs to their next training, train them in stacks, and so on; yields each with its outcome as it ends."""
    going = []
    for run in runs:
        outcome = run.advance()
        if outcome is None:
            going.append(run)
        else:
            yield run, outcome
    arranged = arrange([run.course for run in going], stack if all(run.accelerator.num_processes == 1 for run in going) else "off")
    if note:
        for (name, why), number in Counter((going[i].spec.method.name, why) for (i, *_), why in arranged if why).items():
            note(f"{number} {'run' if number == 1 else 'runs'} of {name} trained alone: {why}")
    for places, _ in arranged:
        together = [going[place] for place in places]
        errors = _train(together)
        yield from ((run, error) for run, error in zip(together, errors, strict=True) if error)
        yield from _carry_out([run for run, error in zip(together, errors, strict=True) if not error], stack, note)


def _train(runs: Sequence[Attempt]) -> Sequence[Exception | None]:
    """Train runs together, and share the time out among them; returns what each failed with."""
    watches = [run.watch for run in runs]
    before = watches[0].seconds["train_s"]
    for run in runs:
        run.stacked = max(run.stacked, len(runs))
    try:
        with watches[0].measure("train_s"):
            return fit_together([run.course for run in runs], runs[0].accelerator)
    except Exception as error:
        if len(runs) > 1:
            error.add_note(f"in a stack of {len(runs)} runs; with stack='off' each trains alone, from its last checkpoint on")
        return [error] * len(runs)
    finally:
        share = (watches[0].seconds["train_s"] - before) / len(runs)
        watches[0].seconds["train_s"] = before
        for watch in watches:
            watch.seconds["train_s"] += share
