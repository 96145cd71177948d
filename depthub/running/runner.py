"""From a spec to a result: `run` does one run, `run_many` several, here or through an executor. Stored results are found at once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from depthub.running import recall
from depthub.running.options import OnNote, RunOptions
from depthub.spec import RunSpec
from depthub.system.activity import tell

if TYPE_CHECKING:  # torch is loaded when something must be computed
    from depthub.executor import Executor
    from depthub.records.result import RunResult
    from depthub.running.resolved import Resolved

OnDone = Callable[[int, "RunResult | Exception", bool], None]
OnEpoch = Callable[[int, float], None]
_log = logging.getLogger("depthub")


def resolve(spec: RunSpec, data_root: Path | None = None) -> RunSpec:
    """The spec with everything written out that the numbers depend on; nothing is trained, and no image is decoded.

    Args:
        spec: of the run.
        data_root: folder that holds the data sets.

    Raises:
        DepthubError: for unknown names or settings, for files that are missing or not those of the spec, and for data that cannot give a
            right number.
    """
    from depthub.running.resolving import Resolver

    return Resolver(data_root)(spec).spec


def run(
    spec: RunSpec,
    *,
    runs: Path = Path("runs"),
    options: RunOptions = RunOptions(),  # noqa: B008 - frozen
    on_epoch: OnEpoch | None = None,
    on_note: OnNote | None = None,
    **changes: Any,
) -> RunResult:
    """Do one run, or find its stored result.

    Args:
        spec: of the run; it is resolved first.
        runs: folder of the run files.
        options: where files are, and how the work is done; they do not affect results.
        on_epoch: called with the number of epochs done in a stage and the mean loss; by default `depthub.progress` shows them.
        on_note: called with each difference from a stored result or a checkpoint, one line; by default the logger `depthub`.
        changes: single options by name, for example `force=True`.

    Raises:
        DepthubError: for user errors.
    """
    (result,) = run_many([spec], runs=runs, options=options.changed({"stack": "off", **changes}), on_epoch=on_epoch, on_note=on_note)
    return result


def run_many(
    specs: Sequence[RunSpec],
    *,
    runs: Path = Path("runs"),
    options: RunOptions = RunOptions(),  # noqa: B008 - frozen
    executor: Executor | None = None,
    on_done: OnDone | None = None,
    on_epoch: OnEpoch | None = None,
    on_note: OnNote | None = None,
    **changes: Any,
) -> list[RunResult]:
    """Do several runs and return their results in the order of `specs`.

    Every spec is checked before the first run starts. Results on disk are found; the executor does the other runs. Without an executor they
    are done here, and runs that differ only in seed, head, settings or learning rate train together, with the numbers of separate runs.

    Args:
        specs: of the runs.
        runs, options, on_epoch, changes: as in `run`.
        executor: does packs of runs that train together; by default this process does all. Other processes lack whatever
            `depthub.register` added.
        on_done: called with (index, result or error, found_on_disk) when a run ends; by default `depthub.progress` counts them.
        on_note: as in `run`, and called with the reason why runs that might train together do not.

    Raises:
        DepthubError: if runs failed, after all others have ended; the error of the first failure.
    """
    options = options.changed(changes)
    request = {"specs": [spec.as_dict() for spec in specs], "runs": str(runs), "data_root": str(options.data_root)}
    results = None if options.force else recall.answer(request)
    if results is not None:
        for index, result in enumerate(results if on_done else ()):
            on_done(index, result, True)  # type: ignore[misc]
        return results
    from depthub.running.resolving import Resolver

    resolver = Resolver(options.data_root, download=options.download, cache=options.cache)
    resolved = [resolver(spec) for spec in specs]
    results = run_resolved(resolved, Path(runs), options, executor=executor, on_done=on_done, on_epoch=on_epoch, on_note=on_note)
    recall.keep(request, results, places(resolved))
    return results


def run_resolved(
    resolved: Sequence[Resolved],
    runs: Path,
    options: RunOptions,
    *,
    executor: Executor | None = None,
    on_done: OnDone | None = None,
    on_epoch: OnEpoch | None = None,
    on_note: OnNote | None = None,
) -> list[RunResult]:
    """As `run_many`, for resolved specs."""
    from depthub.records.store import Store
    from depthub.registry.plugins import installed
    from depthub.running.jobs import carry_out
    from depthub.running.session import forget_changed_images, session_parts

    for one in resolved:
        options.require_replayable(one.training)
    forget_changed_images(resolved, installed())
    outcomes: dict[int, RunResult | Exception] = {}
    parts = session_parts(resolved, installed()) if executor else []
    note, on_epoch = on_note or _log.warning, on_epoch or _tell_epoch
    carry = partial(carry_out, on_epoch=on_epoch, on_alone=on_note, session_part=parts[0] if parts else "")
    events = carry(resolved, Store(runs), options, note, executor=executor)
    with closing(events):
        for index, outcome, found_on_disk in events:
            outcomes[index] = outcome
            if on_done:
                on_done(index, outcome, found_on_disk)
            elif len(resolved) > 1:
                tell("runs", len(outcomes), len(resolved))
    for outcome in outcomes.values():
        if isinstance(outcome, Exception):
            raise outcome
    return [outcome for _, outcome in sorted(outcomes.items()) if not isinstance(outcome, Exception)]


def places(resolved: Sequence[Resolved]) -> list[Path] | None:
    """The files and folders that the numbers of runs depend on.

    None where a data set does not say, or where something that this session registered takes part.
    """
    from depthub.registry.plugins import installed
    from depthub.running.session import session_parts

    if session_parts(resolved, installed()):
        return None
    paths = list[Path]()
    for one in resolved:
        if one.places is None:
            return None
        paths += one.places
    return paths


def _tell_epoch(epochs_done: int, loss: float) -> None:
    tell(f"training: epoch {epochs_done} done, loss {loss:.3f}")
