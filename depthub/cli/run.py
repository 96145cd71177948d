"""`depthub run`: train and test, once or with several seeds."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev
from typing import TYPE_CHECKING, Literal

from jsonargparse import Namespace
from jsonargparse.typing import NonNegativeInt

from depthub.cli.parser import Parser
from depthub.errors import DepthubError
from depthub.spec import BackboneSpec, Component, DataSpec, Decoding, RunSpec, Training

if TYPE_CHECKING:
    from rich.table import Table

    from depthub.plugins import Plugins
    from depthub.store import RunResult

HELP = "train with few images and test: one method, head and protocol on one data set"


def parser() -> Parser:
    """The command's options; every setting of every plugin is one."""
    # Plugins, and torch with them, are loaded only when this command is called.
    from depthub import presets
    from depthub.backbone import Backbone
    from depthub.cli.plugins import usable
    from depthub.executor import Executor
    from depthub.head import Head
    from depthub.method import Method
    from depthub.protocol import Protocol
    from depthub.types import ClassSet

    plugins, default = usable(), RunSpec()
    made = Parser("depthub run", HELP)
    made.prepare = with_preset
    made.note = plugins.left_out
    made.add_argument("--config", action="config", help="a file of options, as --print_config writes it; options after it override it")
    made.add_choice("method", Callable[[Backbone, ClassSet], Method], _classes(plugins, "methods"), default.method.name, "what is tuned")
    made.add_choice("head", Callable[[int, ClassSet], Head], _classes(plugins, "heads"), default.head.name, "what reads the features")
    made.add_choice(
        "protocol", Protocol, _classes(plugins, "protocols"), default.protocol.name, "what is trained on, tested on and reported"
    )
    made.add_argument("--preset", type=str, default=presets.DEFAULT, help="published values of method and recipe: dept-repo, or original")
    made.add_argument("--data", type=str, default=default.data.name, help=f"one of {', '.join(plugins.names('datasets'))}, or folder:PATH")
    made.add_argument(
        "--test_fraction", type=float, default=default.data.test_fraction, help="held out of folders without train/ and test/"
    )
    made.add_argument(
        "--decoding",
        type=Decoding,
        default=default.data.decoding,
        help="of JPEG files: draft is faster for large pictures and changes pixels a little",
    )
    made.add_argument("--data_root", type=Path | None, default=None, help="the folder that holds data sets on this machine")
    made.add_class_arguments(BackboneSpec, "backbone", skip={"sha256"})
    made.add_class_arguments(Training, "training")
    made.add_argument("--shots", type=int, default=default.shots, help="training images a class")
    made.add_argument("--seed", type=int, default=default.seed, help="of the few-shot sample and of training")
    made.add_argument("--seeds", type=int, nargs="+", default=[], metavar="SEED", help="several runs, one for each; instead of --seed")
    made.add_argument("--runs", type=Path, default=Path("runs"), help="the folder of run files")
    made.add_argument("--force", action="store_true", help="run again what is already done")
    made.add_argument("--cache", type=bool, default=True, metavar="on|off", help="image features on disk; see `depthub cache info`")
    made.add_argument(
        "--image_cache", type=str, default="", metavar="DIR|auto", help="decoded images on disk, where methods tune the image side"
    )
    made.add_argument("--deterministic", action="store_true", help="the same bits every time also on a GPU, where that is slower")
    made.add_argument("--graphs", action="store_true", help="on a GPU: play training steps from a CUDA graph, one launch a step")
    made.add_argument("--recompute", action="store_true", help="where image prompts are tuned: less memory, more time, the same numbers")
    made.add_argument("--workers", type=NonNegativeInt, default=0, help="processes that read images; they change no number")
    made.add_argument(
        "--stack",
        type=int | Literal["auto", "off"],
        default="auto",
        metavar="auto|off|N",
        help="runs that train together, N at the most; auto: as many as memory allows; an executor takes each alone",
    )
    made.add_choice("executor", Executor | None, _classes(plugins, "executors"), "", "where runs go; by default here, one by one")
    return made


def with_preset(made: Parser, args: list[str]) -> list[str]:
    """Give method and recipe the defaults of the preset that the arguments choose; what is given explicitly stays."""
    from depthub.plugins import installed
    from depthub.presets import DEFAULT, preset

    default, plugins = RunSpec(), installed()
    method = _glimpse(made, args, "method") or default.method.name
    if method not in plugins.names("methods"):  # the parser says so better
        return args
    shots, protocol = _glimpse(made, args, "shots"), _glimpse(made, args, "protocol") or default.protocol.name
    asked = RunSpec(
        method=Component(method),
        protocol=Component(protocol),
        data=DataSpec(_glimpse(made, args, "data") or default.data.name),
        shots=int(shots) if shots.isdecimal() and int(shots) else default.shots,
    )
    values = preset(_glimpse(made, args, "preset") or DEFAULT, asked, plugins)
    made.published = {method: values.settings}
    made.set_defaults({f"training.{field}": value for field, value in values.training.items()})
    # spelt out, so that its settings are the preset's and not the constructor's
    return args if _glimpse(made, args, "method") else [*args, "--method", method]


def _glimpse(made: Parser, args: Sequence[str], option: str) -> str:
    """What the arguments, or a configuration file that they name, say of one option; empty if nothing. The last word counts."""
    found = ""
    for arg, following in zip(args, [*args[1:], ""], strict=False):
        name, equals, value = arg.partition("=")
        value = value if equals else following
        if name == "--config" and Path(value).is_file():
            held = made.loaded(Path(value)).get(option) or ""
            found = str(held.get("class_path", "") if isinstance(held, Mapping) else held).rpartition(".")[2] or found
        elif name == f"--{option}":
            found = value
    return found


def main(config: Namespace) -> int:
    """Do the runs and show what they gave."""
    from rich.console import Console

    from depthub.plugins import installed
    from depthub.runner import resolve, run_many
    from depthub.store import FILE, Store

    asked = specs(config)
    executor = _component(config.executor) if config.executor else None
    place = installed().get("executors", executor.name)(**executor.settings) if executor else None
    resolved = [resolve(spec, config.data_root) for spec in asked]
    console = Console(highlight=False)
    for spec in resolved:
        console.print(
            f"run {spec.run_id[:12]}: {spec.method.name} + {spec.head.name}, {spec.protocol.name} on {spec.data.name}, seed {spec.seed}"
        )
    found: set[int] = set()
    with _Progress(len(asked)) as progress:

        def on_done(index: int, outcome: RunResult | Exception, on_disk: bool) -> None:
            found.update({index} if on_disk else ())
            progress.advance("failed" if isinstance(outcome, Exception) else "already done" if on_disk else "done", resolved[index])

        results = run_many(
            asked,
            runs=config.runs,
            data_root=config.data_root,
            force=config.force,
            workers=config.workers,
            cache=config.cache,
            image_cache=_image_cache(config.image_cache),
            deterministic=config.deterministic,
            graphs=config.graphs,
            recompute=config.recompute,
            executor=place,
            stack=config.stack,
            on_done=on_done,
            on_epoch=progress.epoch,
            on_note=progress.note,
        )
    for warning in dict.fromkeys(warning for result in results for warning in result.warnings):
        print(f"depthub: warning: {warning}", file=sys.stderr)
    console.print(table(results))
    for index, result in enumerate(results):
        path = Store(config.runs).path(result.spec) / FILE
        console.print(f"already done: {path} (use --force to run again)" if index in found else str(path), soft_wrap=True, markup=False)
    return 0


def specs(config: Namespace) -> list[RunSpec]:
    """The runs that a parsed command line asks for, one a seed.

    Raises:
        DepthubError: for values that no run can have.
    """
    default = RunSpec()
    # without the plugin of a default there is no choice; the spec then names what is missing
    chosen = {part: _component(config[part]) if config[part] else getattr(default, part) for part in ("method", "head", "protocol")}
    spec = RunSpec(
        **chosen,
        data=DataSpec(config.data, config.test_fraction, decoding=config.decoding),
        backbone=BackboneSpec(**config.backbone.as_dict()),
        training=Training(**config.training.as_dict()),
        shots=config.shots,
        seed=config.seed,
    )
    return [replace(spec, seed=seed) for seed in dict.fromkeys(config.seeds or [config.seed])]


def table(results: Sequence[RunResult]) -> Table:
    """Tasks and scores of runs that differ in their seeds; with several, mean and sample standard deviation."""
    from rich.table import Table

    several = len(results) > 1
    made = Table("")
    for result in results:
        made.add_column(f"seed {result.spec.seed}", justify="right")
    made.add_column("mean ± std, %" if several else "%", justify="right")
    for task in results[0].counts:
        counts = [result.counts[task] for result in results]
        made.add_row(task, *(f"{c.n_correct}/{c.n_total}" for c in counts), _percent([c.percent for c in counts]))
    made.add_section()
    for score in results[0].scores:
        values = [result.scores[score] for result in results]
        made.add_row(score, *(f"{v:.2f}" if several else "" for v in values), _percent(values))
    return made


def _image_cache(given: str) -> Path | None:
    """The folder for decoded images; "auto" is beside that for image features."""
    from depthub.cache import Cache
    from depthub.files import PLACE

    if given != "auto":
        return Path(given) if given else None
    beside = Cache.here()
    if beside is None:
        raise DepthubError(f"--image_cache is auto, but {PLACE} turns caches off; name a folder")
    return beside.folder.parent / "images"


def _percent(values: Sequence[float]) -> str:
    return f"{mean(values):.2f} ± {stdev(values):.2f}" if len(values) > 1 else f"{values[0]:.2f}"


def _classes(plugins: Plugins, kind: str) -> Mapping[str, type]:
    return {name: plugins.get(kind, name) for name in plugins.names(kind)}


def _component(chosen: Namespace) -> Component:
    """What jsonargparse made of a choice, as a component; choices within it likewise."""
    settings = vars(chosen.init_args) if "init_args" in chosen else {}
    plain = {name: _component(value) if isinstance(value, Namespace) else value for name, value in settings.items()}
    return Component(chosen.class_path.rpartition(".")[2], plain)


class _Progress:
    """A bar on stderr; plain lines where that is no terminal."""

    def __init__(self, total: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self.total, self.ended = total, 0
        console = Console(file=sys.stderr, highlight=False)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self.bar = Progress(*columns, console=console, disable=not console.is_terminal)
        self.task = self.bar.add_task("runs", total=total)

    def __enter__(self) -> _Progress:
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def epoch(self, done: int, loss: float) -> None:
        """A run in this process finished an epoch."""
        self.bar.update(self.task, description=f"epoch {done}, loss {loss:.3f}")

    def note(self, text: str) -> None:
        """A line above the bar."""
        self.bar.console.print(f"depthub: {text}", markup=False, soft_wrap=True)

    def advance(self, how: str, spec: RunSpec) -> None:
        """One run ended."""
        self.ended += 1
        self.bar.advance(self.task)
        if self.bar.disable:
            print(f"{self.ended}/{self.total} {how}: {spec.run_id[:12]}", file=sys.stderr)
