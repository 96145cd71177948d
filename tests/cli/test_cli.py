"""The command line: what it accepts, and one clear line for what it does not."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from depthub import BackboneSpec, ClassSet, Component, Head, RunSpec, Training, cli
from depthub.cli import main
from depthub.cli.commands import run
from depthub.cli.options.parser import Parser
from depthub.cli.table import table
from depthub.protocol import Count
from depthub.records.store import RunResult
from tests.conftest import MakeDistribution

FILE = "FILE"  # in a case's arguments and message: the configuration file
CAT = "{class_path: DePT, init_args: {cat: {class_path: CAT, %s}}}"
LAUGHS = "a: &a [1, 1, 1, 1, 1, 1, 1, 1]\n" + "\n".join(f"{n}: &{n} [{', '.join([f'*{m}'] * 8)}]" for m, n in pairwise("abcdefgh"))
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
    ("run --head DePT --head.cat.bia 1", "", "head CAT has no setting 'bia'; did you mean 'bias'? known: "),
    ("run --head.cat CAT", "", "head ITM has no setting 'cat'; it has none"),
    ("run --head.cat.help CAT", "", "head ITM has no setting 'cat'; it has none"),
    ("run --executor.help", "", "--executor.help: choose with --executor first; known: Local"),
    ("run --method.n_ctx", "", "--method.n_ctx: expected a value"),
    ("run --method.init_args.n_ctx 4", "", "--method.init_args.n_ctx: choose with --method NAME, and set with --method.SETTING"),
    ("run --method.class_path KgCoOp", "", "--method.class_path: choose with --method NAME, and set with --method.SETTING"),
    ("run --method.dict_kwargs.n_ctx 4", "", "--method.dict_kwargs.n_ctx: choose with --method NAME"),
    ("run --method=", "", "unknown method ''; known: "),
    ("run --executor.workers 2", "", "--executor.workers: choose with --executor first; known: Local"),
    ("run --method.position mid", "", "--method.position: got 'mid', expected one of 'end', 'middle', 'front'; did you mean 'middle'?"),
    ("run --training.precision fp8", "", "--training.precision: got 'fp8', expected one of 'fp32', 'bf16', 'fp16'"),
    ("run --method.n_ctx many", "", "--method.n_ctx: got 'many', expected int"),
    ("run --seeds 1 two", "", "--seeds: got 'two', expected int"),
    ("run --seeds 1 1", "", "--seeds names 1 twice, expected each seed once"),
    ("run --seed 3 --seeds 1 2", "", "--seed and --seeds are both given, expected one of them"),
    ("run --method CoOp --method KgCoOp", "", "--method is given twice, as 'CoOp' and as 'KgCoOp'; give it once"),
    ("run --data dtd --data ucf101", "", "--data is given twice, as 'dtd' and as 'ucf101'; give it once"),
    ("run --method.n-ctx=4 --method.n_ctx 8", "", "--method.n_ctx is given twice, as '4' and as '8'; give it once"),
    ("run --seeds 1 2 --seeds 3", "", "--seeds is given twice, as '1 2' and as '3'; give it once"),
    ("quickstart --epochs 1 --epochs 2", "", "--epochs is given twice, as '1' and as '2'; give it once"),
    ("run --seed 9007199254740992", "", "--seed is 9007199254740992, expected an integer of less than 2**53"),
    ("run --seeds 1 9007199254740992", "", "--seeds is 9007199254740992, expected an integer of less than 2**53"),
    ("quickstart --seeds 9007199254740992", "", "--seeds is 9007199254740992, expected an integer of less than 2**53"),
    ("run --method.n_ctx 9007199254740992", "", "--method.n_ctx is 9007199254740992, expected an integer of less than 2**53"),
    ("run --training.lr 1e400", "", "--training.lr is inf, expected a finite number"),
    ("run --training.momentum .inf", "", "--training.momentum is inf, expected a finite number"),
    ("run --head DePT --head.cat.lr_scale 1e400", "", "--head.cat.lr_scale is inf, expected a finite number"),
    ("run --data \udcff", "", "an argument is '\\udcff', which is not valid Unicode"),
    ("run --method.ctx_init \ud800", "", "an argument is '\\ud800', which is not valid Unicode"),
    ("run --method.n_ctx " + "[" * 900 + "]" * 900, "", "--method.n_ctx: got '[[[["),
    ("run --method.n_ctx [&a,[*a]]", "", "--method.n_ctx: "),
    ("run --head DePT --head.cat " + '{"a":' * 900, "", "--head.cat is not valid YAML: nested more than 40 levels deep"),
    ("run --stack 0", "", "--stack: got '0', expected a positive integer, one of 'auto', 'off'"),
    ("run --workers -1", "", "--workers: got -1, expected a number >=0"),
    ("run --training nowhere.yaml", "", "--training: cannot read nowhere.yaml: No such file or directory"),
    ("run --training FILE", "epoch: 3", "unknown key 'epoch' in a configuration file; did you mean 'epochs'?"),
    ("run --training FILE", "[3]", "--training: FILE: training is [3], expected options by name"),
    ("run --backbone FILE", "sha256: aa", "unknown key 'sha256' in a configuration file"),
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
    ("run --config FILE", "method: {class_path: CoOp, n_ctx: 4}", "method CoOp: 'n_ctx' stands beside class_path; put it under init_args"),
    ("run --config FILE", "method: {class_path: CoOp, init_arg: {n_ctx: 4}}", "method CoOp: unknown key 'init_arg'; did you mean "),
    ("run --config FILE", "method: {class_path: CoOp, dict_kwargs: {n_ctx: 4}}", "method CoOp: unknown key 'dict_kwargs'"),
    ("run --config FILE", "method: {class_path: CoOp, init_args: [1, 2]}", "init_args of method CoOp is [1, 2], expected settings by name"),
    ("run --config FILE", "method: {class_path: CoOp, init_args: {n_cxt: 4}}", "method CoOp has no setting 'n_cxt'; did you mean 'n_ctx'?"),
    ("run --config FILE", "method: {init_args: {n_ctx: 4}}", "method has no class_path, expected the name of a method there; known: "),
    ("run --config FILE", "method: [CoOp]", "unknown method \"['CoOp']\"; did you mean 'CoOp'?"),
    ("run --config FILE", f"head: {CAT % 'bias: false'}", "head CAT: 'bias' stands beside class_path; put it under init_args"),
    ("run --config FILE", f"head: {CAT % 'init_arg: {bias: false}'}", "head CAT: unknown key 'init_arg'; did you mean 'init_args'?"),
    ("run --config FILE", f"head: {CAT % 'init_args: {bia: 1}'}", "head CAT has no setting 'bia'; did you mean 'bias'?"),
    ("run --config FILE", "executor: {class_path: Local, workers: 2}", "executor Local: 'workers' stands beside class_path"),
    ("run --config FILE", "config: other.yaml", "--config: FILE: a configuration within a configuration is not read; give --config twice"),
    ("run --config FILE", "training.epochs: 3", "unknown key 'training.epochs' in a configuration file; write it below 'training'"),
    ("run --config FILE", "help: true", "unknown key 'help' in a configuration file (--config: "),
    ("run --config FILE", "training: 3", "--config: FILE: training is 3, expected options by name"),
    ("run --config FILE", "training:", "--config: FILE: training is None, expected options by name"),
    ("run --config FILE", "seeds: 3", "--config: FILE: seeds is 3, expected a list"),
    ("run --config FILE", "seeds: [2, 2]", "--seeds names 2 twice, expected each seed once"),
    ("run --config FILE", "force: maybe", "--config: FILE: force is 'maybe', expected true or false"),
    ("run --config FILE", "seed: 1\nseed: 2", "--config: FILE is not valid YAML: the key 'seed' stands there twice (line 2, column 1)"),
    ("run --config FILE", "training: {lr: 1, lr: 1}", "--config: FILE is not valid YAML: the key 'lr' stands there twice"),
    ("run --config FILE", "3: 4", "--config: FILE is not valid YAML: a key is not a word; put it in quotes if it is one (line 1"),
    ("run --config FILE", "\tseed: 1", "--config: FILE is not valid YAML: found character"),
    ("run --config FILE", "training: &a {lr: *a}", "training.lr.lr.lr"),
    ("run --config FILE", "method: &a {class_path: CoOp, init_args: *a}", "method.init_args.init_args"),
    ("run --config FILE", "[" * 100_000, "--config: FILE is not valid YAML: "),
    ("run --config FILE", "- " * 100_000, "--config: FILE is not valid YAML: nested more than 40 levels deep"),
    ("run --config FILE", "{a: " * 500 + "}" * 500, "--config: FILE is not valid YAML: nested more than 40 levels deep"),
    ("run --config FILE", LAUGHS, "--config: FILE holds more than 10000 values, expected options"),
    ("run --config FILE", "#" * 2**21, "--config: FILE is larger than 1 MiB, expected a file of options"),
    ("run --config FILE", "training: {lr: 1e400}", "--config: FILE: training.lr is inf, expected a finite number"),
    ("run --config FILE", "seed: 9007199254740992", "--config: FILE: seed is 9007199254740992, expected an integer of less than 2**53"),
    ("run --config FILE", f"seed: {'9' * 5000}", "--config: FILE is not valid YAML: Exceeds the limit"),
    ("run --config FILE", "seeds: [-9007199254740992]", "--config: FILE: seeds[0] is -9007199254740992, expected an integer"),
    ("run --config FILE", 'data: "\\ud800"', "--config: FILE"),
    ("run --config FILE", "data: !!binary aGVsbG8=", "--config: FILE: data is a bytes, expected text"),
    ("run --config FILE", "!!python/object/apply:os.system [ls]", "--config: FILE is not valid YAML: could not determine a constructor"),
    ("run --config FILE", "seed: 1\n---\nseed: 2", "--config: FILE is not valid YAML: but found another document"),
    ("run --config FILE", "", "--config: FILE holds no options; `depthub run --print_config` shows the form"),
    ("run --config FILE", "training: [", "--config: "),
    ("run --config FILE", "3", "--config: "),
    ("plugins --jsn", "", "unknown option '--jsn'; did you mean '--json'?"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "config", "says"), CASES, ids=[f"{line:.60} {config:.60}".strip() for line, config, _ in CASES])
def test_mistakes_cost_one_line(line: str, config: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(config)
    assert main([str(path) if arg == FILE else arg for arg in line.split()]) == 2
    captured = capsys.readouterr()
    errors = [text for text in captured.err.splitlines() if not text.startswith("depthub: warning: ")]
    assert len(errors) == 1
    assert errors[0].startswith(f"depthub: error: {says}".replace(FILE, str(path)))
    assert len(errors[0]) < 1000
    assert captured.out == ""


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("seed: 1".encode("utf-16"), "is not text in UTF-8 (invalid start byte at byte 0); save it as UTF-8"),
        (b"data: caf\xe9", "is not text in UTF-8 (unexpected end of data at byte 9); save it as UTF-8"),
        (b"data: \x00", "is not valid YAML: "),
        (bytes(range(256)), "is not text in UTF-8"),
    ],
)
def test_a_configuration_is_text(content: bytes, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(content)
    assert main(["run", "--config", str(path)]) == 2
    (error,) = capsys.readouterr().err.splitlines()
    assert error.startswith(f"depthub: error: --config: {path} {says}")


def test_a_byte_order_mark_is_no_key(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes("\ufeffseed: 3".encode())
    assert [spec.seed for spec in parsed("--config", str(path))] == [3]


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
        ("--head DePT --head.cat.help", "--cat.bias"),
        ("--head DePT --head.cat.help ImageOnlyCAT", "--cat.bias"),
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
