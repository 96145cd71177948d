"""Tables from LaTeX: the layouts of papers and of `depthub leaderboard export`, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from depthub.boards.exports import exported
from depthub.cli import main
from depthub.errors import DepthubError
from depthub.literature.claims import claims
from depthub.literature.latex_tables import parsed_latex

BOARD = Path(__file__).parents[2] / "leaderboards/shapes/leaderboard.json"

GROUPS = r"""
\begin{table*}[t]\caption{Base to new}
\begin{tabular}{l|ccc|ccc}
\toprule
\multirow{2}*{Method} & \multicolumn{3}{c|}{\textbf{Average over 11}} & \multicolumn{3}{c}{Caltech101} \\
\cmidrule(lr){2-4}\cmidrule(lr){5-7}
 & Base & New & H & Base & New & H \\ \midrule
CoOp~\cite{one,two} & 81.50 & 69.77 & 75.18 & 97.66 & \underline{93.90} & 95.74 \\[2pt]
\rowcolor{gray!20}
\textbf{+DePT} & \textbf{83.66} & 71.82$_{\pm 0.3}$ & {\bf 77.29} & 98.33{\tiny(+0.6)} & 94.33 & \cellcolor[HTML]{FFF}96.29 \\ % 1 & 2
\hline
Method & \multicolumn{3}{c|}{DTD} & \multicolumn{3}{c}{UCF\_101} \\
 & Base & Novel & HM & Base & Novel & HM \\
CoOp & 79.33 & 49.70 & 61.11 & - & -- & \\
CoPrompt$^*$ & - & - & - & n/a & - & 80.1 \\
\bottomrule
\end{tabular}\end{table*}
"""
BLOCKS = r"""
\begin{tabular}{lrr}
 & base & new \\
\multicolumn{3}{l}{\emph{average}} \\
CoOp & 70.00 & 60.00 \\
\multicolumn{3}{l}{\emph{DTD}} \\
CoOp & 71.00 & 61.00
\end{tabular}
"""
PARTS = r"""
\begin{table}
\begin{subtable}{.3\textwidth}\caption{(a) \textbf{Average}.}\begin{tabular}{lccc}&Base&New&H\\CoOp&60&30&40\\\end{tabular}\end{subtable}
\begin{subtable}{.3\textwidth}\caption{DTD}
\begin{tabular*}{\textwidth}{@{\extracolsep{\fill}}lccc}&Base&New&H\\CoOp&61&31&41\\\end{tabular*}\end{subtable}
\end{table}
"""
COLUMNS = r"""
\begin{tabular}{lccccc}
Method & Venue & Source & \multicolumn{3}{c}{Target} \\
 & & ImgNet & Pets & DTD & Avg. \\
A & CVPR & 71.0 & 90.0 & 40.0 & 65.0 \\
$\Delta$ & & +1.0 & -2.0 & +0.1 & $-$1.0 \\
\end{tabular}
\begin{tabular}{lcc} Method & ImageNet & DTD \\ A & 71 & 45 \\ \end{tabular}
"""


def read(text: str) -> dict[tuple[str, ...], str]:
    return {(number.table, number.row, number.data, number.score): number.text for number in parsed_latex(text, "it.tex")}


def test_data_sets_as_groups_of_columns() -> None:
    cells = read(GROUPS)
    assert len(cells) == 6 + 6 + 3 + 1
    assert cells["1", "CoOp", "average", "base"] == "81.50"
    assert cells["1", "CoOp+DePT", "average", "new"] == "71.82"
    assert cells["1", "CoOp+DePT", "Caltech101", "base"] == "98.33"
    assert cells["1", "CoOp+DePT", "Caltech101", "H"] == "96.29"
    assert cells["1", "CoOp", "DTD", "H"] == "61.11"
    assert cells["1", "CoPrompt*", "UCF_101", "H"] == "80.1"


def test_blocks_and_parts_of_a_table() -> None:
    assert read(BLOCKS) == {
        ("1", "CoOp", "average", "base"): "70.00",
        ("1", "CoOp", "average", "new"): "60.00",
        ("1", "CoOp", "DTD", "base"): "71.00",
        ("1", "CoOp", "DTD", "new"): "61.00",
    }
    assert list(read(PARTS).values()) == ["60", "30", "40", "61", "31", "41"]
    assert {place[:3] for place in read(PARTS)} == {("1", "CoOp", "average"), ("1", "CoOp", "DTD")}


def test_a_data_set_in_a_column() -> None:
    """The venue is no score, and what has a sign is a difference."""
    assert read(COLUMNS) == {
        ("1", "A", "ImgNet", "source"): "71.0",
        ("1", "A", "Pets", "target"): "90.0",
        ("1", "A", "DTD", "target"): "40.0",
        ("1", "A", "average", "target"): "65.0",
        ("2", "A", "ImageNet", "accuracy"): "71",
        ("2", "A", "DTD", "accuracy"): "45",
    }


@pytest.mark.parametrize("deviations", [False, True])
def test_what_depthub_exports_comes_back(deviations: bool) -> None:
    board = json.loads(BOARD.read_text())
    numbers = parsed_latex(exported(board, "latex", deviations=deviations), "it.tex")
    assert len(numbers) == 3 * 8 * 3
    rows = {row["label"]: {"average": row["average"], **row["per_data"]} for row in board["rows"]}
    assert all(number.text == f"{rows[number.row][number.data][number.score]['mean']:.2f}" for number in numbers)
    (claim,) = claims(numbers)
    assert (claim.row, claim.against, claim.sets) == ("CoOp + DePT", "CoOp", 7)


def tabular(rows: str) -> str:
    return f"\\begin{{tabular}}{{lc}}\n{rows}\n\\end{{tabular}}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (tabular("& Base \\\\\nA & 8l.5 \\\\\nB & 3 \\\\"), "it.tex, line 3: '8l.5' is no percentage, such as 81.50"),
        (tabular("& Base & H \\\\\nA & 81 & 81.5\\std{3} \\\\"), "it.tex, line 3: '81.5 3' below 'H' is no percentage"),
        (tabular("& Base \\\\\nA & 381 \\\\"), "it.tex, line 3: '381' below 'base' is no percentage"),
        (tabular("A & 81.5 \\\\"), "it.tex, line 2: numbers without a header above them"),
        (tabular("& Base \\\\\n & 81.5 \\\\"), "it.tex, line 3: numbers without a name in the first column"),
        (tabular("& Base \\\\\nA & 81 \\\\\nA & 82"), "it.tex has table 1, A, average, base twice"),
        (tabular("& {Base \\\\"), "it.tex, line 3: a brace that is not closed in its table"),
        (tabular("& Base} \\\\"), "it.tex, line 2: braces that do not match"),
        (tabular("& " + "{" * 60 + "}" * 60), "it.tex, line 2: braces that do not match, or more than 30"),
        (tabular("& \\multicolumn{99999999}{c}{Base} \\\\"), "line 2: \\multicolumn over '99999999' columns"),
        (tabular("& \\begin{tabular}{c} A \\end{tabular} \\\\"), "it.tex, line 1: an environment within a tabular"),
        ("no table", "it.tex has no tabular with percentages below a header"),
        (tabular("& Base \\\\\nA & \\input{/etc/hostname} \\\\"), "it.tex has no tabular with percentages below a header"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(text: str, message: str) -> None:
    with pytest.raises(DepthubError) as caught:
        parsed_latex(text, "it.tex")
    assert str(caught.value).startswith(message)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "paper.tex"
    file.write_text(PARTS.replace("41", "49"))
    assert main(["claim", str(file)]) == 1
    output = capsys.readouterr().out
    assert output.startswith("6 numbers, 1 contradiction\n")
    assert "table 1, CoOp, DTD, H: printed 49, but the harmonic mean of 61 and 31 is 41" in output
