"""Resolved runs on their way to results, in this process or wherever an executor takes them; runs that may train together do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Hashable, Sequence
from contextlib import closing
from functools import partial

from depthub.compute import processes
from depthub.compute.device import determinism
from depthub.compute.numerics import steady
from depthub.executor import Executor
from depthub.identity import inputs
from depthub.records.result import RunResult
from depthub.records.store import Store
from depthub.running.models import frozen
from depthub.running.options import RunOptions, Stack
from depthub.running.resolving import Resolved
from depthub.running.run_job import OnNote, RunJob
from depthub.spec import RunSpec
from depthub.system import launch
from depthub.training.grouping import MOST, group_jobs
from depthub.training.job import OnEpoch
from depthub.training.loop import fit_together

Outcome = tuple[int, RunResult | Exception, bool]


def carry_out(
    runs: Sequence[Resolved],
    store: Store,
    options: RunOptions,
    note: OnNote,
    *,
    do: Callable[[RunSpec], RunResult],
    executor: Executor | None = None,
    on_epoch: OnEpoch | None = None,
    on_alone: OnNote | None = None,
) -> Generator[Outcome, None, None]:
    """Find runs done, or do them; a failure does not stop the rest.

    Args:
        runs: resolved.
        store: of the results.
        options: see `RunOptions`.
        note: told what differs from a stored result or a checkpoint, each line once.
        do: does one run, wherever an executor calls it; picklable.
        executor: where runs go, each on its own; None: this process.
        on_epoch: told the number of epochs done and the mean loss; without an executor only.
        on_alone: told why runs that might train together do not.

    Yields:
        (index, result or error, whether it was found on disk) as each ends.
    """
    note = _once(note)
    waiting = []
    for index, run in enumerate(runs):
        try:
            stored = None if options.force else usable(run, store, note, options.download)
        except Exception as error:
            yield index, error, False
            continue
        if stored:
            yield index, stored, True
        else:
            waiting.append(index)
    todo = [runs[index] for index in waiting]
    if todo:
        store.require_writable()
    if executor:
        outcomes = executor.map(do, [run.spec for run in todo])
    else:
        begin = partial(RunJob, store=store, options=options, on_epoch=on_epoch, note=note)
        outcomes = _here(begin, todo, options.stack, on_alone)
    with determinism(options.deterministic), closing(outcomes):  # workers stop at once if the caller does
        for place, outcome in outcomes:
            yield waiting[place], outcome, False


def usable(resolved: Resolved, store: Store, note: OnNote, download: bool = False) -> RunResult | None:
    """The stored result of a run if its numbers are those that the run would give now; what differs is noted either way.

    Args:
        resolved: the run.
        store: where results are kept.
        note: told in one line what differs.
        download: whether the network may be asked for weights that are named by a tag.
    """
    stored = store.load(resolved.spec)
    if stored is None:
        return None
    name, then = resolved.spec.run_id[:12], stored.provenance.get("inputs")
    if then is None:
        return stored if _versions_agree(resolved, stored, note) else None
    # the digest of local weights is part of the run's id; for a tag's the model has to be there
    weights = then["backbone"] if resolved.spec.backbone.sha256 else frozen(resolved.spec.backbone, download).digest()
    now = resolved.inputs(weights)
    if decisive := inputs.differences(inputs.decisive(then), inputs.decisive(now)):
        note(f"run {name} is computed again, since {'; '.join(decisive)}; the earlier result is kept beside it")
        return None
    if differing := inputs.differences(then, now):
        note(f"stored results are used although {'; '.join(differing)} ({store.root})")
    return stored


def _versions_agree(resolved: Resolved, stored: RunResult, note: OnNote) -> bool:
    """Whether a result of schema 1.0, which holds no digests of code, came from the versions that are installed; noted either way."""
    then = {f"{plugin['kind']} {plugin['name']}": plugin["version"] for plugin in stored.provenance.get("plugins", ())}
    now = {part: resolved.code[part]["version"] for part in then if part in resolved.code}
    if differing := inputs.differences(then, now):
        note(f"run {resolved.spec.run_id[:12]} is computed again, since {'; '.join(differing)}; the earlier result is kept beside it")
        return False
    note("results of schema 1.0 are used, which do not say what code they were computed with")
    return True


def _once(note: OnNote) -> OnNote:
    """Notes that many runs share are told once."""
    said: set[str] = set()

    def tell(line: str) -> None:
        if line not in said:
            said.add(line)
            note(line)

    return tell


def _here(
    begin: Callable[[Resolved], RunJob], runs: Sequence[Resolved], stack: Stack, note: OnNote | None
) -> Generator[tuple[int, RunResult | Exception], None, None]:
    """In this process; a failure does not stop the rest. Yields (place among `runs`, outcome) as each run ends."""
    for places in _batches([one.spec for one in runs], stack):
        attempts = {begin(runs[place]): place for place in places}
        for attempt, outcome in _carry_out(list(attempts), stack, note):
            yield attempts[attempt], outcome


def _batches(specs: Sequence[RunSpec], stack: Stack) -> list[list[int]]:
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


def _carry_out(runs: Sequence[RunJob], stack: Stack, note: OnNote | None) -> Generator[tuple[RunJob, RunResult | Exception], None, None]:
    """Bring runs to their next training, train them in stacks, and so on; yields each with its outcome as it ends."""
    going = []
    for run in runs:
        outcome = _tried(run.advance) if launch.place()[1] == 1 else _tried(partial(_shared, run))
        if outcome is None:
            going.append(run)
        else:
            yield run, outcome
    arranged = group_jobs([run.job for run in going], stack)
    if note:
        for (name, why), number in Counter((going[i].spec.method.name, why) for (i, *_), why in arranged if why).items():
            note(f"{number} {'run' if number == 1 else 'runs'} of {name} trained alone: {why}")
    for places, _ in arranged:
        together = [going[place] for place in places]
        errors = _train(together)
        yield from ((run, error) for run, error in zip(together, errors, strict=True) if error)
        yield from _carry_out([run for run, error in zip(together, errors, strict=True) if not error], stack, note)


def _tried(step: Callable[[], RunResult | None]) -> RunResult | Exception | None:
    try:
        with steady():
            return step()
    except Exception as error:
        return error


def _shared(run: RunJob) -> RunResult:
    """All of a run that several processes share; what one of them fails with ends all."""
    with processes.together(run.accelerator):
        while not (result := run.advance()):
            (error,) = fit_together([run.job], run.accelerator)
            if error:
                raise error
    return result


def _train(runs: Sequence[RunJob]) -> Sequence[Exception | None]:
    """Train runs together; returns what each failed with."""
    for run in runs:
        run.stacked = max(run.stacked, len(runs))
    try:
        with steady():
            return fit_together([run.job for run in runs], runs[0].accelerator)
    except Exception as error:
        if len(runs) > 1:
            error.add_note(f"in a stack of {len(runs)} runs; with stack='off' each trains alone, from its last checkpoint on")
        return [error] * len(runs)
