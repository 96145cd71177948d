"""The pages as text: every number of a board is there, hostile names are harmless, and commands do the runs that they name."""

from __future__ import annotations

import json
import shlex
from html.parser import HTMLParser
from pathlib import Path

import pytest

from depthub.boards import board, write as write_board
from depthub.cli import main
from depthub.cli.commands import run as run_command
from depthub.cli.options.run_specs import specs
from depthub.errors import DepthubError
from depthub.running.resolving import Resolver
from depthub.site.build import write
from depthub.site.views import command, slug
from tests.boards.runs import three
from tests.site.conftest import ROOT


class Cells(HTMLParser):
    """The texts of all cells of a page's tables."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.cells: list[str] = []
        self.tags: set[str] = set()
        self.inside = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)
        if tag in ("td", "th"):
            self.inside += 1
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        self.inside -= tag in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.cells[-1] += data


def test_every_number_of_the_board_is_on_its_page(site: Path) -> None:
    document = json.loads((ROOT / "leaderboards/embedded/leaderboard.json").read_text())
    cells = " ".join(Cells((site / "boards/embedded.html").read_text()).cells)
    for row in document["rows"]:
        for scores in (row["average"], *({"H": of["H"]} for of in row["per_data"].values())):
            assert all(f"{score['mean']:.2f} ± {score['std']:.2f}" in cells for score in scores.values()), row["label"]
    for name in document["settings"][0]["data"]:
        page = " ".join(Cells((site / "data" / f"{slug(name)}.html").read_text()).cells)
        assert all(f"{score['mean']:.2f}" in page for row in document["rows"] for score in row["per_data"][name].values())


def test_the_same_boards_give_the_same_bytes(site: Path, tmp_path: Path) -> None:
    assert main(["leaderboard", "site", str(ROOT / "leaderboards"), "--out", str(tmp_path / "again")]) == 0
    pages = {path.relative_to(site): path.read_bytes() for path in site.rglob("*.*")}
    assert {path.relative_to(tmp_path / "again"): path.read_bytes() for path in (tmp_path / "again").rglob("*.*")} == pages


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", '" onload="x', "\x1b[31mred", "\u202eabc", "{{ 7 * 7 }}", "../../x", "a" * 300]
)
def test_hostile_names_are_harmless(tmp_path: Path, name: str) -> None:
    document = json.loads(json.dumps(board(three())))
    document["title"] = name
    text = json.dumps(document).replace('"CoOp', json.dumps(name)[:-1]).replace('"tones"', json.dumps(name))
    (tmp_path / "boards/one").mkdir(parents=True)
    (tmp_path / "boards/one/leaderboard.json").write_text(text)
    for path in write([tmp_path / "boards"], tmp_path / "site"):
        page = path.read_text()
        assert Cells(page).tags.isdisjoint({"iframe", "object"})
        assert page.count("<script") == 1
        assert "onload=" not in page.replace("&#34; onload=", "")
        assert "\x1b" not in page
        assert "\u202e" not in page
        assert ">49<" not in page
        assert path.resolve().is_relative_to(tmp_path / "site")


def test_commands_do_the_runs_of_the_rows() -> None:
    document = json.loads((ROOT / "leaderboards/embedded/leaderboard.json").read_text())
    resolver = Resolver()
    for row in document["rows"]:
        words = shlex.split(command(row))
        assert words[:2] == ["depthub", "run"]
        typed = [resolver(spec).run_id for spec in specs(run_command.parser().parse_args(words[2:]))]
        data = row["runs"][0]["data"]
        assert typed == [run["run_id"] for run in row["runs"] if run["data"] == data], row["label"]


def test_another_folder_is_not_overwritten(tmp_path: Path) -> None:
    write_board(board(three()), tmp_path / "one")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("keep")
    with pytest.raises(DepthubError, match="not a site"):
        write([tmp_path / "one"], tmp_path / "mine")
    with pytest.raises(DepthubError, match=r"no leaderboard\.json"):
        write([tmp_path / "mine"], tmp_path / "out")
    assert (tmp_path / "mine/notes.txt").read_text() == "keep"


def test_boards_of_few_and_untrained_rows(tmp_path: Path) -> None:
    """One row, one data set, one seed: no statistics, no costs to compare, and pages all the same."""
    write_board(board(three((1,), ("tones",))[:1]), tmp_path / "one")
    write([tmp_path / "one"], tmp_path / "site")
    assert "Unknown" in (tmp_path / "site/boards/one.html").read_text()
