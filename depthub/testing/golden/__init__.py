"""Replay records of published implementations: every recorded number is compared with depthub's own.

A case is a pair of files: `NAME.json` describes the computation, `NAME.npz` holds its input and output arrays. The section "Keys" of the
records' README defines every key and array. Results of trainings are recorded in two precisions, under `fp64/` and `fp32/`; few-shot
lists, learning rates and metrics have no precision. The model is `model.safetensors` with its open_clip configuration
`small_clip.json`, in the case's folder or one above it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from depthub.errors import DepthubError
from depthub.testing.golden import calculations
from depthub.testing.golden.class_subsets import class_subsets
from depthub.testing.golden.comparison import Comparison
from depthub.testing.golden.model import CONFIG
from depthub.testing.golden.record import PRECISIONS, Record, named
from depthub.testing.golden.training import training
from depthub.testing.golden.zeroshot import zero_shot

# Limits of the largest error divided by the largest entry, by pattern of the quantity's name; the first match counts.
LIMITS: Mapping[str, tuple[tuple[str, float], ...]] = {
    "fp64": ((r".+/(eq3|window\d+)", 1e-12), (r".*", 1e-10)),
    "fp32": (
        (r"sched/lr", 1e-10),  # computed in float64 in both runs
        (r"(sched/)?loss|train/loss_.+", 2e-4),
        (r"grad/.+", 5e-5),
        (r"after1/.+", 2e-5),
        (r"eval_start/.+|train/.+|\w+_features|text_features_raw|logits|logit_scale", 1e-5),
        (r".*", 5e-4),  # after more than one step, and ratios of sums that nearly cancel
    ),
}


class NotReplayedError(DepthubError):
    """A record of a computation that depthub does not have."""


@dataclass(frozen=True)
class Kind:
    """A kind of case.

    Args:
        key: a key of the JSON that identifies it; None: no key does.
        array: an array that identifies it; None: no array does.
        compare: compares a record with depthub's own numbers, computed with the model of a folder; None: depthub has no such computation.
        reason: the reason if it is not replayed.
    """

    key: str | None
    array: str | None
    compare: Callable[[Comparison, Path | None], None] | None
    reason: str = ""


# The first match counts.
KINDS = (
    Kind(None, "kept_classes/0", class_subsets),
    Kind("replay", "images_train", training),
    Kind("templates", None, zero_shot),
    Kind("seeds", None, calculations.few_shot),
    Kind("schedules", None, calculations.schedule),
    Kind("results", None, calculations.metrics),
    Kind("n_cls", None, calculations.importance),
)
UNKNOWN = Kind(None, None, None, "its keys and arrays are those of no kind that is replayed")


def replay(case: Path, precision: str = "fp64", model: Path | None = None) -> dict[str, float]:
    """Deviations of all recorded quantities of a case, by name: largest error divided by the largest entry.

    `examine(...).left_out()` lists recorded quantities that cannot be compared.

    Args:
        case: its JSON file.
        precision: "fp64" or "fp32"; ignored for records without precision.
        model: folder of the model; None: the case's folder or the one above it.

    Raises:
        DepthubError: if files, keys or arrays are missing or damaged, or a recorded name is not documented; `NotReplayedError` if depthub
            has no such computation.
    """
    return examine(Record(case), precision, model).deviations


def examine(record: Record, precision: str, model: Path | None = None) -> Comparison:
    """Compare a record in one precision; arguments and errors as in `replay`."""
    if precision not in PRECISIONS:
        raise DepthubError(f"precision is {precision!r}, expected one of {', '.join(PRECISIONS)}")
    kind = next((kind for kind in KINDS if kind.key in record.meta or kind.array in record.arrays), UNKNOWN)
    if kind.compare is None:
        raise NotReplayedError(f"{record.path}: {kind.reason}")
    present = record.precisions()
    if present and precision not in present:
        raise DepthubError(f"{record.path} has no {precision} records; ask for {' or '.join(present)}")
    comparison = Comparison(record, precision if present else "")
    with named(record.path):
        kind.compare(comparison, model)
        if not comparison.deviations:
            raise record.error("nothing is recorded that could be compared")
    return comparison


def cases(folder: Path) -> list[Path]:
    """The JSON file of every case of a folder, even if only its arrays exist; hidden files and the model's do not count.

    Raises:
        DepthubError: if the folder is missing or has no cases.
    """
    if not folder.is_dir():
        raise DepthubError(f"{folder} is not a folder; expected a folder of cases, NAME.json with NAME.npz{_remedy(folder)}")
    files = [path for path in folder.iterdir() if path.suffix in (".json", ".npz") and not path.name.startswith(".")]
    paths = sorted({path.with_suffix(".json") for path in files} - {folder / CONFIG})
    if not paths:
        raise DepthubError(f"no cases in {folder}; expected NAME.json with NAME.npz")
    return paths


def tolerance(precision: str, quantity: str) -> float:
    """The largest deviation of a quantity that counts as equal. Quantities without precision have the limits of `fp64`."""
    return next(limit for pattern, limit in LIMITS[precision or "fp64"] if re.fullmatch(pattern, quantity))


def _remedy(folder: Path) -> str:
    return f"; give {folder.parent}" if folder.is_file() else ""
