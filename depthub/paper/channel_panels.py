"""Figure 3: how much channels help base and new classes, for an oracle and for methods with and without the second head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from depthub.inference.channels import ChannelImportance, channel_importance
from depthub.paper.channel_figure import ChannelEntry, Wording, draw
from depthub.paper.grids import Grid, number
from depthub.paper.selection import Selection
from depthub.paper.shown import Shown
from depthub.records.result import RunResult
from depthub.system.activity import tell

WINDOWS = (1, 64)  # of Equation 3, and of the published script
TASKS = ("base", "new")
Measured = Mapping[tuple[str, str, int], Sequence[ChannelImportance]]  # by data set, row and window, of all seeds


def channels(selection: Selection) -> Shown:
    """Contrasts of channel importance on base and new classes, averaged over seeds, and the picture of the first seed."""
    labels = [row.label for row in selection.exhibit.rows]
    measured = _measured(selection, selection.data, labels)
    if not measured:
        return Shown([], {}, ["None of the runs is done."])
    columns = ("", "window", "base > new", "median base / new", "correlation", _headline(measured))
    lines = [_line(f"{label} on {data}", window, several) for (data, label, window), several in measured.items()]
    entries = [
        ChannelEntry(label, data, first.tasks[TASKS[0]].values, first.tasks[TASKS[1]].values, first.scores[first.headline])
        for (data, label, window), (first, *_) in measured.items()
        if window == WINDOWS[0]
    ]
    wording = Wording(selection.exhibit.title, TASKS, _headline(measured), WINDOWS[0])
    notes = (
        "Base > new: channels that help base classes more, in percent; correlation: of both, over channels. Averages over seeds.",
        "Window 1 is Equation 3, 64 the published script.",
    )
    seed = min(selection.seeds)
    caption = (
        f"Importance of each channel for base and new classes, sorted by base, and the densities of base / new; seed {seed}, window 1."
    )

    def picture(stem: Path) -> list[Path]:
        return [draw(entries, stem.with_suffix(ending), wording) for ending in (".png", ".svg")]

    values = [
        {"data": data, "row": label, "window": window, "runs": [one.as_dict() for one in several]}
        for (data, label, window), several in measured.items()
    ]
    return Shown([Grid("", columns, lines, notes)], {"channels": values}, picture=picture, caption=caption)


def _measured(selection: Selection, data: Sequence[str], labels: Sequence[str]) -> Measured:
    by_place: dict[tuple[str, str, int], list[ChannelImportance]] = {
        (name, label, window): [] for name in data for label in labels for window in WINDOWS
    }
    runs = sorted(selection.runs, key=lambda run: run.spec.seed)
    for place, run in enumerate(runs):
        tell("importance of channels; runs", place, len(runs))
        for row in selection.exhibit.rows:
            if row.holds(run.spec):
                for window in WINDOWS:
                    by_place[run.spec.data.name, row.label, window].append(_of(run, window))
    return {place: several for place, several in by_place.items() if several}


def _of(run: RunResult, window: int) -> ChannelImportance:
    return channel_importance(run, TASKS, window=window)


def _line(label: str, window: int, several: Sequence[ChannelImportance]) -> list[str]:
    contrasts = [one.contrast(*TASKS) for one in several]
    means: dict[str, Any] = {
        name: fmean(getattr(contrast, name) for contrast in contrasts) for name in ("greater", "median_ratio", "correlation")
    }
    score = fmean(one.scores[one.headline] for one in several)
    return [label, str(window), number(means["greater"]), number(means["median_ratio"]), number(means["correlation"]), number(score)]


def _headline(measured: Measured) -> str:
    return next(iter(measured.values()))[0].headline
