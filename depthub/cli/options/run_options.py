"""The options of `depthub run`; every setting of every plugin is one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from jsonargparse import Namespace

from depthub.cli.options.parser import Parser
from depthub.cli.options.recipe import RunPrecedence
from depthub.cli.options.run_specs import specs
from depthub.cli.options.work_options import WHERE, Row, add_rows, add_work
from depthub.encoding.backbone import Backbone
from depthub.head import Head
from depthub.method import Method
from depthub.protocol import Protocol
from depthub.registry import presets
from depthub.registry.plugins import Plugins
from depthub.spec import BackboneSpec, Decoding, RunSpec, Training
from depthub.types import ClassSet

WHAT, DATA = "what is run", "data"
OWN = "folder: and list: only"  # data sets of the user's own pictures


def add_run_options(parser: Parser, plugins: Plugins) -> None:
    """Add all options of the command, in groups.

    Args:
        parser: of the command.
        plugins: their names and settings become options.
    """
    parser.choices.note = plugins.left_out
    parser.precedence = RunPrecedence(parser.choices, plugins)
    parser.settled = lambda config: with_true_preset(config, plugins)
    parser.add("--config", action="config", metavar="FILE", help="a file of options, as --print_config writes it; options override it")
    parser.describe("--print_config", help="print all options as such a file and exit; =skip_default leaves out defaults")
    _add_what(parser, plugins)
    _add_data(parser, plugins)
    parser.add_fields(BackboneSpec, "backbone", "backbone: a frozen CLIP-like model", skip={"sha256"})
    parser.add_fields(Training, "training", "training: the recipe, by default that of the DePT paper's tables and of the preset")
    _add_where(parser, plugins)


def _add_what(parser: Parser, plugins: Plugins) -> None:
    default = RunSpec()
    for option, base, words in (
        ("method", Callable[[Backbone, ClassSet], Method], "tuning method"),
        ("head", Callable[[int, ClassSet], Head], "classification head"),
        ("protocol", Protocol, "tasks for training and testing, and scores"),
    ):
        parser.add_choice(option, base, plugins.all(f"{option}s"), getattr(default, option).name, words, WHAT)
    names = ", ".join(presets.names(plugins))
    parser.add("--preset", WHAT, type=str | None, default=presets.DEFAULT, metavar="NAME", help=f"published settings and recipe: {names}")


def _add_data(parser: Parser, plugins: Plugins) -> None:
    default = RunSpec()
    names, texts = (", ".join(plugins.names(kind)) for kind in ("datasets", "texts"))
    share = "share of each class held out for testing (folders without train/ and test/)"
    jpeg = 'JPEG decoding; "draft" is faster on large pictures but changes pixels slightly'
    sample: list[Row] = [
        ("data", str, default.data.name, "NAME", f"data set: {names}; or folder:PATH or list:FILE"),
        ("data_root", Path | None, None, "DIR", "the folder that holds data sets on this machine"),
        ("shots", int, default.shots, "K", "training images per class"),
        ("seed", int, default.seed, "SEED", "seed for the few-shot sample and for training"),
        ("sample", int | None, None, "SEED", "another seed for the few-shot sample"),
        ("texts", str, "", "FILE", f"texts of the classes, for methods that read them: a file, or of plugins: {texts}"),
    ]
    pictures: list[Row] = [
        ("test_fraction", float, default.data.test_fraction, "SHARE", share),
        ("decoding", Decoding, default.data.decoding, "exact|draft", jpeg),
        ("background", str, "", "COLOUR", "colour behind transparent pictures, such as white or '#ff8000'"),
        ("template", str, "", "TEXT", f"class sentence, such as 'a photo of a {{}}, a type of pet.' ({OWN})"),
        ("class_names", Path | None, None, "FILE", f"class names as CSV or JSON ({OWN})"),
    ]
    add_rows(parser, DATA, sample)
    parser.add("--seeds", DATA, type=int, nargs="+", default=[], metavar="SEED", help="several runs, one per seed; instead of --seed")
    add_rows(parser, DATA, pictures)


def _add_where(parser: Parser, plugins: Plugins) -> None:
    parser.add("--runs", WHERE, type=Path, default=Path("runs"), metavar="DIR", help="the folder of run files (with --from: reproduced)")
    parser.add("--from", WHERE, type=str, default="", metavar="RUN", help="repeat a finished run exactly, and compare counts")
    parser.add("--force", WHERE, action="store_true", help="run again what is already done")
    add_work(parser, plugins, "executor (default: this process, one run after another)")


def with_true_preset(config: Namespace, plugins: Plugins) -> Namespace:
    """A parsed command line with the preset whose values it has: options may have changed values of the named one."""
    unnamed = config.clone()
    unnamed.class_names = None  # presets do not depend on them, and their file is read once
    spec = specs(unnamed)[0]
    matches = presets.matching(spec, plugins) if spec.method.name in plugins.names("methods") else []
    settled = config.clone()
    settled.preset = config.preset if config.preset in matches else next(iter(matches), None)
    return settled
