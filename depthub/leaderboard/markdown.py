"""A leaderboard document as Markdown tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

Table = Sequence[Sequence[str]]
HARMONIC = {
    "harmonic-of-means": " {} is the harmonic mean of the averaged base and new accuracies (harmonic-of-means), not the average of H.",
    "mean-of-harmonics": " {} is the average of the data sets' own (mean-of-harmonics), not the harmonic mean of the averages.",
}


def markdown(board: Mapping[str, Any]) -> str:
    """The tables: averages first, then one for each data set. All numbers are percentages."""
    lines = [f"# {board['title']}", "", _conventions(board), ""]
    for setting in board["settings"]:
        rows = [row for row in board["rows"] if row["setting"] == setting["name"]]
        lines += [f"## {setting['name']}", "", *_averages(setting, rows), "", *_missing(setting, rows)]
        for data in setting["data"]:
            held = [row for row in rows if data in row["per_data"]]
            lines += [f"### {data}", "", *_table(_header(setting), [_cells(row, setting, row["per_data"][data]) for row in held]), ""]
    runs = sum(len(row["runs"]) for row in board["rows"])
    lines.append(f"Made from {runs} runs by depthub {board['depthub_version']}; SHA-256 of the inputs: `{board['inputs_sha256']}`")
    return "\n".join(lines) + "\n"


def statistic(value: Mapping[str, Any] | None) -> str:
    """Mean and spread, or an en dash where there is none."""
    if value is None:
        return "–"
    return f"{value['mean']:.2f}" if value["std"] is None else f"{value['mean']:.2f} ± {value['std']:.2f}"


def change(row: Mapping[str, Any], score: str) -> str:
    """Signed difference from the untrained row, or an en dash."""
    difference = row["difference"]
    return "–" if difference is None or score not in difference["scores"] else f"{difference['scores'][score]:+.2f}"


def _conventions(board: Mapping[str, Any]) -> str:
    said = "Percent: mean ± standard deviation over seeds (n − 1). The average's deviation is that of the per-seed averages."
    return said + "".join(HARMONIC[how].format(name) for name, how in board["aggregation"].items() if how in HARMONIC)


def _averages(setting: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    against = sorted({row["difference"]["against"] for row in rows if row["difference"]})
    header = [*_header(setting), *([f"{setting['headline']} against {' or '.join(against)}"] if against else []), "trained parameters"]
    body = []
    for row in rows:
        params = row["cost"]["params_trainable"]
        difference = [change(row, setting["headline"])] if against else []
        body.append([*_cells(row, setting, row["average"] or {}), *difference, "–" if params is None else f"{params:,}"])
    count = len(setting["common_data"])
    return [
        f"Average over {count} data set{'' if count == 1 else 's'}: {', '.join(setting['common_data']) or 'none in common'}.",
        "",
        *_table(header, body),
    ]


def _missing(setting: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = [f"- {_escape(row['label'])} lacks {_listed(row['missing'])}" for row in rows if row["missing"]]
    if not lines:
        return []
    left_out = len(setting["data"]) - len(setting["common_data"])
    note = f" {left_out} of {len(setting['data'])} data sets are not in the averages, because not every row has them." if left_out else ""
    return [f"**Incomplete.** Means are over the seeds that are there.{note}", "", *lines, ""]


def _listed(missing: Iterable[Mapping[str, Any]]) -> str:
    parts = []
    for data, cells in groupby(missing, key=lambda cell: str(cell["data"])):
        seeds = [str(cell["seed"]) for cell in cells]
        parts.append(f"{_escape(data)} (seed{'' if len(seeds) == 1 else 's'} {', '.join(seeds)})")
    return ", ".join(parts)


def _header(setting: Mapping[str, Any]) -> list[str]:
    return ["method", *setting["scores"]]


def _cells(row: Mapping[str, Any], setting: Mapping[str, Any], scores: Mapping[str, Any]) -> list[str]:
    return [row["label"], *(statistic(scores.get(name)) for name in setting["scores"])]


def _table(header: Sequence[str], body: Table) -> list[str]:
    rule = ["---"] + ["---:"] * (len(header) - 1)
    return [f"| {' | '.join(map(_escape, row))} |" for row in (header, rule, *body)]


def _escape(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
