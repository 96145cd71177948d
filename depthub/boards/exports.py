"""A leaderboard document in the forms of papers and of spreadsheets."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from io import StringIO
from typing import Any, Literal

from depthub.boards.markdown import markdown
from depthub.values.text import cell, latex

Form = Literal["latex", "csv", "markdown"]
AVERAGE = "average"  # in the place of a data set
COLUMNS = ("setting", "rank", "row", "data", "score", "mean", "std", "seeds")


def exported(board: Mapping[str, Any], form: Form, *, deviations: bool = False) -> str:
    """A leaderboard in another form.

    Args:
        board: a document of kind `leaderboard`.
        form: "latex", a table with rules of booktabs for each setting, a block for the average and for each data set, the best in
            bold; "csv", one number a line, harmless to spreadsheets; "markdown", as `leaderboard.md`.
        deviations: in LaTeX also the standard deviations over seeds.
    """
    if form == "markdown":
        return markdown(board)
    return _csv(board) if form == "csv" else _latex(board, deviations)


def _csv(board: Mapping[str, Any]) -> str:
    text = StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(COLUMNS)
    for row in board["rows"]:
        for data, scores in _blocks(row):
            for score, value in scores.items():
                names = (cell(row["setting"]), row["rank"], cell(row["label"]), cell(data), cell(score))
                lines.writerow([*names, value["mean"], "" if value["std"] is None else value["std"], value["n_seeds"]])
    return text.getvalue()


def _blocks(row: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if row["average"]:
        yield AVERAGE, row["average"]
    yield from row["per_data"].items()


def _latex(board: Mapping[str, Any], deviations: bool) -> str:
    lines = ["% needs \\usepackage{booktabs}; made by depthub, percent"]
    for setting in board["settings"]:
        rows = [row for row in board["rows"] if row["setting"] == setting["name"]]
        header = " & ".join(map(latex, ["", *setting["scores"]]))
        lines += [f"% {latex(setting['name'])}", f"\\begin{{tabular}}{{l{'r' * len(setting['scores'])}}}", "\\toprule", f"{header} \\\\"]
        for data in (AVERAGE, *setting["data"]):
            block = [(row["label"], dict(_blocks(row))[data]) for row in rows if data in dict(_blocks(row))]
            width = 1 + len(setting["scores"])
            lines += ["\\midrule", f"\\multicolumn{{{width}}}{{l}}{{\\emph{{{latex(data)}}}}} \\\\"] if block else []
            lines += [f"{line} \\\\" for line in _latex_block(block, setting["scores"], deviations)]
        lines += ["\\bottomrule", "\\end{tabular}", ""]
    return "\n".join(lines)


def _latex_block(block: Sequence[tuple[str, Mapping[str, Any]]], scores: Sequence[str], deviations: bool) -> Iterator[str]:
    best = {score: max((round(values[score]["mean"], 2) for _, values in block if score in values), default=None) for score in scores}
    for label, values in block:
        cells = [_latex_cell(values.get(score), best[score], deviations) for score in scores]
        yield " & ".join([latex(label), *cells])


def _latex_cell(value: Mapping[str, Any] | None, best: float | None, deviations: bool) -> str:
    if value is None:
        return "--"
    text = f"{value['mean']:.2f}"
    text = f"\\textbf{{{text}}}" if round(value["mean"], 2) == best else text
    return f"{text} $\\pm$ {value['std']:.2f}" if deviations and value["std"] is not None else text
