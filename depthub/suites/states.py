"""States of runs in a store: done, failed, under way or to do.

Nothing is counted again and no weight is loaded, so that ten thousand runs take seconds; `suite run` reads what it
finds with every check."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from depthub.identity.inputs import decisive, differences
from depthub.records import failures
from depthub.records.store import FILE, Store
from depthub.running.claims import Claims
from depthub.running.resolved import Resolved

Name = Literal["done", "failed", "diverged", "working", "begun", "changed", "damaged", "to do"]
COSTS = ("spec", "cost", "samples")
UNFINISHED: tuple[Name, ...] = ("begun", "changed", "damaged", "to do")  # in which a run waits to be done


@dataclass(frozen=True)
class State:
    """The state of a run.

    Args:
        name: "done"; "failed" or "diverged", with the same code and data; "working": a process does it now; "begun": it goes on at its last
            epoch; "changed": its result is of other code, data or weights; "damaged": its file cannot be read; "to do".
        note: the reason; empty where the name says all.
        costs: of a run that is done: the parts of its document that a forecast is made from.
    """

    name: Name
    note: str = ""
    costs: Mapping[str, Any] = field(default_factory=dict)


def states(runs: Sequence[Resolved], store: Store) -> list[State]:
    """The state of each run.

    Args:
        runs: resolved.
        store: of the results.

    Raises:
        DepthubError: if the folder cannot be read.
    """
    active = Claims(store.root).active()
    return [_state(run, store, run.run_id in active) for run in runs]


def _state(run: Resolved, store: Store, is_active: bool) -> State:
    folder = store.root / run.run_id
    if is_active:
        return State("working")
    if not folder.is_dir():
        return State("to do")
    try:
        document = json.loads((folder / FILE).read_bytes())
        changes = _changes(run, document)
    except FileNotFoundError:
        return _unfinished(run, store)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return State("damaged", f"{folder / FILE}: {type(error).__name__}: {error}")
    return State("changed", changes[0]) if changes else State("done", costs={part: document[part] for part in COSTS if part in document})


def _unfinished(run: Resolved, store: Store) -> State:
    folder = store.root / run.run_id
    failure = failures.read(folder)
    if failure and failure.inputs == failures.fingerprint(run.inputs("")):
        return State(failure.status, failure.message)
    return State("begun" if any(folder.glob("tuned-*.safetensors")) else "to do")


def _changes(run: Resolved, document: Mapping[str, Any]) -> list[str]:
    """The differences between the code and data of a result and those of now. Weights are not loaded: local files are part of the run's id,
    and those of a tag are compared when the run is done."""
    if document["run_id"] != run.run_id:
        raise ValueError("it holds another run")
    recorded = document["provenance"].get("inputs")
    if recorded is None:
        return ["it is of schema 1.0, which records no code"]
    return differences(decisive(recorded), decisive(run.inputs(recorded["backbone"])))
