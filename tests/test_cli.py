"""The command line: what it accepts, and one clear line for what it does not."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from depthub import ClassSet, Component, Head, RunSpec, Training, cli
from depthub.cli import main, run
from depthub.cli.parser import Parser
from depthub.protocol import Count
from depthub.store import RunResult
from tests.conftest import MakeDistribution

FILE = "FILE"  # in a case's arguments: the configuration file
CASES = [
    ("rn", "", "unknown command 'rn'; did you mean 'run'?"),
    ("--hlp", "", "unknown option '--hlp'; did you mean '--help'?"),
    ("run --metod CoOp", "", "unknown option '--metod'; did you mean '--method'?"),
    ("run --training.epoch 4", "", "unknown option '--training.epoch'; did you mean '--training.epochs'?"),
    ("run --method CoOpp", "", "unknown method 'CoOpp'; did you mean 'CoOp'? known: "),
    ("run --head=dept", "", "unknown head 'dept'; did you mean 'DePT'?"),
    ("run --protocol Base2New", "", "unknown protocol 'Base2New'; did you mean 'BaseToNew'?"),
    ("run --executor Loca", "", "unknown executor 'Loca'; did you mean 'Local'?"),
    ("run --head DePT --head.cat CTA", "", "unknown head 'CTA'; did you mean 'CAT'?"),
    ("run --method.help CoOpp", "", "unknown method 'CoOpp'; did you mean 'CoOp'?"),
    ("run --head os.system", "", "unknown head 'os.system'; known: "),
    ("run --head depthub.Head", "", "unknown head 'depthub.Head'; known: "),
    ("run --method.n_cxt 4", "", "method CoOp has no setting 'n_cxt'; did you mean 'n_ctx'? known: "),
    ("run --head DePT --head.balanc .5", "", "head DePT has no setting 'balanc'; did you mean 'balance'?"),
    ("run --head DePT --head.cat.bia 1", "", "unknown setting 'bia' of --head.cat; did you mean 'bias'?"),
    ("run --executor.workers 2", "", "--executor.workers: choose with --executor first; known: Local"),
    ("run --method.position mid", "", "--method.position: got 'mid', expected one of 'end', 'middle', 'front'; did you mean 'middle'?"),
    ("run --training.precision fp8", "", "--training.precision: got 'fp8', expected one of 'fp32', 'bf16', 'fp16'"),
    ("run --method.n_ctx many", "", "--method.n_ctx: got 'many', expected int"),
    ("run --seeds 1 two", "", "--seeds: got 'two', expected int"),
    ("run --shots", "", "argument --shots: expected one argument"),
    ("run --shots 0", "", "shots is 0, expected at least 1"),
    ("run stray", "", "unexpected argument 'stray'; `depthub run --help` lists the options"),
    ("run --config nowhere.yaml", "", "--config: cannot read nowhere.yaml: No such file or directory"),
    ("run --config FILE", "metod: CoOp", "unknown key 'metod' in a configuration file; did you mean 'method'?"),
    ("run --config FILE", "training: {epoch: 3}", "unknown key 'epoch' in a configuration file; did you mean 'epochs'?"),
    ("run --config FILE", "training: {epochs: x}", "training.epochs: got 'x', expected int"),
    ("run --config FILE", "method: {class_path: CoOpp}", "unknown method 'CoOpp'; did you mean 'CoOp'?"),
    ("run --config FILE", "head: {class_path: subprocess.Popen}", "unknown head 'subprocess.Popen'; known: "),
    ("run --config FILE", "head: {class_path: DePT, init_args: {balanc: 1}}", "head DePT has no setting 'balanc'; did you mean"),
    ("run --config FILE", "training: [", "--config: "),
    ("run --config FILE", "3", "--config: "),
    ("plugins --jsn", "", "unknown option '--jsn'; did you mean '--json'?"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "config", "says"), CASES, ids=[f"{line} {config}".strip() for line, config, _ in CASES])
def test_mistakes_cost_one_line(line: str, config: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(config)
    assert main([str(path) if arg == FILE else arg for arg in line.split()]) == 2
    captured = capsys.readouterr()
    errors = [text for text in captured.err.splitlines() if not text.startswith("depthub: warning: ")]
    assert len(errors) == 1
    assert errors[0].startswith(f"depthub: error: {says}")
    assert captured.out == ""


def parsed(*args: str) -> list[RunSpec]:
    return run.specs(run.parser().parse_args(args))


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
    assert (spec.method.name, spec.head, spec.protocol) == (default.method.name, default.head, default.protocol)
    assert (spec.data, spec.backbone, spec.training, spec.shots, spec.seed) == (
        default.data, default.backbone, Training(), default.shots, default.seed,
    )  # fmt: skip


def test_seeds_make_one_run_each() -> None:
    assert [spec.seed for spec in parsed("--seeds", "3", "1", "3")] == [3, 1]


def test_spelling_and_order_of_options_do_not_matter() -> None:
    given = parsed("--head.cat.bias=false", "--head.cat=CAT", "--test-fraction", "0.25", "--head.balance", "0.5", "--head", "DePT")
    assert given == parsed("--test_fraction=0.25", "--head=DePT", "--head.balance=0.5", "--head.cat=CAT", "--head.cat.bias=false")


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
        console.print(run.table(results))
        console.print(run.table(results[:1]))
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
