"""`depthub run --from RUN`: a finished run done again, and its counts beside the recorded ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import Namespace

from depthub.cli import done
from depthub.cli.options.finished import RUNS, read_run
from depthub.cli.options.run_specs import executor, options
from depthub.cli.output import number_table, show_table
from depthub.cli.progress import Activity, Progress, showing
from depthub.cli.table import shown
from depthub.errors import DepthubError
from depthub.running.options import RunOptions
from depthub.running.reproduction import PLACE, Again, Reproduction
from depthub.system.activity import tell
from depthub.system.launch import is_main
from depthub.values.text import plain

if TYPE_CHECKING:
    from depthub.protocol import Count

# options that leave the run what it is
ALLOWED = {"from", "runs", "data", "texts", "backbone.model", "backbone.pretrained", *(field.name for field in fields(RunOptions))}


def main(config: Namespace) -> int:
    """Do the run again; the exit status is 1 if counts differ."""
    typed = done.typed_options()
    _refuse_changes(typed)
    tell("reading the run")
    original = read_run(config["from"], RUNS)
    places = {name: config.backbone[name] for name in ("model", "pretrained") if f"backbone.{name}" in typed}
    backbone = replace(original.spec.backbone, **places) if places else None
    again = Again.of(original, config.data if "data" in typed else "", backbone, options(config), config.texts)
    runs = config.runs if "runs" in typed else PLACE
    _show_differences(again)
    with Progress(1, showing.get() or Activity()) as progress:
        reproduction = again.carry_out(runs, executor=executor(config), on_epoch=progress.epoch, on_note=progress.note)
        progress.advance("done", again.resolved.spec)
    return _show(reproduction, runs)


def _refuse_changes(typed: Iterable[str]) -> None:
    """Refuse options that would make it another run.

    Raises:
        DepthubError: naming the option.
    """
    for name in typed:
        if name not in ALLOWED and name.partition(".")[0] != "executor":
            raise DepthubError(f"--from repeats exactly the recorded run, and --{name} would change it; leave --{name} out")


def _show_differences(again: Again) -> None:
    if not is_main():
        return
    print(plain(f"run {again.original.spec.run_id[:12]} again: {again.original.spec.data.name}, seed {again.original.spec.seed}"))
    for line in again.differences or ("nothing: code, data, weights and versions are those of the recorded run",):
        print(plain(f"differs: {line}"))


def _show(reproduction: Reproduction, runs: Path) -> int:
    if is_main():
        table = number_table("", numbers=["recorded", "again", "difference"])
        for task, (then, now) in reproduction.counts.items():
            table.add_row(shown(task), _fraction(then), _fraction(now), f"{now.n_correct - then.n_correct:+d}" if then and now else "-")
        show_table(table, ["all counts agree" if reproduction.agrees else "counts differ"])
        print(plain(str((reproduction.result.folder or runs) / "run.json")))
    return 0 if reproduction.agrees else 1


def _fraction(count: Count | None) -> str:
    return f"{count.n_correct}/{count.n_total}" if count else "-"
