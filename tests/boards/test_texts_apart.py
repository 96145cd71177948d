"""Boards rank runs with class texts apart from those without, and from those with others."""

from __future__ import annotations

from pathlib import Path

from depthub import TextsSpec
from depthub.boards import board
from depthub.boards.markdown import markdown
from depthub.cli import main
from tests.boards.runs import result, saved

SHAPES, MINE = TextsSpec("shapes", "ab" * 32), TextsSpec("/home/me/mine.json", "cd" * 32)


def test_each_file_of_texts_is_a_setting_of_its_own() -> None:
    runs = [result("CoOp", base=50 + place, seed=seed, texts=texts) for seed in (1, 2) for place, texts in enumerate((None, SHAPES, MINE))]
    document = board(runs)
    names = [setting["name"] for setting in document["settings"]]
    assert names == [
        "BaseToNew, shapes",
        "BaseToNew, shapes, league T, texts mine.json (cdcdcdcd)",
        "BaseToNew, shapes, league T, texts shapes (abababab)",
    ]
    assert [(row["setting"], row["rank"], row["league"]) for row in document["rows"]] == [
        (name, 1, "S" if place == 0 else "T") for place, name in enumerate(names)
    ]
    headings = [line for line in markdown(document).splitlines() if line.startswith("## ")]
    assert [heading.replace("\\", "") for heading in headings] == [f"## {name}" for name in names]


def test_no_row_is_compared_with_one_of_another_setting() -> None:
    document = board([result("ZeroShot"), result("CoOp"), result("CoOp", base=80, texts=SHAPES)])
    against = {row["setting"]: row["difference"] and row["difference"]["against"] for row in document["rows"] if row["label"] == "CoOp"}
    assert list(against.values()) == ["ZeroShot", None]


def test_pages_say_so_and_how_to_run_them(tmp_path: Path) -> None:
    runs = saved(tmp_path / "runs", [result("CoOp", seed=seed, texts=texts) for seed in (1, 2) for texts in (None, MINE)])
    assert main(["leaderboard", "build", str(runs), "--out", str(tmp_path / "board")]) == 0
    assert main(["leaderboard", "site", str(tmp_path / "board"), "--out", str(tmp_path / "site")]) == 0
    pages = "".join(path.read_text() for path in (tmp_path / "site").rglob("*.html"))
    assert "league T, texts mine.json (cdcdcdcd)" in pages
    assert "--texts mine.json" in pages
    assert "--texts.sha256" not in pages
