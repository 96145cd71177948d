"""A leaderboard document as Markdown tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from depthub.boards import costs
from depthub.values.text import markdown as escaped

Table = Sequence[Sequence[str]]
CONVENTIONS = "Percent: mean ± standard deviation over seeds (n − 1). The average's deviation is that of the per-seed averages."
HARMONIC = {
    "harmonic-of-means": "{0} is the harmonic mean of the averaged {1} and {2} (harmonic-of-means), not the average of {0}.",
    "mean-of-harmonics": "{0}, the harmonic mean of {1} and {2}, is the average of the data sets' own (mean-of-harmonics).",
}


def markdown(board: Mapping[str, Any]) -> str:
    """The tables: averages first, then one for each data set. All numbers are percentages; names are escaped."""
    lines = [f"# {escaped(board['title'])}", "", CONVENTIONS, "", *_left_out(board.get("left_out", []))]
    lines += [line for note in board.get("notes", []) for line in (f"**Not checked.** {escaped(note)}", "")]
    for setting in board["settings"]:
        rows = [row for row in board["rows"] if row["setting"] == setting["name"]]
        lines += [f"## {escaped(setting['name'])}", "", *_resolution(setting), *_averages(setting, rows), "", *_missing(setting, rows)]
        lines += [*_standings(setting, rows), *_costs(board, setting, rows)]
        for data in setting["data"]:
            tested = [row for row in rows if data in row["per_data"]]
            body = [_cells(row, setting, row["per_data"][data]) for row in tested]
            lines += [f"### {escaped(data)}", "", *_table(_header(setting), body), ""]
    runs = sum(len(row["runs"]) for row in board["rows"])
    lines.append(f"Made from {runs} runs by depthub {board['depthub_version']}; SHA-256 of the inputs: `{board['inputs_sha256']}`")
    return "\n".join(lines) + "\n"


def conventions(setting: Mapping[str, Any]) -> list[str]:
    """A sentence on the average of each harmonic score of a setting. Names are the protocol's, not escaped."""
    ways = setting.get("aggregation", {})  # missing in boards of schema 1.0
    return [HARMONIC[ways[score]].format(score, *parts) for score, parts in setting.get("harmonic", {}).items()]


def statistic(value: Mapping[str, Any] | None) -> str:
    """Mean and spread, or an en dash where there is none."""
    if value is None:
        return "–"
    return f"{value['mean']:.2f}" if value["std"] is None else f"{value['mean']:.2f} ± {value['std']:.2f}"


def change(row: Mapping[str, Any], score: str) -> str:
    """Signed difference from the untrained row, or an en dash."""
    difference = row["difference"]
    return "–" if difference is None or score not in difference["scores"] else f"{difference['scores'][score]:+.2f}"


def _left_out(entries: Sequence[Mapping[str, str]]) -> list[str]:
    if not entries:
        return []
    lines = [f"- {escaped(entry['reason'])}" for entry in entries]
    runs = "1 run is" if len(entries) == 1 else f"{len(entries)} runs are"
    return [f"**Left out.** {runs} there and cannot be used:", "", *lines, ""]


def _resolution(setting: Mapping[str, Any]) -> list[str]:
    """What the setting can tell apart, before any rank."""
    if "statistics" not in setting:
        return ["**Resolution unknown.** Rows need two data sets and two seeds in common.", ""]
    statistics, headline = setting["statistics"], setting["headline"]
    new, these = (f"{statistics['resolution'][question][headline]:.1f}" for question in ("new data sets", "these data sets"))
    points = f"{new} points of {escaped(headline)} if it is to hold on new data sets, {these} on these"
    return [
        f"**Resolution.** This board sees a difference of {points} (80 % power, median of pairs).",
        "",
        *_alike(statistics["groups"]),
        "",
    ]


def _alike(groups: Sequence[Sequence[str]] | None) -> list[str]:
    """The rows that cannot be told apart."""
    if groups is None:
        return ["Its rows overlap in more groups than can be listed; the intervals below say which are apart."]
    lines = [f"- {', '.join(map(escaped, group))}" for group in groups if len(group) > 1]
    return ["Rows that it cannot tell apart, in groups that may overlap:", "", *lines] if lines else ["It tells all rows apart."]


def _standings(setting: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """How far each row's place is known."""
    placed = [row for row in rows if "standing" in row]
    if not placed:
        return []
    statistics = setting["statistics"]
    header = ["method", f"{setting['headline']} from the best, {100 * statistics['confidence']:.0f} % interval", "ranks", "best of all"]
    body = [
        [
            row["label"],
            "–" if row["standing"]["from_best"] is None else "{:+.2f} to {:+.2f}".format(*row["standing"]["from_best"]),
            "{} to {}".format(*row["standing"]["rank"]),
            f"{100 * row['standing']['best']:.0f} %",
        ]
        for row in placed
    ]
    sets = len(setting["common_data"])
    how = f"By bootstrap over {sets} data sets ({statistics['rounds']:,} rounds): would rows stand so on new data sets?"
    if "optimism" in statistics:
        how += f" The best average was chosen among {len(placed)}: it overstates its row by about {statistics['optimism']:.1f} points."
    taus = [f"{escaped(data)} {'–' if tau is None else f'{tau:.2f}'}" for data, tau in statistics["reliability"].items()]
    order = f"Agreement of seeds on the order of rows (Kendall's tau): {', '.join(taus)}."
    return [how, "", *_table(header, body), "", order, ""]


def _averages(setting: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    against = sorted({row["difference"]["against"] for row in rows if row["difference"]})
    header = [*_header(setting), *([f"{setting['headline']} against {' or '.join(against)}"] if against else []), "trained parameters"]
    body = []
    for row in rows:
        params = row["cost"]["params_trainable"]
        difference = [change(row, setting["headline"])] if against else []
        body.append([*_cells(row, setting, row["average"] or {}), *difference, "–" if params is None else f"{params:,}"])
    common = list(map(escaped, setting["common_data"]))
    over = f"Average over {len(common)} data set{'' if len(common) == 1 else 's'}: {', '.join(common) or 'none in common'}."
    return [" ".join([over, *map(escaped, conventions(setting))]), "", *_table(header, body)]


def _costs(board: Mapping[str, Any], setting: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """What each method costs, where it was measured, and the picture of it."""
    body = costs.table(rows)
    if not body:
        return []
    picture = board["costs"].get("pictures", {}).get(setting["name"])
    drawn = [f"![{escaped(setting['headline'])} against the seconds to train]({picture})", ""] if picture else []
    return ["### Costs", "", escaped(costs.explanation(board)), "", *_table(["method", *costs.HEADERS], body), "", *drawn]


def _missing(setting: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = [f"- {escaped(row['label'])} lacks {_listed(row['missing'])}" for row in rows if row["missing"]]
    if not lines:
        return []
    uncommon = len(setting["data"]) - len(setting["common_data"])
    note = f" {uncommon} of {len(setting['data'])} data sets are not in the averages, because not every row has them." if uncommon else ""
    return [f"**Incomplete.** Means are over the seeds that are there.{note}", "", *lines, ""]


def _listed(missing: Iterable[Mapping[str, Any]]) -> str:
    parts = []
    for data, cells in groupby(missing, key=lambda cell: str(cell["data"])):
        seeds = [str(cell["seed"]) for cell in cells]
        parts.append(f"{escaped(data)} (seed{'' if len(seeds) == 1 else 's'} {', '.join(seeds)})")
    return ", ".join(parts)


def _header(setting: Mapping[str, Any]) -> list[str]:
    return ["method", *setting["scores"]]


def _cells(row: Mapping[str, Any], setting: Mapping[str, Any], scores: Mapping[str, Any]) -> list[str]:
    return [row["label"], *(statistic(scores.get(name)) for name in setting["scores"])]


def _table(header: Sequence[str], body: Table) -> list[str]:
    """A table whose columns after the first are figures, which hold nothing to escape."""
    rule = ["---"] + ["---:"] * (len(header) - 1)
    return [f"| {' | '.join(row)} |" for row in (map(escaped, header), rule, *([escaped(row[0]), *row[1:]] for row in body))]
