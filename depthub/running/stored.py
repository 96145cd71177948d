"""Stored results, used for a run only while code, data and weights are still those that gave them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from depthub.identity.inputs import decisive, differences
from depthub.running.models import frozen

if TYPE_CHECKING:
    from depthub.records.result import RunResult
    from depthub.records.store import Store
    from depthub.running.options import OnNote
    from depthub.running.resolved import Resolved


def usable(resolved: Resolved, store: Store, note: OnNote, download: bool = False) -> RunResult | None:
    """The stored result of a run if its numbers are those that the run would give now; differences are noted in any case.

    Args:
        resolved: the run.
        store: of the results.
        note: called with the differences, one line.
        download: whether weights that a tag names may be downloaded.
    """
    result = store.load(resolved.spec)
    if result is None:
        return None
    recorded = result.provenance.get("inputs")
    if recorded is None:
        return result if _versions_agree(resolved, result, note) else None
    present = inputs_today(resolved, recorded, download)
    if other_numbers := differences(decisive(recorded), decisive(present)):
        note(_computed_again(resolved, other_numbers))
        return None
    if others := differences(recorded, present):
        note(f"stored results are used although {'; '.join(others)} ({store.root})")
    return result


def inputs_today(resolved: Resolved, recorded: Mapping[str, Any], download: bool) -> dict[str, Any]:
    """The inputs of a run on this machine; see `depthub.identity.inputs`.

    Args:
        resolved: the run.
        recorded: the inputs of its stored result.
        download: whether weights that a tag names may be downloaded.
    """
    # the digest of local weights is part of the run's id; for a tag the model must be loaded
    weights = recorded["backbone"] if resolved.spec.backbone.sha256 else frozen(resolved.spec.backbone, download).digest()
    return resolved.inputs(weights)


def _versions_agree(resolved: Resolved, result: RunResult, note: OnNote) -> bool:
    """Whether a result of schema 1.0, which holds no digests of code, comes from the installed versions; noted in any case."""
    recorded = {f"{plugin['kind']} {plugin['name']}": plugin["version"] for plugin in result.provenance.get("plugins", ())}
    present = {part: resolved.code[part]["version"] for part in recorded if part in resolved.code}
    if others := differences(recorded, present):
        note(_computed_again(resolved, others))
        return False
    note("results of schema 1.0 are used; they do not record the code that computed them")
    return True


def _computed_again(resolved: Resolved, reasons: list[str]) -> str:
    return f"run {resolved.spec.run_id[:12]} is computed again, since {'; '.join(reasons)}; the earlier result is kept beside it"
