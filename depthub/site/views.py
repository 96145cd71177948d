"""What the pages show, as plain data from leaderboard documents."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from depthub.boards import costs, load_board
from depthub.boards.labels import row_label
from depthub.boards.markdown import conventions
from depthub.errors import DepthubError
from depthub.site import charts
from depthub.spec import DataSpec, digest
from depthub.values.flat import flat
from depthub.values.text import plain

LEVELS = {
    "reported": "from print; nothing can be counted again",
    "self-run": "counts of runs, not compared with a board's definition",
    "checked": "every prediction counted again, and every run compared with the board's definition",
    "reproduced": "checked, and some runs done again by others within the stated tolerance",
}
TINTED = 1.0  # points of a difference from which on a cell is coloured
UNTYPED = ("backbone.sha256", "data.sha256", "texts.sha256")  # settings that no option sets to what it is anyway
OPTIONS = {"texts.name": "texts"}  # of settings with other names
FURTHER = "other_data."  # digests of further data sets, likewise


@dataclass(frozen=True)
class Board:
    """A board of the site.

    Args:
        slug: of its page's name.
        document: its leaderboard.
    """

    slug: str
    document: Mapping[str, Any]

    @property
    def title(self) -> str:
        """Of the board."""
        return str(self.document["title"])

    @property
    def inputs(self) -> str:
        """Digest of its inputs."""
        return str(self.document["inputs_sha256"])

    @property
    def left_out(self) -> Sequence[Mapping[str, str]]:
        """Runs and submissions that cannot be used."""
        return list(self.document.get("left_out", []))


def read(places: Sequence[Path]) -> list[Board]:
    """The boards at places, each a board's folder or a folder of such folders.

    Raises:
        DepthubError: if there are none, or two have one name.
    """
    folders = [folder for place in places for folder in ([place] if (place / "leaderboard.json").is_file() else _inside(place))]
    if not folders:
        raise DepthubError(f"no leaderboard.json in {', '.join(map(str, places))}; `depthub leaderboard build` makes one")
    boards = [Board(slug(folder.resolve().name), load_board(folder)) for folder in folders]
    if len({board.slug for board in boards}) < len(boards):
        raise DepthubError("two boards have folders of one name; give them different ones")
    return boards


def _inside(place: Path) -> list[Path]:
    return sorted(path.parent for path in place.glob("*/leaderboard.json")) if place.is_dir() else []


def slug(name: str) -> str:
    """A name that every file system and address can hold; unlike for unlike names."""
    short = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60]
    readable = name.lower().replace(" + ", "-").replace(" ", "-").replace("_", "-")
    return short if short == readable else f"{short or 'x'}-{digest(plain(name))[:6]}"


def entries(board: Board) -> list[dict[str, Any]]:
    """The settings of a board, each with its rows and charts."""
    document = board.document
    of_settings = []
    for place, setting in enumerate(document["settings"]):
        rows = [row for row in document["rows"] if row["setting"] == setting["name"]]
        against = next((row for row in rows if row["untrained"]), None)
        of_settings.append(
            {
                "board": board,
                "anchor": f"setting-{place + 1}",
                "setting": setting,
                "rows": [_row(row, setting, against) for row in rows],
                "against": against and against["label"],
                "conventions": " ".join(conventions(setting)),
                "has_standing": any("standing" in row for row in rows),
                "incomplete": [f"{row['label']} lacks {len(row['missing'])} runs" for row in rows if row["missing"]],
                **_resolution(setting),
                **_charts(setting, rows),
                **_costs(document, rows),
            }
        )
    return of_settings


def _row(row: Mapping[str, Any], setting: Mapping[str, Any], against: Mapping[str, Any] | None) -> dict[str, Any]:
    deltas = {data: _delta(row, against, data, setting["headline"]) for data in setting["data"]}
    tints = {data: "" if delta is None or abs(delta) < TINTED else "up" if delta > 0 else "down" for data, delta in deltas.items()}
    kept: dict[str, Any] = {"level": "self-run", "league": "S", "disclosures": [], "standing": None}  # of older boards
    per_data = {data: row["per_data"].get(data) for data in setting["data"]}
    method = slug(row_label(row["spec"]))
    return {**kept, **row, "per_data": per_data, "deltas": deltas, "tints": tints, "slug": method}


def _delta(row: Mapping[str, Any], against: Mapping[str, Any] | None, data: str, score: str) -> float | None:
    if against is None or row is against:
        return None
    values = [of.get("per_data", {}).get(data, {}).get(score) for of in (row, against)]
    return None if None in values else float(values[0]["mean"] - values[1]["mean"])


def _resolution(setting: Mapping[str, Any]) -> dict[str, Any]:
    """What a setting can tell apart, in words."""
    statistics, headline = setting.get("statistics"), setting["headline"]
    if statistics is None:
        unknown = "Unknown: its rows need two data sets and two seeds in common."
        return {"resolution": "unknown", "resolution_sentence": unknown, "groups": [], "friedman": ""}
    least = {question: values[headline] for question, values in statistics["resolution"].items()}
    sentence = (
        f"It sees a difference of {least['new data sets']:.1f} points of {headline} if that is to hold on new data sets, and of "
        f"{least['these data sets']:.1f} on these (80 % power, median of all pairs). Smaller differences between rows are not a ranking. "
        f"Ranks and intervals answer whether rows would stand so on new data sets (bootstrap, {statistics['rounds']:,} rounds)."
    )
    if "optimism" in statistics:
        optimism = round(statistics["optimism"], 1) + 0.0  # never "-0.0"
        sentence += f" The best average was chosen for being best: it overstates its row by about {optimism:.1f} points."
    if statistics["groups"] is None:
        sentence += " Its rows overlap in more groups than can be listed."
    ranks = statistics.get("ranks") or {}
    friedman = "" if ranks.get("friedman_p") is None else f" Friedman's test that all rows are alike: p = {ranks['friedman_p']:.3g}."
    groups = [group for group in statistics["groups"] or [] if len(group) > 1]
    return {"resolution": f"{least['new data sets']:.1f} points", "resolution_sentence": sentence, "groups": groups, "friedman": friedman}


def _charts(setting: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    alone = [{**row, "cost": row["cost"]["measured"]} for row in rows if "measured" in row["cost"]]
    time = "seconds to train, measured alone" if alone else "training of a run, seconds"
    return {
        "trade_off": charts.trade_off(setting, rows),
        "parameters": charts.pareto(setting, rows, "params_trainable", "trained parameters"),
        "time": charts.pareto(setting, alone or rows, "train_s", time),
        "operations": charts.pareto(setting, alone, "train_flop", "operations to train"),
        "reliability": charts.reliability(setting),
        "critical_difference": charts.critical_difference(setting),
    }


def _costs(document: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The table of measured costs: texts, and the numbers to sort them by."""
    table, numbers = costs.table(rows), [row["cost"].get("measured", {}) for row in rows]
    body = [
        (label, [*zip(cells, map(of.get, costs.COLUMNS), strict=True)]) for (label, *cells), of in zip(table, numbers, strict=bool(table))
    ]
    return {"costs": body, "costs_headers": costs.HEADERS, "costs_note": costs.explanation(document) if body else ""}


def methods(of_boards: Sequence[dict[str, Any]], descriptions: Mapping[str, str]) -> list[dict[str, Any]]:
    """A page's content for each method with its head.

    Args:
        of_boards: entries of all boards.
        descriptions: of methods and heads by name.
    """
    by_slug: dict[str, dict[str, Any]] = {}
    for entry in of_boards:
        for row in entry["rows"]:
            parts = [row["spec"][part]["name"] for part in ("method", "head")]
            words = [f"{name}: {descriptions[name]}" for name in parts if name in descriptions]
            fresh = {"slug": row["slug"], "name": row_label(row["spec"]), "descriptions": words, "league": row["league"], "rows": []}
            by_slug.setdefault(row["slug"], fresh)["rows"].append(_of_method(row, entry))
    return [by_slug[name] for name in sorted(by_slug)]


def _of_method(row: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    setting = entry["setting"]
    headline = (row["average"] or {}).get(setting["headline"])
    settings = [(name, str(value)) for name, value in flat(row["spec"]).items()]
    numbers = {"rank": row["rank"], "of": len(entry["rows"]), "headline_name": setting["headline"], "headline": headline}
    return {"label": row["label"], "board": entry["board"], "level": row["level"], "settings": settings, "command": command(row), **numbers}


def command(row: Mapping[str, Any], data: Mapping[str, Any] | None = None) -> str:
    """The command that does the runs of a row on its first data set again.

    Args:
        row: of a leaderboard document.
        data: the spec of that data set as plain data; by default it has nothing but its name.
    """
    words = ["depthub", "run"]
    for name, value in flat(row["spec"]).items():
        if name not in UNTYPED and not name.startswith(FURTHER) and value not in (None, "", {}, []):
            words += [f"--{OPTIONS.get(name, name)}", value if isinstance(value, str) else _typed(value)]
    first = row["runs"][0]["data"] if row["runs"] else "NAME"
    seeds = sorted({run["seed"] for run in row["runs"] if run["data"] == first})
    options = _of_data(data) if data else ["--data", first]
    return " ".join(map(shlex.quote, [*words, *options, "--seeds", *map(str, seeds)]))


def _of_data(data: Mapping[str, Any]) -> list[str]:
    """The options of a data set; its class names are in a file of the reader's."""
    words = ["--data", str(data["name"])]
    usual = DataSpec().as_dict()
    for name, value in data.items():
        if name == "class_names":
            words += ["--class_names", "NAMES.csv"]
        elif f"data.{name}" not in UNTYPED and name != "name" and value != usual.get(name):
            words += [f"--{name}", str(value)]
    return words


def _typed(value: Any) -> str:
    """A value as an option's word."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def data_sets(of_boards: Sequence[dict[str, Any]], descriptions: Mapping[str, str]) -> list[dict[str, Any]]:
    """A page's content for each data set."""
    names = sorted({data for entry in of_boards for data in entry["setting"]["data"]})
    return [
        {"slug": slug(name), "name": name, "description": descriptions.get(name, ""), "entries": list(_on(name, of_boards))}
        for name in names
    ]


def _on(name: str, of_boards: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for entry in of_boards:
        rows = [{**row, "scores": row["per_data"][name]} for row in entry["rows"] if row["per_data"].get(name)]
        if rows:
            tau = entry["setting"].get("statistics", {}).get("reliability", {}).get(name)
            headline = entry["setting"]["headline"]
            rows.sort(key=lambda row: -row["scores"].get(headline, {"mean": 0.0})["mean"])
            yield {"board": entry["board"], "setting": entry["setting"], "rows": rows, "reliability": tau}
