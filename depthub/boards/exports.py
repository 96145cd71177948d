"""A leaderboard document in the forms of papers and of spreadsheets."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from io import BytesIO, StringIO
from typing import Any, Literal, get_args

from depthub.boards import export_records
from depthub.boards.markdown import markdown
from depthub.errors import DepthubError
from depthub.values.text import cell, latex, plain

Text = Literal["latex", "csv", "markdown", "hugging-face", "papers-with-code", "every-eval-ever"]
Form = Literal[Text, "parquet"]
RECORDS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "hugging-face": export_records.hugging_face,
    "papers-with-code": export_records.papers_with_code,
    "every-eval-ever": export_records.every_eval_ever,
}
AVERAGE = "average"  # in the place of a data set
COLUMNS = ("setting", "rank", "row", "data", "score", "mean", "std", "seeds")


def exported(board: Mapping[str, Any], form: Text, *, deviations: bool = False) -> str:
    """A leaderboard in another form.

    Args:
        board: a document of kind `leaderboard`.
        form: "latex", a table with rules of booktabs for each setting, a block for the average and for each data set, the best in
            bold; "csv", one number a line, harmless to spreadsheets; "markdown", as `leaderboard.md`; "hugging-face", front matter of a
            model card; "papers-with-code", evaluation tables; "every-eval-ever", records of its schema. Scores in percent.
        deviations: in LaTeX also the standard deviations over seeds.

    Raises:
        DepthubError: for another form.
    """
    if form == "latex":
        return _latex(board, deviations)
    forms = {"csv": _csv, "markdown": markdown, **RECORDS}
    if form not in forms:
        raise DepthubError(f"{plain(str(form))} is no form of text; expected one of {', '.join(get_args(Text))}")
    return forms[form](board)


def parquet(board: Mapping[str, Any]) -> bytes:
    """The lines of "csv" as a Parquet file, means and deviations as numbers in percent.

    Raises:
        DepthubError: if pyarrow is not installed.
    """
    try:
        import pyarrow
        from pyarrow import parquet as files
    except ImportError as error:
        raise DepthubError("pyarrow is not installed; pip install 'depthub[parquet]' or pip install pyarrow") from error
    rows = [dict(zip(COLUMNS, line, strict=True)) for line in _lines(board)]
    types = dict.fromkeys(COLUMNS, pyarrow.string()) | dict.fromkeys(("rank", "seeds"), pyarrow.int64())
    types |= dict.fromkeys(("mean", "std"), pyarrow.float64())
    out = BytesIO()
    files.write_table(pyarrow.Table.from_pylist(rows, pyarrow.schema(types)), out)
    return out.getvalue()


def _lines(board: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    """A line for each score of a row on a data set or on average, by `COLUMNS`."""
    for row in board["rows"]:
        for data, scores in _blocks(row):
            for score, value in scores.items():
                names = (plain(row["setting"]), row["rank"], plain(row["label"]), plain(data), plain(score))
                yield (*names, value["mean"], value["std"], value["n_seeds"])


def _csv(board: Mapping[str, Any]) -> str:
    text = StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(COLUMNS)
    for line in _lines(board):
        lines.writerow([cell(value) if isinstance(value, str) else "" if value is None else value for value in line])
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
