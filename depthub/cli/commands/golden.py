"""`depthub golden`: replay records of published implementations and show the deviations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from jsonargparse import Namespace

from depthub.cli.options.parser import Parser
from depthub.errors import DepthubError
from depthub.values.text import plain

if TYPE_CHECKING:
    from depthub.testing.golden.comparison import Comparison
    from depthub.testing.golden.record import Record

HELP = "replay golden cases of published implementations and compare"
REPLAYED, NOT_REPLAYED, FAILED = "replayed", "not replayed", "failed"


@dataclass(frozen=True)
class Outcome:
    """The result of one case in one precision.

    Args:
        case: its name.
        state: `REPLAYED`, `NOT_REPLAYED` or `FAILED`.
        precision: of the record; empty if it has none.
        numbers: quantities compared.
        worst: the quantity nearest to its limit, or furthest beyond it.
        deviation: of the worst.
        good: whether all are within their limits.
        note: quantities that were not compared and why, or the error.
    """

    case: str
    state: str
    precision: str = ""
    numbers: int = 0
    worst: str = ""
    deviation: float = 0.0
    good: bool = True
    note: str = ""


def parser() -> Parser:
    """The command's options."""
    golden = Parser("depthub golden", f"{HELP.capitalize()}.")
    golden.add("folder", type=Path, metavar="DIR", help="folder of cases: NAME.json with NAME.npz")
    golden.add("--model", type=Path | None, default=None, metavar="DIR", help="folder of model.safetensors and small_clip.json")
    golden.add(
        "--precisions",
        type=Literal["fp64", "fp32"],
        nargs="+",
        default=[],
        metavar="fp64|fp32",
        help="precisions of the records (default: all of a case)",
    )
    tolerance = "relative tolerance (default: of each quantity its own, 1e-10 in fp64)"
    golden.add("--tolerance", type=float | None, default=None, metavar="X", help=tolerance)
    return golden


def main(config: Namespace) -> int:
    """Replay every case; the exit status is 1 if one could not be read or a deviation is above its tolerance."""
    from depthub.testing.golden import cases
    from depthub.testing.golden.model import check_folder

    if config.tolerance is not None and not (isfinite(config.tolerance) and config.tolerance >= 0):
        raise DepthubError(f"--tolerance is {config.tolerance}, expected 0 or more")
    if config.model is not None:
        check_folder(config.model)
    outcomes = [outcome for case in cases(config.folder) for outcome in _outcomes(case, config)]
    _print(outcomes)
    return int(any(outcome.state == FAILED or not outcome.good for outcome in outcomes))


def _outcomes(case: Path, config: Namespace) -> Iterator[Outcome]:
    """One per precision; a single one for records without a precision, and for unreadable ones."""
    from depthub.testing.golden import NotReplayedError, examine
    from depthub.testing.golden.record import Record

    try:
        record = Record(case)
        precisions = config.precisions or record.precisions()
        for precision in precisions if record.precisions() else ["fp64"]:  # without a precision, any gives the same
            yield _examined(record, examine(record, precision, config.model), config.tolerance)
    except NotReplayedError as error:
        yield Outcome(case.stem, NOT_REPLAYED, note=str(error))
    except DepthubError as error:  # the other cases still count
        yield Outcome(case.stem, FAILED, good=False, note=str(error))


def _examined(record: Record, comparison: Comparison, limit: float | None) -> Outcome:
    from depthub.testing.golden import tolerance

    deviations = comparison.deviations
    limits = {name: tolerance(comparison.precision, name) if limit is None else limit for name in deviations}
    worst = max(deviations, key=lambda name: deviations[name] / limits[name] if limits[name] else deviations[name])
    good = all(deviation <= limits[name] for name, deviation in deviations.items())
    left = comparison.left_out()
    note = f"{record.path}: not compared, as nothing here gives them: {', '.join(left)}" if left else ""
    return Outcome(record.path.stem, REPLAYED, comparison.precision, len(deviations), worst, deviations[worst], good, note)


def _print(outcomes: list[Outcome]) -> None:
    """A table, then a line for each note, then how many cases there were."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table()
    for column in ("case", "record", "numbers", "largest deviation", "of", "ok"):
        table.add_column(column, overflow="fold")
    for one in outcomes:
        replayed = one.state == REPLAYED
        cells = (str(one.numbers), f"{one.deviation:.1e}", one.worst) if replayed else ("", "", one.state)
        words = (one.case, one.precision, *cells, ("yes" if one.good else "NO") if one.state != NOT_REPLAYED else "")
        table.add_row(*(Text(plain(word)) for word in words))
    console = Console()
    console.print(table)
    for note in dict.fromkeys(one.note for one in outcomes if one.note):
        console.print(Text(plain(note)), soft_wrap=True)
    console.print(_total(outcomes), highlight=False)


def _total(outcomes: list[Outcome]) -> str:
    """Each case once: one that failed in any precision has failed."""
    states = {one.case: FAILED if one.state == FAILED else one.state for one in sorted(outcomes, key=lambda one: one.state == FAILED)}
    counts = Counter(states.values())
    shown = [REPLAYED, NOT_REPLAYED, *([FAILED] if counts[FAILED] else [])]
    return ", ".join(f"{counts[state]} {state}" for state in shown)
