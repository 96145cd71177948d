"""The boards in the repository are made of their run files and nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from depthub.cli import main

ROOT = Path(__file__).parents[2]
BOARDS = sorted(path.parent for path in (ROOT / "leaderboards").glob("*/leaderboard.json"))


@pytest.mark.parametrize("folder", BOARDS, ids=lambda folder: folder.name)
def test_a_board_is_rebuilt_byte_for_byte_from_its_runs(folder: Path, tmp_path: Path) -> None:
    title = json.loads((folder / "leaderboard.json").read_text())["title"]
    assert main(["leaderboard", "build", str(folder), "--pack", "--out", str(tmp_path), "--title", title]) == 0
    rebuilt = [path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()]
    assert {path for path in rebuilt if path.suffix == ".jsonl"} == {path.relative_to(folder) for path in folder.glob("runs/*")}
    for path in rebuilt:
        if path.suffix in (".png", ".svg"):  # another matplotlib draws other bytes
            assert (folder / path).is_file()
        else:
            assert (tmp_path / path).read_bytes() == (folder / path).read_bytes()


@pytest.mark.parametrize("folder", BOARDS, ids=lambda folder: folder.name)
def test_a_board_is_small(folder: Path) -> None:
    document = json.loads((folder / "leaderboard.json").read_text())
    assert sum(path.stat().st_size for path in folder.rglob("*")) < 200_000 * len(document["rows"])


def test_the_readme_of_the_embedded_data_gives_the_boards_figures() -> None:
    board = json.loads((ROOT / "leaderboards/shapes/leaderboard.json").read_text())
    rows = {row["label"]: row for row in board["rows"]}
    text = (ROOT / "plugins/depthub_shapes/README.md").read_text()
    for name in [*board["settings"][0]["data"], "average"]:
        cells = [
            " / ".join(f"{scores[score]['mean']:.1f}" for score in ("base", "new", "H"))
            for scores in (
                row["average"] if name == "average" else row["per_data"][name]
                for row in (rows["ZeroShot"], rows["CoOp"], rows["CoOp + DePT"])
            )
        ]
        label = name if name == "average" else f"`{name}`"
        assert re.search(rf"^\| {label} \| {re.escape(' | '.join(cells))} \|$", text, re.MULTILINE), (name, cells)


def test_the_embedded_data_show_the_trade_off_that_they_were_made_for() -> None:
    board = json.loads((ROOT / "leaderboards/shapes/leaderboard.json").read_text())
    zero, coop, dept = (
        {k: v["mean"] for k, v in row["average"].items()} for row in sorted(board["rows"], key=lambda row: row["average"]["base"]["mean"])
    )
    assert min(zero["base"], zero["new"]) >= 60
    assert coop["base"] >= zero["base"] + 3
    assert coop["new"] <= zero["new"] - 2
    assert dept["base"] >= coop["base"] + 4
    assert dept["H"] >= coop["H"] + 1.5


def test_the_embedded_board_has_every_method_with_every_control() -> None:
    document = json.loads((ROOT / "leaderboards/embedded/leaderboard.json").read_text())
    rows = {row["label"]: row for row in document["rows"]}
    methods = {label for label in rows if " + " not in label} - {"ZeroShot"}
    assert {row["level"] for row in rows.values()} == {"checked"}
    assert all(row["complete"] for row in rows.values())
    controlled = {method for method in methods if f"{method} + DePT (balance=0.0)" in rows}
    assert len(controlled) == 9
    assert all(f"{method} + DePT" in rows for method in methods - controlled)
    assert len(methods) == 22
    for method in controlled:
        control = rows[f"{method} + DePT (balance=0.0)"]
        assert control["per_data"] == rows[method]["per_data"], method  # the head switched off is the method, seed by seed
        counts = [[run["counts"] for run in row["runs"]] for row in (control, rows[method])]
        assert counts[0] == counts[1]
