"""`depthub channels RUN...`: the importance of channels of finished runs to two test tasks, as numbers and as a picture."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonargparse import Namespace
from jsonargparse.typing import NonNegativeInt, PositiveInt

from depthub.boards.labels import distinct, row_label
from depthub.cli.options.finished import add_classifier, classifier
from depthub.cli.options.parser import Parser
from depthub.cli.output import number_table, show_table
from depthub.cli.table import shown
from depthub.errors import DepthubError
from depthub.values.text import plain

if TYPE_CHECKING:
    from depthub.inference.channels import ChannelImportance
    from depthub.paper.channel_figure import ChannelEntry
    from depthub.records.result import RunResult

HELP = "show which channels help finished runs to tell base and new classes apart"
LONG = True  # it shows its progress


def parser() -> Parser:
    """The command's options."""
    channels = Parser("depthub channels", f"{HELP.capitalize()}.")
    add_classifier(channels, several=True)
    words = "neighbouring channels that count together: 1 as in the paper, 64 as in the published script"
    channels.add("--window", type=PositiveInt, default=1, metavar="N", help=words)
    words = "the two test tasks to compare"
    channels.add("--tasks", type=str, nargs=2, default=["base", "new"], metavar="TASK", help=words)
    channels.add("--classes", type=str, nargs="+", default=[], metavar="NAME", help="these classes of the tasks alone")
    for name, kind, metavar, words in (
        ("data", str, "NAME", "the place of the runs' own data, folder:PATH or list:FILE"),
        ("data_root", Path | None, "DIR", "the folder that holds data sets on this machine"),
        ("out", Path | None, "DIR", "write channels.json, channels.png and channels.svg to a folder"),
    ):
        channels.add(f"--{name}", type=kind, default="" if kind is str else None, metavar=metavar, help=words)
    channels.add("--workers", type=NonNegativeInt, default=0, metavar="N", help="data-loading processes; results do not depend on it")
    channels.add("--cache", type=bool, default=True, metavar="true|false", help="image features on disk; see `depthub cache info`")
    channels.add("--json", action="store_true", help="as JSON")
    return channels


@dataclass(frozen=True)
class Measured:
    """A run's channels in the command's output.

    Args:
        result: the run.
        channels: of both tasks.
        tasks: their names.
    """

    result: RunResult
    channels: ChannelImportance
    tasks: tuple[str, str]

    def as_dict(self) -> dict[str, Any]:
        """Plain data fit for JSON; numbers that are not finite are null."""
        contrast = asdict(self.channels.contrast(*self.tasks))
        numbers = {name: value if isfinite(value) else None for name, value in contrast.items()}
        data = self.result.spec.data.name
        return {**self.channels.as_dict(), "data": data, "seed": self.result.spec.seed, "contrast": {"of": list(self.tasks), **numbers}}


def main(config: Namespace) -> int:
    """Measure, show, and write what is asked for."""
    from depthub.system.files import atomic_write

    measured = [_measured(config, name) for name in config.run]
    measured = list({one.channels.run_id: one for one in measured}.values())  # a run that is named twice is one
    labels = _labels(measured)
    text = json.dumps({"window": config.window, "runs": [one.as_dict() for one in measured]}, indent=1)
    if config.out:
        config.out.mkdir(parents=True, exist_ok=True)
        atomic_write(config.out / "channels.json", f"{text}\n".encode())
        _draw(measured, labels, config.window, config.out)
    if config.json:
        print(text)
    else:
        _show(measured, labels, config.window)
    return 0


def _measured(config: Namespace, name: str) -> Measured:
    from depthub.inference.channels import channel_importance
    from depthub.inference.rescoring import Reading

    trained = classifier(config, name)
    reading = Reading(config.data_root, config.workers, config.cache)
    options = {"window": config.window, "class_names": config.classes, "data": config.data, "reading": reading}
    channels = channel_importance(trained, config.tasks, **options)
    if lacking := [task for task in config.tasks if task not in channels.tasks]:
        raise DepthubError(f"test task {lacking[0]!r} of run {channels.run_id[:12]} has no image of these --classes; name some of it")
    return Measured(trained.result, channels, tuple(config.tasks))


def _labels(measured: Sequence[Measured]) -> Mapping[str, str]:
    """A label for each run id, distinct among the runs on the same data set."""
    labels: dict[str, str] = {}
    for data in {one.result.spec.data.name for one in measured}:
        group = [one for one in measured if one.result.spec.data.name == data]
        specs = [one.result.spec.as_dict() for one in group]
        names = distinct([row_label(spec) for spec in specs], specs)
        labels |= {one.channels.run_id: name for one, name in zip(group, names, strict=True)}
    return labels


def _draw(measured: Sequence[Measured], labels: Mapping[str, str], window: int, folder: Path) -> None:
    """Both pictures."""
    from depthub.paper.channel_figure import Wording, draw

    tasks, headline, *others = measured[0].tasks, *dict.fromkeys(one.channels.headline for one in measured)
    if others:
        raise DepthubError(f"one picture needs runs with one headline, not {plain(headline)} and {plain(others[0])}; draw two")
    entries = [_entry(one, labels[one.channels.run_id]) for one in measured]
    wording = Wording(f"Channel importance to {tasks[0]} and {tasks[1]}", tasks, headline, window)
    for form in ("png", "svg"):
        draw(entries, folder / f"channels.{form}", wording)


def _entry(one: Measured, label: str) -> ChannelEntry:
    """A run as the picture takes it."""
    from depthub.paper.channel_figure import ChannelEntry

    first, second = (one.channels.tasks[task].values for task in one.tasks)
    return ChannelEntry(label, one.result.spec.data.name, first, second, one.channels.scores[one.channels.headline])


def _show(measured: Sequence[Measured], labels: Mapping[str, str], window: int) -> None:
    table = number_table("run", "data", "tasks", numbers=["higher, %", "ratio", "corr.", "score, %"])
    for one in measured:
        contrast, channels = one.channels.contrast(*one.tasks), one.channels
        table.add_row(
            shown(labels[channels.run_id]),
            shown(one.result.spec.data.name),
            shown(" : ".join(one.tasks)),
            f"{contrast.greater:.1f}",
            f"{contrast.median_ratio:.3f}",
            f"{contrast.correlation:.3f}",
            shown(f"{channels.headline} {channels.scores[channels.headline]:.2f}"),
        )
    number = len(measured[0].channels.tasks[measured[0].tasks[0]].values)
    of_each = f"windows of {window}" if window > 1 else "each"
    notes = (
        f"importance by Equation 3 of {of_each} of {number} channels",
        "higher: channels that are more important to the first task; ratio: median of first : second; corr.: Pearson's over channels",
    )
    show_table(table, notes)
