"""The charts of a board's page, from its leaderboard document: every number in them is in a table of the page, too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from depthub.site.svg import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Scale, axes, bar, chart, line, mark, number, path, spanning, text
from depthub.statistics.averages import harmonic

Row = Mapping[str, Any]
Setting = Mapping[str, Any]
POINTS = 60  # of a curve
BAR = 20.0  # pixels for a bar with its name


def trade_off(setting: Setting, rows: Sequence[Row]) -> Markup | None:
    """Two scores against one another, with lines of equal harmonic mean and deviations over seeds; None without such a headline."""
    parts = setting["harmonic"].get(setting["headline"])
    averages = [(place, row) for place, row in enumerate(rows) if row["average"] and all(score in row["average"] for score in parts or ())]
    if not parts or not averages:
        return None
    one, other = parts
    ends = [[row["average"][score]["mean"] + sign * _std(row, score) for _, row in averages for sign in (-1, 1)] for score in parts]
    x, y = spanning(ends[0], LEFT, WIDTH - RIGHT), spanning(ends[1], HEIGHT - BOTTOM, TOP)
    drawing = [axes(x, y, (f"{one}, %", f"{other}, %")), _level_lines(x, y, setting["headline"])]
    for place, row in averages:
        means, stds = [row["average"][score]["mean"] for score in parts], [_std(row, score) for score in parts]
        drawing.append(line(x(means[0] - stds[0]), y(means[1]), x(means[0] + stds[0]), y(means[1]), "whisker"))
        drawing.append(line(x(means[0]), y(means[1] - stds[1]), x(means[0]), y(means[1] + stds[1]), "whisker"))
        drawing.append(_ranked(x(means[0]), y(means[1]), place, f"{row['label']}: {one} {means[0]:.2f}, {other} {means[1]:.2f}"))
    described = f"A point for each row; bars are a standard deviation over seeds; dashed lines have equal {setting['headline']}."
    return chart(f"{one} and {other}, averages in percent", described, drawing)


def pareto(setting: Setting, rows: Sequence[Row], cost: str, name: str) -> Markup | None:
    """The headline against a cost on a logarithmic axis, and the line of rows that no cheaper row beats; None without two costs."""
    headline = setting["headline"]
    priced = [row for row in rows if headline in (row["average"] or {}) and row["cost"][cost]]
    if len(priced) < 2:
        return None
    x = spanning([row["cost"][cost] for row in priced], LEFT, WIDTH - RIGHT, logarithmic=True)
    y = spanning([row["average"][headline]["mean"] for row in priced], HEIGHT - BOTTOM, TOP)
    best, front = float("-inf"), []
    for row in sorted(priced, key=lambda row: (row["cost"][cost], -row["average"][headline]["mean"])):
        if row["average"][headline]["mean"] > best:
            best = row["average"][headline]["mean"]
            front.append((x(row["cost"][cost]), y(best)))
    marks = []
    for row in priced:
        mean = row["average"][headline]["mean"]
        marks.append(_ranked(x(row["cost"][cost]), y(mean), row["rank"] - 1, f"{row['label']}: {mean:.2f} %, {row['cost'][cost]:,}"))
    described = f"{headline} in percent against {name}; the line joins the rows that no cheaper row beats."
    return chart(f"{headline} against {name}", described, [axes(x, y, (name, f"{headline}, %")), path(front, "front"), *marks])


def reliability(setting: Setting) -> Markup | None:
    """For each data set how far two seeds agree on the order of the rows; None where it is unknown."""
    taus = setting.get("statistics", {}).get("reliability", {})
    present = [(data, tau) for data, tau in taus.items() if tau is not None]
    if not present:
        return None
    x = Scale(min(0.0, *(tau for _, tau in present)), 1.0, 150.0, WIDTH - 60)
    drawing = [line(x(0), TOP, x(0), TOP + BAR * len(present), "axis-line")]
    for place, (data, tau) in enumerate(present):
        top = TOP + BAR * place
        drawing += [
            text(140, top + 13, data, "tick end"),
            bar(x(0), top + 3, x(tau) - x(0), BAR - 6, "bar"),
            text(x(max(tau, 0)) + 6, top + 13, f"{tau:.2f}", "tick"),
        ]
    described = "Kendall's tau between the orders of the rows with two seeds, mean over pairs of seeds: 1 is the same order, 0 chance."
    return chart("Agreement of seeds on the order of rows", described, drawing, TOP * 2 + BAR * len(present))


def critical_difference(setting: Setting) -> Markup | None:
    """Mean ranks over data sets and Nemenyi's critical difference; None where there is none."""
    ranks = setting.get("statistics", {}).get("ranks")
    if not ranks or ranks["critical_difference"] is None:
        return None
    order = sorted(ranks["mean"].items(), key=lambda entry: (entry[1], entry[0]))
    x = Scale(1.0, float(max(len(order), 2)), 30.0, WIDTH - 230)
    height = 60 + BAR * len(order)
    distance = ranks["critical_difference"]
    drawing = [line(x(1), 30, x(len(order)), 30, "axis-line"), line(x(1), 14, x(min(1 + distance, len(order))), 14, "front")]
    drawing.append(text(x(min(1 + distance, len(order))) + 6, 18, f"critical difference {distance:.2f}", "tick"))
    drawing += [text(x(rank), 46, f"{rank}", "tick middle") for rank in range(1, len(order) + 1, max(1, len(order) // 10))]
    for place, (label, rank) in enumerate(order):
        y = 66 + BAR * place
        drawing += [
            line(x(rank), 30, x(rank), y, "grid"),
            mark(x(rank), y, place, f"{label}: mean rank {rank:.2f}"),
            text(x(rank) + 10, y + 4, label, "tick"),
        ]
    return chart(
        "Mean ranks over data sets",
        "Rows whose mean ranks differ by less than the critical difference cannot be told apart.",
        drawing,
        height + 20,
    )


def by_seed(score: str, values: Mapping[str, Mapping[int, float]]) -> Markup | None:
    """A strip for each row with a mark for each seed, and a stroke at their mean; None where no row has two seeds.

    Args:
        score: that is shown, in percent.
        values: its averages by row's label, then seed.
    """
    strips = [(label, of_row) for label, of_row in values.items() if of_row]
    seeds = sorted({seed for _, of_row in strips for seed in of_row})
    if not any(len(of_row) > 1 for _, of_row in strips):
        return None
    x = spanning([value for _, of_row in strips for value in of_row.values()], 232, WIDTH - RIGHT)
    end = TOP + BAR * len(strips)
    drawing = [line(x(value), TOP, x(value), end, "grid") for value in x.ticks()]
    drawing += [text(x(value), end + 16, number(value), "tick middle") for value in x.ticks()]
    drawing.append(text((232 + WIDTH - RIGHT) / 2, end + 36, f"{score}, %", "axis middle"))
    for place, (label, of_row) in enumerate(strips):
        y = TOP + BAR * place + BAR / 2
        mean = sum(of_row.values()) / len(of_row)
        drawing.append(text(222, y + 4, label, "tick end"))
        drawing += [mark(x(value), y, seeds.index(seed), f"{label}, seed {seed}: {value:.2f}") for seed, value in sorted(of_row.items())]
        drawing.append(line(x(mean), y - 8, x(mean), y + 8, "mean"))
    described = f"For each row a mark for each seed, of the average over data sets; the stroke is their mean. {len(seeds)} seeds."
    return chart(f"{score} by seed", described, drawing, end + 46)


def _ranked(x: float, y: float, place: int, tip: str) -> Markup:
    """The mark of a row with its rank beside it."""
    return mark(x, y, place, tip) + text(x + 6, y - 6, str(place + 1), "rank")


def _std(row: Row, score: str) -> float:
    return float(row["average"][score]["std"] or 0.0)


def _level_lines(x: Scale, y: Scale, headline: str) -> Markup:
    """Curves of equal harmonic mean, with their values."""
    ends = [harmonic(max(one, 0.1), max(other, 0.1)) for one, other in ((x.low, y.low), (x.high, y.high))]
    parts = []
    for level in spanning(ends, 0, 1).ticks():
        curve = []
        for place in range(POINTS + 1):
            one = x.low + (x.high - x.low) * place / POINTS
            other = level * one / (2 * one - level) if 2 * one > level else float("inf")
            if y.low <= other <= y.high:
                curve.append((x(one), y(other)))
        if len(curve) > 1:
            parts += [path(curve, "level"), text(curve[-1][0] - 4, curve[-1][1] - 4, f"{headline} {level:g}", "level-name end")]
    return Markup("").join(parts)
