"""Leaderboards in other forms: every number, nothing but the number, and names that do no harm."""

from __future__ import annotations

import csv
import re
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

import depthub
from depthub.boards.exports import exported
from depthub.cli import main
from depthub.errors import DepthubError
from depthub.values.text import cell, latex

BOARD = Path(__file__).parents[2] / "leaderboards/shapes"


def test_csv_has_every_number_and_reads_back() -> None:
    board = depthub.load_board(BOARD)
    lines = list(csv.DictReader(StringIO(exported(board, "csv"))))
    numbers = {(line["row"], line["data"], line["score"]): (float(line["mean"]), line["std"], int(line["seeds"])) for line in lines}
    expected = {}
    for row in board["rows"]:
        for data, scores in [("average", row["average"]), *row["per_data"].items()]:
            for score, value in scores.items():
                expected[row["label"], data, score] = (value["mean"], "" if value["std"] is None else str(value["std"]), value["n_seeds"])
    assert numbers == expected


def test_latex_has_the_layout_of_papers() -> None:
    text = exported(depthub.load_board(BOARD), "latex")
    lines = text.splitlines()
    assert lines.count("\\toprule") == lines.count("\\bottomrule") == 1
    assert lines.count("\\midrule") == 8  # the average and seven data sets
    rows = [line.removesuffix(" \\\\").split(" & ") for line in lines if line.startswith("CoOp + DePT &")]
    assert rows[0] == ["CoOp + DePT", "\\textbf{84.31}", "60.77", "\\textbf{70.63}"]  # of the average
    assert "\\textbf{71.43}" in text  # zero-shot has the best new accuracy
    assert all(len(row) == 4 for row in rows)
    with_deviations = exported(depthub.load_board(BOARD), "latex", deviations=True)
    assert "\\textbf{84.31} $\\pm$ 0.96" in with_deviations


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["leaderboard", "export", str(BOARD), "--form", "csv"]) == 0
    printed = capsys.readouterr().out
    assert main(["leaderboard", "export", str(BOARD / "leaderboard.json"), "--form", "csv", "--out", str(tmp_path / "board.csv")]) == 0
    assert (tmp_path / "board.csv").read_text() == printed
    assert main(["leaderboard", "export", str(BOARD), "--form", "markdown"]) == 0
    assert capsys.readouterr().out == (BOARD / "leaderboard.md").read_text()
    assert main(["leaderboard", "export", str(tmp_path / "nowhere")]) == 2
    assert "nowhere: No such file or directory; `depthub leaderboard build` writes such a file" in capsys.readouterr().err
    (tmp_path / "broken.json").write_text("{")
    assert main(["leaderboard", "export", str(tmp_path / "broken.json")]) == 2
    assert capsys.readouterr().err.endswith("broken.json is not JSON\n")


@pytest.mark.parametrize("name", ["=1+1", "+A1", "-2", "@SUM(A1)", " =1", "\t=1", "\x1b[31m=1"])
def test_formulas_are_text(name: str) -> None:
    (line,) = csv.reader(StringIO(f'"{cell(name)}"\n'))
    assert line[0].lstrip()[:1] not in "=+-@"
    assert "\x1b" not in line[0]


@given(st.text(max_size=30))
def test_latex_runs_nothing_in_a_name(name: str) -> None:
    text = latex(name)
    # what is left after the commands that we write is without a mark
    rest = re.sub(r"\\text[a-z]+\{\}|\\[&%$#_{}]|\{-\}", "", text)
    assert not re.search(r"[\\&%$#_{}~^<>|\"`\n\x00-\x1f-]", rest)


def test_latex_by_hand() -> None:
    assert latex(r"\input{x} 5%_a & $b^2$ --") == (r"\textbackslash{}input\{x\} 5\%\_a \& \$b\textasciicircum{}2\$ {-}{-}")


def test_boards_that_come_with_depthub_have_names() -> None:
    assert depthub.load_board("embedded")["title"] == "The seven embedded data sets, five seeds"
    with pytest.raises(DepthubError, match="cannot read embeded"):
        depthub.load_board("embeded")
