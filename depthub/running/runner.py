"""From a spec to a result: `run` does one, `run_many` does several wherever an executor takes them. What is done is found at once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from depthub.errors import DepthubError
from depthub.running import recall
from depthub.running.options import RunOptions
from depthub.spec import RunSpec
from depthub.system.activity import tell

if TYPE_CHECKING:  # torch is loaded when something is to be computed
    from depthub.executor import Executor
    from depthub.records.result import RunResult
    from depthub.running.resolving import Resolved

OnDone = Callable[[int, "RunResult | Exception", bool], None]
OnEpoch = Callable[[int, float], None]
OnNote = Callable[[str], None]
_log = logging.getLogger("depthub")


def resolve(spec: RunSpec, data_root: Path | None = None) -> RunSpec:
    """The spec with everything spelt out that the numbers depend on; nothing is trained, and no image is read.

    Args:
        spec: what to run.
        data_root: folder that holds the data sets.

    Raises:
        DepthubError: for unknown names or settings, for files that are missing or not those the spec names, and for data that cannot give
            a right number.
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
    """Do one run, or find it done.

    Args:
        spec: what to run; it is resolved first.
        runs: folder of the run files.
        options: where things lie and how the work is done; they change no number.
        on_epoch: called with the number of epochs done in a stage, and the mean loss; by default `depthub.progress` shows them.
        on_note: called with what differs from a stored result or a checkpoint, one line; by default the logger `depthub`.
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

    Every spec is checked before the first is run. Finished runs are found on disk; the others go to the executor. Without one they are done
    here, and those that differ in seed, head, settings or learning rate only train together, each as if it were alone.

    Args:
        specs: what to run.
        runs, options, on_epoch, changes: as in `run`.
        executor: where runs go, each on its own; by default into this process. Other processes have nothing that `depthub.register` knows.
        on_done: called with (index, result or error, found on disk) when a run ends; by default `depthub.progress` counts them.
        on_note: as in `run`, and called with the reason why runs that might train together do not.

    Raises:
        DepthubError: if runs failed, after all others have ended; the first failure's own error.
    """
    options = options.changed(changes)
    request = {"specs": [spec.as_dict() for spec in specs], "runs": str(runs), "data_root": str(options.data_root)}
    stored = None if options.force else recall.answer(request)
    if stored is not None:
        for index, result in enumerate(stored if on_done else ()):
            on_done(index, result, True)  # type: ignore[misc]
        return stored
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
    """As `run_many`, of specs that are resolved already."""
    from depthub.records.store import Store
    from depthub.registry.plugins import installed
    from depthub.running.jobs import carry_out
    from depthub.running.session import look_again, own

    look_again(resolved, installed())
    outcomes: dict[int, RunResult | Exception] = {}
    do = _Work(runs, options, own(resolved, installed()))
    note = on_note or _log.warning
    ended = carry_out(resolved, Store(runs), options, note, do=do, executor=executor, on_epoch=on_epoch or _tell_epoch, on_alone=on_note)
    with closing(ended):
        for index, outcome, on_disk in ended:
            outcomes[index] = outcome
            if on_done:
                on_done(index, outcome, on_disk)
            elif len(resolved) > 1:
                tell("runs", len(outcomes), len(resolved))
    for outcome in outcomes.values():
        if isinstance(outcome, Exception):
            raise outcome
    return [outcome for _, outcome in sorted(outcomes.items()) if not isinstance(outcome, Exception)]


def places(resolved: Sequence[Resolved]) -> list[Path] | None:
    """The files and folders that the runs read; None if those of one are not known, or if they use what this session registered."""
    from depthub.registry.plugins import installed
    from depthub.running.session import own

    if own(resolved, installed()):
        return None
    known = [one.read for one in resolved if one.read is not None]
    return [path for paths in known for path in paths] if len(known) == len(resolved) else None


def _tell_epoch(done: int, loss: float) -> None:
    tell(f"training: epoch {done} done, loss {loss:.3f}")


@dataclass(frozen=True)
class _Work:
    """Does one run, wherever an executor calls it.

    Args:
        runs: folder of the run files.
        options: of the run.
        own: what the runs use that only this process has, in words.
    """

    runs: Path
    options: RunOptions
    own: Sequence[str] = ()

    def __call__(self, spec: RunSpec) -> RunResult:
        return run(spec, runs=self.runs, options=self.options)

    def __getstate__(self) -> dict[str, Any]:
        """Asked for on the way to another process.

        Raises:
            DepthubError: if that process lacks something.
        """
        if self.own:
            raise DepthubError(
                f"{self.own[0]} is registered for this session only, and other processes do not have it; "
                "run without an executor, or make it a plugin"
            )
        return dict(vars(self))
