"""`depthub leaderboard build RUNS`: tables from run files, or from a board's own runs and submissions."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from depthub import boards
from depthub.boards import costs
from depthub.boards.packing import pack_runs
from depthub.cli.options.parser import Parser
from depthub.cli.plural import counted
from depthub.records.entries import RUNS
from depthub.statistics.averages import CONVENTION, Convention
from depthub.system.files import atomic_write
from depthub.values.text import plain

PICTURE = re.compile(r"costs(-\d+)?\.(png|svg)")  # of a setting's costs


def parser() -> Parser:
    """The command's options."""
    build = Parser(description="Average finished runs over seeds and data sets; write leaderboard.json and leaderboard.md.")
    build.add("runs", type=Path, metavar="DIR", help="the folder of run files or of packed runs, or a board with submissions")
    build.add("--out", type=Path, default=Path("leaderboard"), metavar="DIR", help="the folder for the two files")
    build.add("--average", type=Convention, default=CONVENTION, help="average of harmonic scores over data sets; the first is the papers'")
    build.add("--pack", action="store_true", help="also write the runs, packed into one small file per method, into DIR/runs of --out")
    build.add(
        "--costs",
        type=Path | None,
        default=None,
        metavar="FILE",
        help="measured costs, from `depthub cost`; by default costs.json beside the runs",
    )
    build.add("--title", type=str, default="", metavar="TEXT", help="title of the board; by default that of its definition")
    return build


def main(options: Any) -> int:
    """Build; the exit status is 0 also where some runs are left out, which are then named."""
    measured = options.costs or options.runs / costs.FILE
    board = _with_costs(_document(options), measured, required=options.costs is not None)
    is_again = (options.out / "leaderboard.json").is_file()
    packed = pack_runs(options.runs, options.out / RUNS) if options.pack else []
    pictures = _pictures(board, options.out)
    if "costs" in board:
        board["costs"] = {**board["costs"], "pictures": {name: paths[0].name for name, paths in pictures.items()}}
        atomic_write(options.out / costs.FILE, measured.read_bytes())
    files = [*boards.write(board, options.out), *(path for paths in pictures.values() for path in paths)]
    if is_again:
        _clear(options.out, files, has_costs="costs" in board)
    for note in board.get("notes", []):
        print(f"depthub: warning: {note}", file=sys.stderr)
    for entry in board["left_out"]:
        print(f"depthub: warning: left out: {entry['reason']}", file=sys.stderr)
    for row in board["rows"]:
        if row["missing"]:
            print(plain(f"incomplete: {row['label']} lacks {counted(len(row['missing']), 'run')}, listed in {files[1]}"))
    print(plain(f"{counted(len(board['rows']), 'row')}: {', '.join(map(str, [*files, *packed]))}"))
    return 0


def _with_costs(board: dict[str, Any], path: Path, *, required: bool) -> dict[str, Any]:
    """The board with the costs of a file, if it is there."""
    if not required and not path.is_file():
        return board
    board, without_row = costs.with_costs(board, costs.read(path))
    for label in without_row:
        print(f"depthub: warning: {path}: {label} has costs, but no row on this board", file=sys.stderr)
    return board


def _pictures(board: dict[str, Any], folder: Path) -> dict[str, list[Path]]:
    """Pictures of scores and measured costs by setting, of those that have two such rows; none without matplotlib."""
    if "costs" not in board or find_spec("matplotlib") is None:
        return {}
    from depthub.boards.cost_plot import FORMATS, draw_costs

    pictures = {}
    for place, setting in enumerate(board["settings"]):
        rows = [row for row in board["rows"] if row["setting"] == setting["name"]]
        stem = folder / f"costs{f'-{place + 1}' if place else ''}"
        pictures[setting["name"]] = [path for ending in FORMATS if (path := draw_costs(rows, setting, stem.with_suffix(ending)))]
    return {name: paths for name, paths in pictures.items() if paths}


def _clear(folder: Path, written: Sequence[Path], *, has_costs: bool) -> None:
    """Remove the pictures of costs that an earlier build left in a board's folder.

    The measured costs stay: nothing says that they are a copy, and measuring them again may take hours.
    """
    for path in folder.iterdir():
        if PICTURE.fullmatch(path.name) and path not in written:
            path.unlink()
    if not has_costs and (path := folder / costs.FILE).is_file():
        print(f"depthub: warning: {path} is not part of this board; --costs {path} makes it so, or delete the file", file=sys.stderr)


def _document(options: Any) -> dict[str, Any]:
    """The leaderboard of runs, or of a board's own runs and submissions."""
    from depthub.submissions import board, definition

    if (options.runs / definition.FILE).is_file():
        title = options.title or str(definition.read(options.runs).document["title"])
        return board.of_folder(options.runs, title, options.average)
    return boards.of_folder(options.runs, options.title or "depthub leaderboard", options.average)
