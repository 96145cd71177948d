"""Mistakes on the command line and in configuration files: each costs one clear line."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from depthub.cli import main

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
    ("run --method.position mid", "", "--method.position: got 'mid', expected one of end, middle, front; did you mean 'middle'?"),
    ("run --training.precision fp8", "", "--training.precision: got 'fp8', expected one of fp32, bf16, fp16"),
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
    ("run --stack 0", "", "--stack: got '0', expected a positive integer or one of auto, off"),
    ("run --workers -1", "", "--workers: got '-1', expected an integer of at least 0"),
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
    ("run --config FILE", "texts: {name: shapes}", "texts: got {'name': 'shapes'}, expected str"),
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
    errors = [text for text in captured.err.splitlines() if not text.startswith(("depthub: warning: ", "depthub: loading "))]
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
