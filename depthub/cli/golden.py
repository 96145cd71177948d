"""`depthub golden`: replay records of published implementations and show how far each number is off."""

from __future__ import annotations

from pathlib import Path

from jsonargparse import Namespace

from depthub.cli.parser import Parser
from depthub.errors import DepthubError

HELP = "replay golden cases of published implementations and compare"


def parser() -> Parser:
    """The command's options."""
    made = Parser("depthub golden", HELP)
    made.add_argument("folder", type=Path, metavar="DIR", help="folder of cases: NAME.json with NAME.npz")
    made.add_argument("--model", type=Path | None, default=None, help="folder of model.safetensors and small_clip.json")
    made.add_argument("--precisions", type=str, nargs="+", default=["fp64", "fp32"], choices=["fp64", "fp32"], help="of the records")
    made.add_argument("--tolerance", type=float | None, default=None, help="relative; by default 1e-10 in fp64, the records' own in fp32")
    return made


def main(config: Namespace) -> int:
    """Replay every training case; the exit status is 1 if a deviation is above its tolerance."""
    from rich.console import Console
    from rich.table import Table

    from depthub.testing.golden import replay, tolerance

    cases = [path for path in sorted(config.folder.glob("*.json")) if '"trainer_config"' in path.read_text()]
    if not cases:
        raise DepthubError(f"no training cases in {config.folder}; expected NAME.json with a trainer_config, beside NAME.npz")
    table, failed = Table(), False
    for column in ("case", "record", "numbers", "largest deviation", "of", "ok"):
        table.add_column(column, overflow="fold")
    for case in cases:
        for precision in config.precisions:
            try:
                found = replay(case, precision, config.model)
            except DepthubError as error:  # the other cases still count
                failed = True
                table.add_row(case.stem, precision, "", "", str(error), "NO")
                continue
            limits = {name: config.tolerance or tolerance(precision, name) for name in found}
            # the worst is what comes nearest to its own limit, or lies beyond
            worst = max(found, key=lambda name: found[name] / limits[name])
            good = all(deviation <= limits[name] for name, deviation in found.items())
            failed |= not good
            table.add_row(case.stem, precision, str(len(found)), f"{found[worst]:.1e}", worst, "yes" if good else "NO")
    Console().print(table)
    return int(failed)
