"""A finished run done again: exactly its spec, with a list of what else differs, and the counts side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from depthub.errors import DepthubError
from depthub.identity.inputs import differences
from depthub.records.document import read
from depthub.records.result import RunResult
from depthub.records.store import Store
from depthub.running.options import RunOptions
from depthub.running.resolving import Resolver
from depthub.running.runner import run_resolved
from depthub.running.stored import inputs_today
from depthub.running.text_files import with_texts

if TYPE_CHECKING:
    from depthub.protocol import Count
    from depthub.running.resolved import Resolved
    from depthub.spec import BackboneSpec

PLACE = Path("reproduced")  # of the new results


@dataclass(frozen=True)
class Reproduction:
    """A finished run and the same run again.

    Args:
        original: the recorded result.
        result: the new one.
        differences: between the recorded code, data, weights and versions and today's, one phrase each; none if all are equal.
    """

    original: RunResult
    result: RunResult
    differences: tuple[str, ...]

    @property
    def counts(self) -> Mapping[str, tuple[Count | None, Count | None]]:
        """The recorded and the new count of each test task; None where one of them has no such task."""
        then, now = self.original.counts, self.result.counts
        return {task: (then.get(task), now.get(task)) for task in dict.fromkeys([*then, *now])}

    @property
    def agrees(self) -> bool:
        """Whether all counts are equal."""
        return self.original.counts == self.result.counts


@dataclass(frozen=True)
class Again:
    """A finished run, ready to be done again.

    Args:
        original: the recorded result.
        resolved: its spec on this machine.
        options: of the new run.
    """

    original: RunResult
    resolved: Resolved
    options: RunOptions

    @classmethod
    def of(
        cls,
        original: RunResult,
        data: str = "",
        backbone: BackboneSpec | None = None,
        options: RunOptions | None = None,
        texts: str = "",
    ) -> Again:
        """Find everything that the run needs on this machine; see `reproduce`."""
        options, spec = options or RunOptions(), original.spec
        weights = replace(backbone or spec.backbone, sha256=spec.backbone.sha256)
        spec = with_texts(replace(spec, data=replace(spec.data, name=data or spec.data.name), backbone=weights), texts)
        resolver = Resolver(options.data_root, download=options.download, cache=options.cache)
        return cls(original, resolver(spec), options)

    @cached_property
    def differences(self) -> tuple[str, ...]:
        """See `Reproduction`."""
        then, now = self.original.spec.run_id, self.resolved.run_id
        changes = [f"run id was {then[:12]}, is {now[:12]}: the spec has other settings today"] if then != now else []
        recorded: dict[str, Any] | None = self.original.provenance.get("inputs")
        if recorded is None:
            return (*changes, "this run has schema 1.0, which did not record code, data and weights")
        return (*changes, *differences(recorded, inputs_today(self.resolved, recorded, self.options.download)))

    def carry_out(self, runs: Path, **callbacks: Any) -> Reproduction:
        """Do the run, or find its result there.

        Args:
            runs: folder of the new result.
            callbacks: `executor`, `on_epoch` and `on_note` of `depthub.run_many`.

        Raises:
            DepthubError: if it fails, or `runs` holds the recorded run.
        """
        self._require_other_place(runs)
        (result,) = run_resolved([self.resolved], runs, self.options, **callbacks)
        return Reproduction(self.original, result, self.differences)

    def _require_other_place(self, runs: Path) -> None:
        """Refuse a folder where the new result would take the place of the recorded one.

        Raises:
            DepthubError: with the reason.
        """
        folder = Store(runs).path(self.resolved.spec)
        if self.original.folder and folder.resolve() == self.original.folder.resolve():
            raise DepthubError(f"{runs} holds the recorded run itself; choose another folder for the new one with runs (--runs)")


def reproduce(
    run: RunResult | Path | str,
    *,
    runs: Path = PLACE,
    data: str = "",
    backbone: BackboneSpec | None = None,
    options: RunOptions = RunOptions(),  # noqa: B008 - frozen
    texts: str = "",
) -> Reproduction:
    """Do a finished run again, and compare.

    Args:
        run: a result, a run's folder, or its run.json; also of another machine.
        runs: folder of the new result, which is found there if it was done before.
        data: `folder:PATH` or `list:FILE` for a run with pictures of the user's own, whose name has no path. Other contents are refused.
        backbone: the place of the backbone's weights, if it is not the one that the run names. Other weights are refused.
        options: see `depthub.run`.
        texts: the place of the run's file of class texts, if it is not in this folder. Other texts are refused.

    Raises:
        DepthubError: if the run cannot be read or done again, and if `runs` holds the recorded run.
    """
    original = run if isinstance(run, RunResult) else read(Path(run))
    return Again.of(original, data, backbone, options, texts).carry_out(Path(runs))
