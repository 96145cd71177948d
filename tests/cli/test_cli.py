"""The command line: what it accepts, and one clear line for what it does not."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from depthub import BackboneSpec, ClassSet, Component, Head, RunSpec, Training, cli
from depthub.cli import main
from depthub.cli.commands import run
from depthub.cli.options.parser import Parser
from depthub.cli.table import table
from depthub.protocol import Count
from depthub.records.store import RunResult
from tests.cli.test_mistakes import CAT, FILE
from tests.conftest import MakeDistribution


def parsed(*args: str) -> list[RunSpec]:
    return run.specs(run.parser().parse_args(args))


def test_a_byte_order_mark_is_no_key(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes("\ufeffseed: 3".encode())
    assert [spec.seed for spec in parsed("--config", str(path))] == [3]


def test_options_become_a_spec() -> None:
    line = "--method CoOp --method.n_ctx 4 --head DePT --head.balance 0.5 --head.cat CAT --head.cat.bias false"
    line += " --training.epochs 2 --shots 4 --seed 7"
    (spec,) = parsed(*line.split())
    assert spec.method.name == "CoOp"
    assert spec.method.settings["n_ctx"] == 4
    assert spec.head.settings["balance"] == 0.5
    cat = spec.head.settings["cat"]
    assert isinstance(cat, Component)
    assert (cat.name, cat.settings["bias"]) == ("CAT", False)
    assert (spec.training, spec.shots, spec.seed) == (Training(epochs=2), 4, 7)


def test_defaults_are_the_specs_own() -> None:
    (spec,) = parsed()
    default = RunSpec()
    assert (spec.method.name, spec.head, spec.protocol.name) == (default.method.name, default.head, default.protocol.name)
    assert (spec.data, spec.backbone, spec.training, spec.shots, spec.seed) == (
        default.data, default.backbone, Training(), default.shots, default.seed,
    )  # fmt: skip


def test_seeds_make_one_run_each(tmp_path: Path) -> None:
    assert [spec.seed for spec in parsed("--seeds", "3", "1")] == [3, 1]
    path = tmp_path / "config.yaml"
    path.write_text("seed: 7\nseeds: [1, 2]")
    assert [spec.seed for spec in parsed("--config", str(path))] == [1, 2]
    assert [spec.seed for spec in parsed("--config", str(path), "--seed", "4")] == [4]


def test_the_same_option_twice_with_one_value_is_no_mistake() -> None:
    assert parsed("--shots", "4", "--shots=4") == parsed("--shots", "4")
    (spec,) = parsed("--method", "PromptSRC", "--method.templates+", "a {}.", "--method.templates+", "the {}.")
    assert spec.method.settings["templates"] == ["a {}.", "the {}."]


@pytest.mark.parametrize(
    "text", ["1e3", "010", "1:30", "null", "true", "a:", "a: b", "{}", "[x]", "#x", "a photo of a {}.", "- x", "é ✓", ""]
)
def test_text_is_taken_as_it_stands_and_printed_so(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (spec,) = parsed(f"--method.ctx_init={text}")
    assert spec.method.settings["ctx_init"] == text
    assert main(["run", f"--method.ctx_init={text}", "--print_config"]) == 0
    path = tmp_path / "printed.yaml"
    path.write_text(capsys.readouterr().out, encoding="utf-8")
    assert parsed("--config", str(path)) == [spec]


def test_numbers_in_files_are_decimal(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("training: {lr: 1e-3, momentum: .5, weight_decay: 0}\nshots: 8\ndata: 2020-01-01")
    (spec,) = parsed("--config", str(path))
    assert spec.training is not None
    assert (spec.training.lr, spec.training.momentum, spec.training.weight_decay) == (0.001, 0.5, 0)
    assert (spec.shots, spec.data.name) == (8, "2020-01-01")


def test_options_count_before_files_and_later_files_before_earlier_ones(tmp_path: Path) -> None:
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    first.write_text("method: {class_path: CoOp, init_args: {n_ctx: 4, position: middle}}\nshots: 2\nseed: 5\ntraining: {epochs: 3, lr: 1}")
    second.write_text("method: {class_path: CoOp, init_args: {n_ctx: 8}}\nshots: 4\ntraining: {epochs: 6}")
    for line in (f"--config {first} --config {second} --shots 1", f"--shots 1 --config {first} --config {second}"):
        (spec,) = parsed(*line.split())
        assert (spec.method.settings["n_ctx"], spec.method.settings["position"]) == (8, "middle")
        assert spec.training is not None
        assert (spec.shots, spec.seed, spec.training.epochs, spec.training.lr) == (1, 5, 6, 1)
    (spec,) = parsed("--method.n_ctx", "2", "--config", str(first), "--method", "CoOp")
    assert (spec.method.settings["n_ctx"], spec.method.settings["position"]) == (2, "middle")


@pytest.mark.parametrize("written", ["epochs: 3\nlr: 0.01", '{"epochs": 3, "lr": 0.01}'])
def test_a_group_of_options_may_stand_in_a_file_or_in_braces(written: str, tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(written)
    for given in (str(path), '{"epochs": 3, "lr": 0.01}'):
        (spec,) = parsed("--training", given, "--training.lr", "0.5")
        assert spec.training == Training(epochs=3, lr=0.5)
    path.write_text("model: ViT-B-16-quickgelu\npretrained: openai")
    (spec,) = parsed("--backbone", str(path))
    assert spec.backbone == BackboneSpec("ViT-B-16-quickgelu", "openai")


def test_what_a_replaced_class_had_is_left_out_with_a_note(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(f"head: {CAT % 'init_args: {bias: false}'}")
    (spec,) = parsed("--config", str(path), "--head.cat.init", "random")
    assert spec.head.settings["cat"] == Component("CAT", {**spec.head.settings["cat"].settings, "bias": False, "init": "random"})
    (spec,) = parsed("--config", str(path), "--head", "DePT", "--head.cat", "SharedCAT")
    assert (spec.head.settings["cat"].name, spec.head.settings["cat"].settings["bias"]) == ("SharedCAT", True)
    assert capsys.readouterr().err == "depthub: note: head is SharedCAT: settings of CAT (bias) are left out\n"
    (spec,) = parsed("--config", str(path), "--head", "ITM")
    assert spec.head == Component("ITM")
    assert capsys.readouterr().err == "depthub: note: head is ITM: settings of DePT (cat) are left out\n"


@pytest.mark.parametrize(
    ("line", "shows"),
    [
        ("--method.help", "--method.ctx_init"),
        ("--method KgCoOp --method.help", "--method.weight"),
        ("--head DePT --head.help", "--head.balance"),
        ("--head DePT --head.cat.help", "--head.cat.bias"),
        ("--head DePT --head.cat.help ImageOnlyCAT", "--head.cat.bias"),
        ("--executor.help Local", "--executor.workers"),
    ],
)
def test_help_without_a_name_is_that_of_what_is_chosen(line: str, shows: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", *line.split()]) == 0
    assert shows in capsys.readouterr().out


def test_spelling_and_order_of_options_do_not_matter() -> None:
    given = parsed("--head.cat.bias=false", "--head.cat=CAT", "--test-fraction", "0.25", "--head.balance", "0.5", "--head", "DePT")
    assert given == parsed("--test_fraction=0.25", "--head=DePT", "--head.balance=0.5", "--head.cat=CAT", "--head.cat.bias=false")
    texts = parsed("--method.template=the {}.", "--head.cat.init=random", "--method", "KgCoOp", "--head.cat=SharedCAT", "--head", "DePT")
    assert texts == parsed("--head=DePT", "--head.cat=SharedCAT", "--head.cat.init=random", "--method=KgCoOp", "--method.template=the {}.")
    assert texts[0].method.settings["template"] == "the {}."


def test_a_printed_configuration_gives_the_same_spec(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "--method CoOp --method.n_ctx 4 --head DePT --head.cat CAT --head.cat.bias false --training.lr 1e-3 --seeds 1 2"
    line = f"{text} --executor Local".split()
    assert main(["run", *line, "--print_config"]) == 0
    path = tmp_path / "printed.yaml"
    path.write_text(capsys.readouterr().out)
    assert parsed("--config", str(path)) == parsed(*line)
    assert [spec.shots for spec in parsed("--config", str(path), "--shots", "1")] == [1, 1]


HEADS = """
from collections.abc import Callable
from depthub import ClassSet, Head
class Base(Head):
    def loss(self, features, labels): ...
    def forward(self, features): ...
class First(Base):
    def __init__(self, dim: int, classes: ClassSet, *, rate: float = 1.0) -> None: ...
class Second(Base):
    def __init__(self, dim: int, classes: ClassSet, *, rate: float = 2.0) -> None: ...
class Around(Base):
    def __init__(self, dim: int, classes: ClassSet, *, rate: float = 3.0, inner: Callable[[int, ClassSet], Head] = First) -> None: ...
"""


@pytest.mark.parametrize(
    ("args", "config", "rate", "inner"),
    [
        ("", "", 1.0, None),
        ("--head Second", "", 2.0, None),
        ("--head Around", "", 3.0, 1.0),
        ("--head Around --head.inner Second", "", 3.0, 2.0),
        ("--head.inner.rate 5 --head.inner Second --head Around", "", 3.0, 5.0),
        ("--config FILE", "head: Second", 2.0, None),
        ("--config FILE", "head: {class_path: Around, init_args: {inner: Second}}", 3.0, 2.0),
        (
            "--config FILE --head.rate 4",
            "head: {class_path: Around, init_args: {inner: {class_path: Second, init_args: {rate: 6}}}}",
            4.0,
            6.0,
        ),
        ("--config FILE --head Second", "head: {class_path: Around, init_args: {rate: 7}}", 2.0, None),
    ],
)
def test_no_class_inherits_settings_of_the_one_it_replaces(
    args: str, config: str, rate: float, inner: float | None, tmp_path: Path, make_distribution: MakeDistribution
) -> None:
    make_distribution("heads", {}, {"three_heads": HEADS})
    module = importlib.import_module("three_heads")
    path = tmp_path / "config.yaml"
    path.write_text(config)
    parser = Parser("test", "")
    parser.add_argument("--config", action="config")
    classes = {name: getattr(module, name) for name in ("First", "Second", "Around")}
    parser.add_choice("head", Callable[[int, ClassSet], Head], classes, "First", "")
    settings = parser.parse_args([str(path) if arg == FILE else arg for arg in args.split()]).head.init_args
    assert settings.rate == rate
    assert (settings.inner.init_args.rate if "inner" in settings else None) == inner


def test_help_of_a_class_lists_its_settings(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--head.help", "DePT"]) == 0
    assert "--head.balance" in capsys.readouterr().out


def test_a_table_shows_counts_scores_and_their_spread() -> None:
    from rich.console import Console

    results = [RunResult(RunSpec(seed=s), {"base": Count(s, 4), "new": Count(2, 4)}, {"H": 50.0 * s}) for s in (1, 2)]
    console = Console(width=100, record=True, file=open(os.devnull, "w"))  # noqa: PTH123, SIM115
    with console.file:
        console.print(table(results))
        console.print(table(results[:1]))
    rows = [line.split("│") for line in console.export_text().splitlines()]
    cells = [[cell.strip() for cell in row[1:-1]] for row in rows if len(row) > 1]
    assert ["base", "1/4", "2/4", "37.50 ± 17.68"] in cells
    assert ["H", "50.00", "100.00", "75.00 ± 35.36"] in cells
    assert ["base", "1/4", "25.00"] in cells
    assert ["H", "", "50.00"] in cells


@pytest.mark.parametrize(("error", "status", "says"), [(KeyboardInterrupt(), 130, "depthub: interrupted\n"), (SystemExit(0), 0, "")])
def test_ends_of_a_command(
    error: BaseException, status: int, says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def end(args: list[str]) -> int:
        raise error

    monkeypatch.setattr(cli, "_dispatch", end)
    assert main([]) == status
    assert capsys.readouterr().err == says


def test_bugs_keep_their_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "_dispatch", lambda args: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main([])


def python(*args: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *args], capture_output=True, text=True, check=False, env={**os.environ, **environ})


@pytest.mark.parametrize("line", ["--help", "--version", "plugins --help", "leaderboard --help", "quickstart --help"])
def test_help_is_quick(line: str) -> None:
    code = "import sys; from depthub.cli import main; main(sys.argv[1:])"
    code += "; sys.exit(', '.join({'torch', 'open_clip', 'timm', 'depthub_coop'} & set(sys.modules)) or 0)"
    done = python("-c", code, *line.split())
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


def test_a_broken_plugin_costs_one_line_and_is_explained(make_distribution: MakeDistribution) -> None:
    site = make_distribution("bad-dist", {"bad": "bad_for_cli"}, {"bad_for_cli": "import no_such_module"})
    helped = python("-m", "depthub", "run", "--method.help", "CoOp", PYTHONPATH=str(site))
    assert helped.returncode == 0
    (line,) = helped.stderr.splitlines()
    assert line.startswith("depthub: warning: broken and left out: ")
    assert "bad" in line
    listed = python("-m", "depthub", "plugins", PYTHONPATH=str(site))
    assert listed.returncode == 0
    assert "plugin 'bad' of bad-dist 1.0 is left out: cannot import 'bad_for_cli': ModuleNotFoundError" in listed.stdout


def test_a_reader_that_leaves_early_is_no_error() -> None:
    code = f"{sys.executable} -m depthub --help | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr == ""
