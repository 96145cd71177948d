"""`depthub run`: train and test, once or with several seeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from jsonargparse import Namespace
from jsonargparse.typing import NonNegativeInt, PositiveInt

from depthub.cli import done
from depthub.cli.options.parser import Parser
from depthub.cli.progress import Activity, Progress, showing
from depthub.data.own.naming import read_names
from depthub.errors import DepthubError
from depthub.running import recall
from depthub.running.options import RunOptions
from depthub.spec import BackboneSpec, Component, DataSpec, Decoding, RunSpec, Training
from depthub.system.activity import tell
from depthub.system.launch import is_main
from depthub.values.text import plain

if TYPE_CHECKING:
    from depthub.records.store import RunResult
    from depthub.registry.plugins import Plugins

LONG = True  # it says what it is doing
HELP = "train with few images and test: one method, head and protocol on one data set"


def parser() -> Parser:
    """The command's options; every setting of every plugin is one."""
    # Plugins, and torch with them, are loaded only when this command is called.
    tell("loading torch and plugins")
    from depthub.cli.commands.plugins import usable
    from depthub.cli.options.recipe import RunPrecedence
    from depthub.encoding.backbone import Backbone
    from depthub.executor import Executor
    from depthub.head import Head
    from depthub.method import Method
    from depthub.protocol import Protocol
    from depthub.registry import presets
    from depthub.types import ClassSet

    plugins, default = usable(), RunSpec()
    made = Parser("depthub run", HELP)
    made.choices.note = plugins.left_out
    made.precedence = RunPrecedence(made.choices, plugins)
    made.settled = with_true_preset
    made.add_argument("--config", action="config", help="a file of options, as --print_config writes it; options override it")
    made.add_choice("method", Callable[[Backbone, ClassSet], Method], _classes(plugins, "methods"), default.method.name, "what is tuned")
    made.add_choice("head", Callable[[int, ClassSet], Head], _classes(plugins, "heads"), default.head.name, "what reads the features")
    made.add_choice(
        "protocol", Protocol, _classes(plugins, "protocols"), default.protocol.name, "what is trained on, tested on and reported"
    )
    made.add_argument(
        "--preset",
        type=str | None,
        default=presets.DEFAULT,
        help=f"published values of method and recipe: {', '.join(presets.names(plugins))}",
    )
    made.add_argument(
        "--data", type=str, default=default.data.name, help=f"one of {', '.join(plugins.names('datasets'))}, or folder:PATH or list:FILE"
    )
    made.add_argument(
        "--test_fraction", type=float, default=default.data.test_fraction, help="held out of folders without train/ and test/"
    )
    made.add_argument(
        "--decoding",
        type=Decoding,
        default=default.data.decoding,
        help="of JPEG files: draft is faster for large pictures and changes pixels a little",
    )
    made.add_argument("--background", type=str, default="", metavar="COLOUR", help="behind transparent pictures: white, '#ff8000'")
    made.add_argument("--template", type=str, default="", metavar="TEXT", help="of folder: and list:, 'a photo of a {}, a type of pet.'")
    made.add_argument("--class_names", type=Path | None, default=None, metavar="FILE", help="of folder: and list:, as CSV or JSON")
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
    made.add_argument("--download", action="store_true", help="get weights that are not on this machine; without, nothing asks the network")
    made.add_argument("--recompute", action="store_true", help="where image prompts are tuned: less memory, more time, the same numbers")
    made.add_argument("--workers", type=NonNegativeInt, default=0, help="processes that read images; they change no number")
    made.add_argument(
        "--stack",
        type=PositiveInt | Literal["auto", "off"],
        default="auto",
        metavar="auto|off|N",
        help="runs that train together, N at the most; auto: as many as memory allows; an executor takes each alone",
    )
    made.add_choice("executor", Executor | None, _classes(plugins, "executors"), "", "where runs go; by default here, one by one")
    return made


def with_true_preset(config: Namespace) -> Namespace:
    """The same, called by a preset only if it has that preset's values: options may have changed them."""
    from depthub.registry.plugins import installed
    from depthub.registry.presets import matching

    unnamed, plugins = config.clone(), installed()
    unnamed.class_names = None  # presets do not depend on them, and their file is read once
    spec = specs(unnamed)[0]
    found = matching(spec, plugins) if spec.method.name in plugins.names("methods") else []
    made = config.clone()
    made.preset = config.preset if config.preset in found else next(iter(found), None)
    return made


def main(config: Namespace) -> int:
    """Do the runs and show what they gave."""
    from depthub.registry.plugins import installed
    from depthub.running.resolving import Resolver
    from depthub.running.runner import places, run_resolved

    shown = showing.get() or Activity()
    executor = _component(config.executor) if config.executor else None
    place = installed().get("executors", executor.name)(**executor.settings) if executor else None
    chosen, resolver = options(config), Resolver(config.data_root, download=config.download, cache=config.cache)
    tell("reading lists of images")
    resolved = [resolver(spec) for spec in specs(config)]
    if is_main():
        for one in resolved:
            print(plain(_line(one.spec)))
    on_disk: set[int] = set()
    with Progress(len(resolved), shown) as progress:

        def on_done(index: int, outcome: RunResult | Exception, found_on_disk: bool) -> None:
            on_disk.update({index} if found_on_disk else ())
            how = "failed" if isinstance(outcome, Exception) else "already done" if found_on_disk else "done"
            progress.advance(how, resolved[index].spec)

        results = run_resolved(
            resolved, config.runs, chosen, executor=place, on_done=on_done, on_epoch=progress.epoch, on_note=progress.note
        )
    if is_main():
        done.show(results, on_disk)
        if arguments := done.arguments.get():
            named = [*done.named_files(arguments), *([config.class_names] if config.class_names else [])]
            recall.keep(done.request(arguments), results, _with_files(places(resolved), named))
    return 0


def options(config: Namespace) -> RunOptions:
    """What a parsed command line says of how the work is done."""
    given = {field.name: config[field.name] for field in fields(RunOptions) if field.name != "image_cache"}
    return RunOptions(**given, image_cache=_image_cache(config.image_cache))


def _line(spec: RunSpec) -> str:
    return f"run {spec.run_id[:12]}: {spec.method.name} + {spec.head.name}, {spec.protocol.name} on {spec.data.name}, seed {spec.seed}"


def _with_files(places: list[Path] | None, named: Sequence[Path]) -> list[Path] | None:
    return None if places is None else [*places, *named]


def specs(config: Namespace) -> list[RunSpec]:
    """The runs that a parsed command line asks for, one a seed.

    Raises:
        DepthubError: for values that no run can have.
    """
    default = RunSpec()
    # without the plugin of a default there is no choice; the spec then names what is missing
    method, head, protocol = (
        _component(config[part]) if config[part] else getattr(default, part) for part in ("method", "head", "protocol")
    )
    spec = RunSpec(
        method=method,
        head=head,
        protocol=protocol,
        data=_data(config),
        backbone=BackboneSpec(**config.backbone.as_dict()),
        training=Training(**config.training.as_dict()),
        shots=config.shots,
        seed=config.seed,
    )
    for seed in config.seeds:
        if config.seeds.count(seed) > 1:
            raise DepthubError(f"--seeds names {seed} twice, expected each seed once")
    return [replace(spec, seed=seed) for seed in config.seeds or [config.seed]]


def _data(config: Namespace) -> DataSpec:
    names = read_names(config.class_names) if config.class_names else {}
    return DataSpec(
        config.data,
        config.test_fraction,
        decoding=config.decoding,
        background=config.background,
        template=config.template,
        class_names=names,
    )


def _image_cache(given: str) -> Path | None:
    """The folder for decoded images; "auto" is beside that for image features."""
    from depthub.system.disk_cache import Cache
    from depthub.system.files import PLACE

    if given != "auto":
        return Path(given) if given else None
    beside = Cache.here()
    if beside is None:
        raise DepthubError(f"--image_cache is auto, but {PLACE} turns caches off; name a folder")
    return beside.folder.parent / "images"


def _classes(plugins: Plugins, kind: str) -> Mapping[str, type]:
    return {name: plugins.get(kind, name) for name in plugins.names(kind)}


def _component(chosen: Namespace) -> Component:
    """What jsonargparse made of a choice, as a component; choices within it likewise."""
    settings = vars(chosen.init_args) if "init_args" in chosen else {}
    plain = {name: _component(value) if isinstance(value, Namespace) else value for name, value in settings.items()}
    return Component(chosen.class_path.rpartition(".")[2], plain)
