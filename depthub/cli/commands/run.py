"""`depthub run`: train and test, once or with several seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jsonargparse import Namespace

from depthub.cli import done
from depthub.cli.options.parser import Parser
from depthub.cli.options.run_specs import executor, options, specs
from depthub.cli.progress import Activity, Progress, showing
from depthub.system.activity import tell
from depthub.system.launch import is_main
from depthub.values.text import plain

if TYPE_CHECKING:
    from depthub.records.result import RunResult
    from depthub.spec import RunSpec

LONG = True  # it shows its progress
HELP = "run one method, head and protocol on one data set"


def parser() -> Parser:
    """The command's options; plugins, and torch with them, are loaded only when this command is called."""
    tell("loading torch and plugins")
    from depthub.cli.commands.plugins import usable
    from depthub.cli.options.run_options import add_run_options

    run = Parser("depthub run", f"{HELP.capitalize()}, with one or several seeds.")
    add_run_options(run, usable())
    return run


def main(config: Namespace) -> int:
    """Do the runs and show their scores."""
    if config["from"]:
        from depthub.cli import reproduction

        return reproduction.main(config)
    from depthub.running.resolving import Resolver
    from depthub.running.runner import places, run_resolved

    resolver = Resolver(config.data_root, download=config.download, cache=config.cache)
    tell("reading lists of images")
    resolved = [resolver(spec) for spec in specs(config)]
    if is_main():
        for one in resolved:
            print(plain(_line(one.spec)))
    on_disk: set[int] = set()
    with Progress(len(resolved), showing.get() or Activity()) as progress:

        def on_done(index: int, outcome: RunResult | Exception, found_on_disk: bool) -> None:
            on_disk.update({index} if found_on_disk else ())
            state = "failed" if isinstance(outcome, Exception) else "already done" if found_on_disk else "done"
            progress.advance(state, resolved[index].spec)

        results = run_resolved(
            resolved,
            config.runs,
            options(config),
            executor=executor(config),
            on_done=on_done,
            on_epoch=progress.epoch,
            on_note=progress.note,
        )
    if is_main():
        done.show(results, on_disk)
        done.remember(results, places(resolved), config.class_names)
    return 0


def _line(spec: RunSpec) -> str:
    return f"run {spec.run_id[:12]}: {spec.method.name} + {spec.head.name}, {spec.protocol.name} on {spec.data.name}, seed {spec.seed}"
