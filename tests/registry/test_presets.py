"""Presets: their values by protocol, shots and data set, on the command line and in run files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from depthub import BackboneSpec, Component, DataSpec, DepthubError, RunSpec, Training
from depthub.cli.commands import run as command
from depthub.registry.plugins import Plugins, installed
from depthub.registry.presets import matching, names, preset
from depthub.registry.settings import complete
from depthub.running.runner import resolve
from tests.conftest import MakeDistribution

HARD = ("oxford_flowers", "dtd", "eurosat")
LATE = ("stanford_cars", "oxford_flowers", "fgvc_aircraft", "dtd", "eurosat")
TEMPLATE, LESS = {"ctx_init": "<template>"}, {"weight": 0.8}


def spec(line: str) -> RunSpec:
    (only,) = command.specs(command.parser().parse_args(line.split()))
    return only


@pytest.mark.parametrize(
    ("line", "settings", "recipe"),
    [
        ("", {"n_ctx": 16, "ctx_init": ""}, (0.0035, 4, 10)),
        ("--preset original", {"n_ctx": 4, "ctx_init": "a photo of a"}, (0.002, 32, 200)),
        ("--preset original --training.epochs 3", {"n_ctx": 4}, (0.002, 32, 3)),
        ("--preset original --method.ctx_init itap", {"n_ctx": 4, "ctx_init": "itap"}, (0.002, 32, 200)),
        ("--method CoCoOp", {"n_ctx": 4}, (0.002, 1, 10)),
        ("--method KgCoOp", {"weight": 2.0}, (0.0035, 4, 10)),
        ("--method KgCoOp --preset original", {"weight": 8.0}, (0.002, 128, 100)),
        ("--method MaPLe", {"depth": 9, "n_ctx": 2}, (0.0035, 4, 10)),
        ("--method MaPLe --preset original", {"depth": 9}, (0.0035, 4, 5)),
        ("--method VPT --preset original", {"n_ctx": 8, "depth": 12}, (0.0025, 4, 5)),
        ("--method ZeroShot --preset dept-repo", {}, (0.0035, 4, 10)),
        ("--method VPT", {"template": "a photo of a {}."}, (0.0035, 4, 10)),
        ("--method ProGrad", {"ctx_init": "a photo of a", "weight": 1.0}, (0.0035, 4, 10)),
        ("--method DeepLanguage --preset original", {"n_ctx": 4, "depth": 12}, (0.0025, 4, 5)),
        ("--method IndependentVL --preset original", {"n_text": 2, "n_image": 2, "depth": 12}, (0.0035, 4, 5)),
    ],
)
def test_the_command_line_shows_a_presets_values(line: str, settings: dict[str, object], recipe: tuple[float, int, int]) -> None:
    full = spec(line)
    assert full.training is not None
    assert (full.training.lr, full.training.batch_size, full.training.epochs) == recipe
    assert settings.items() <= dict(full.method.settings).items()


@pytest.mark.parametrize(
    ("protocol", "shots", "data", "epochs"),
    [
        ("CrossDataset", 16, "dtd", 50),
        ("FewShot", 1, "dtd", 50),
        ("FewShot", 4, "dtd", 100),
        ("FewShot", 16, "dtd", 200),
        ("FewShot", 16, "imagenet", 50),
        ("BaseToNew", 16, "dtd", 200),
        ("BaseToNew", 16, "imagenet", 50),
    ],
)
def test_the_originals_depend_on_protocol_shots_and_data(protocol: str, shots: int, data: str, epochs: int) -> None:
    bare = RunSpec(protocol=Component(protocol), shots=shots, data=DataSpec(data))
    assert preset("original", bare, installed()).training["epochs"] == epochs
    full = spec(f"--preset original --protocol {protocol} --shots {shots} --data {data}")
    assert full.training is not None
    assert full.training.epochs == epochs


# The presets "original" by protocol, data and shots: settings that differ from the method's defaults, learning rate, batch size, epochs.
WORDS = {"n_ctx": 4, "ctx_init": "a photo of a"}
ORIGINALS = [
    *(("CoOp", "BaseToNew", "dtd", shots, WORDS, (0.002, 32, 200)) for shots in (1, 4, 16)),
    ("CoOp", "BaseToNew", "imagenet", 16, WORDS, (0.002, 32, 50)),
    *(("CoOp", protocol, "imagenet", 16, WORDS, (0.002, 32, 50)) for protocol in ("CrossDataset", "DomainGeneralization")),
    *(("CoOp", "FewShot", "dtd", shots, {}, (0.002, 32, epochs)) for shots, epochs in ((1, 50), (2, 100), (4, 100), (8, 200), (16, 200))),
    *(("CoOp", "FewShot", "imagenet", shots, {}, (0.002, 32, 50)) for shots in (1, 4, 16)),
    *(("CoCoOp", protocol, "imagenet", 16, {}, (0.002, 1, 10)) for protocol in ("BaseToNew", "CrossDataset", "DomainGeneralization")),
    *(("KgCoOp", protocol, "imagenet", 16, {"weight": 8.0}, (0.002, 128, 100)) for protocol in ("BaseToNew", "CrossDataset", "FewShot")),
    ("MaPLe", "BaseToNew", "imagenet", 16, {}, (0.0035, 4, 5)),
    *(("MaPLe", protocol, "imagenet", 16, {"depth": 3}, (0.0026, 4, 2)) for protocol in ("CrossDataset", "DomainGeneralization")),
    *(("VPT", protocol, "imagenet", 16, {}, (0.0025, 4, 5)) for protocol in ("BaseToNew", "FewShot")),
    ("ProGrad", "BaseToNew", "food101", 16, TEMPLATE, (0.002, 32, 100)),
    ("ProGrad", "BaseToNew", "imagenet", 16, TEMPLATE, (0.002, 32, 50)),
    *(("ProGrad", "BaseToNew", data, 16, TEMPLATE | LESS, (0.002, 32, 100)) for data in HARD),
    *(("ProGrad", "BaseToNew", data, 4, TEMPLATE, (0.002, 32, 100)) for data in HARD),
    *(("ProGrad", "FewShot", data, shots, TEMPLATE | LESS, (0.002, 32, 200)) for data in HARD for shots in (8, 16)),
    *(("ProGrad", "FewShot", data, 4, TEMPLATE, (0.002, 32, 100)) for data in HARD),
    *(("ProGrad", "FewShot", "ucf101", shots, TEMPLATE, (0.002, 32, epochs)) for shots, epochs in ((1, 50), (2, 100), (8, 200), (16, 200))),
    *(("ProGrad", protocol, "imagenet", 16, TEMPLATE, (0.002, 32, 50)) for protocol in ("CrossDataset", "DomainGeneralization")),
    *(("PromptSRC", "FewShot", data, shots, {"mean": 45.0, "std": 5.0}, (0.0025, 4, 50)) for data in LATE for shots in (1, 16)),
    *(("PromptSRC", "FewShot", data, 4, {"mean": 30.0, "std": 30.0}, (0.0025, 4, 50)) for data in ("imagenet", "food101", "oxford_pets")),
    *(("PromptSRC", "BaseToNew", data, 16, {}, (0.0025, 4, 20)) for data in ("dtd", "food101")),
    ("PromptSRC", "CrossDataset", "imagenet", 16, {"depth": 3, "mean": 6.0, "std": 10.0}, (0.0025, 4, 20)),
]


@pytest.mark.parametrize(("method", "protocol", "data", "shots", "settings", "recipe"), ORIGINALS)
def test_the_originals_of_every_method(
    method: str, protocol: str, data: str, shots: int, settings: dict[str, object], recipe: tuple[float, int, int]
) -> None:
    bare = RunSpec(method=Component(method), protocol=Component(protocol), data=DataSpec(data), shots=shots)
    original = preset("original", bare, installed())
    training = Training(**original.training)
    assert (training.lr, training.batch_size, training.epochs) == recipe
    full = complete(Component(method, original.settings), "methods", installed())
    assert full == complete(Component(method, settings), "methods", installed())


def test_every_preset_fits_its_method() -> None:
    plugins = installed()
    for method in plugins.names("methods"):
        for found in plugins.get("methods", method).presets:
            assert found.name in names(plugins)
            RunSpec(method=Component(method, found.settings), training=Training(**found.training))


def test_a_printed_preset_is_read_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.parser().parse_args(["--preset", "original", "--method", "KgCoOp", "--print_config"])
    path = tmp_path / "config.yaml"
    path.write_text(capsys.readouterr().out)
    assert "preset: original" in path.read_text()
    assert spec(f"--config {path}") == spec("--preset original --method KgCoOp")


def printed(line: str, path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What --print_config says of a command line, also written to a file."""
    capsys.readouterr()
    with pytest.raises(SystemExit):
        command.parser().parse_args([*line.split(), "--print_config"])
    path.write_text(capsys.readouterr().out)
    return path.read_text()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("--preset original", "original"),
        ("--preset original --method.position end", "original"),
        ("--preset original --training.epochs 3", "null"),
        ("--preset original --method.n_ctx 4 --method.ctx_init=", "null"),
        ("--training.momentum 0.5", "null"),
        ("--training.warmup_epochs 0", "null"),
        ("--method CoCoOp --preset original", "original"),
        ("--method CoCoOp --training.lr 0.002", "dept-repo"),
        (
            "--preset original --training.epochs 10 --training.lr 0.0035 --training.batch_size 4 --method.n_ctx 16 --method.ctx_init=",
            "dept-repo",
        ),
    ],
)
def test_a_printed_preset_is_true_and_gives_the_same_run(line: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "config.yaml"
    assert f"preset: {says}\n" in printed(line, path, capsys)
    assert spec(f"--config {path}") == spec(line)
    assert f"preset: {says}\n" in printed(f"--config {path}", tmp_path / "again.yaml", capsys)


@pytest.mark.parametrize(
    "line", ["--method CoCoOp --training.lr 0.0035", "--method KgCoOp --preset original --training.lr 0.0035", "--preset original"]
)
def test_what_differs_from_the_defaults_alone_gives_the_same_run(line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "config.yaml"
    with pytest.raises(SystemExit):
        command.parser().parse_args([*line.split(), "--print_config=skip_default"])
    path.write_text(capsys.readouterr().out)
    assert "momentum" not in path.read_text()
    assert spec(f"--config {path}") == spec(line)


@pytest.mark.parametrize(
    ("whole", "line"),
    [
        ("--preset original", "--preset dept-repo"),
        ("", "--preset original"),
        ("--method KgCoOp", "--preset original"),
        ("--method MaPLe --preset original --protocol CrossDataset", "--preset dept-repo"),
        ("--preset original --training.epochs 3", "--preset original"),
        ("--preset original", "--method KgCoOp"),
        ("--method KgCoOp --preset original", "--method CoCoOp"),
        ("--method CoCoOp", "--method CoOp"),
        ("--preset original", "--method MaPLe --preset dept-repo"),
    ],
)
def test_a_preset_or_another_method_replaces_the_recipe_of_a_file(
    whole: str, line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "config.yaml"
    printed(whole, path, capsys)
    protocol = " --protocol CrossDataset" if "Cross" in whole else ""
    of_file = "" if "--preset" in line or "--preset original" not in whole else " --preset original"
    method = f" {whole.partition(' --preset')[0]}" if "--method" not in line and whole.startswith("--method") else ""
    expected = spec(f"{line}{of_file}{protocol}{method}")
    assert spec(f"--config {path} {line}") == expected
    assert spec(f"{line} --config {path}") == expected
    assert spec(f"{line} --config {path} --training.epochs 7").training == replace(expected.training or Training(), epochs=7)


def test_what_is_nobodys_but_the_users_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "config.yaml"
    method = "method: {class_path: CoOp, init_args: {n_ctx: 8, position: middle}}"
    path.write_text(f"{method}\ntraining: {{lr: 0.01, epochs: 10, precision: bf16}}\nshots: 4\n")
    same = spec(f"--config {path}")
    assert same.training == Training(lr=0.01, precision="bf16")
    other = spec(f"--config {path} --method KgCoOp")
    assert (other.training, other.method) == (same.training, spec("--method KgCoOp").method)
    left_out = "left out: training.epochs, which are CoOp's own", "method is KgCoOp: settings of CoOp (n_ctx, position) are left out"
    assert capsys.readouterr().err == "".join(f"depthub: note: {note}\n" for note in left_out)
    other = spec(f"--config {path} --preset original")
    assert other.training == Training(lr=0.002, batch_size=32, epochs=200, precision="bf16")
    assert (other.method.settings["n_ctx"], other.method.settings["position"], other.shots) == (4, "middle", 4)
    left_out = "left out: training.lr, training.epochs, which preset 'original' says", "left out: n_ctx, which preset 'original' says"
    assert capsys.readouterr().err == "".join(f"depthub: note: {note}\n" for note in left_out)


def test_within_a_file_the_preset_lies_below_the_values_beside_it(tmp_path: Path) -> None:
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    first.write_text("preset: original\ntraining: {epochs: 7}")
    second.write_text("method: {class_path: CoOp, init_args: {n_ctx: 2, ctx_init: ''}}\ntraining: {lr: 1, epochs: 3}")
    assert spec(f"--config {first}").training == Training(lr=0.002, batch_size=32, epochs=7)
    assert spec(f"--config {first} --config {second}").training == Training(lr=1, batch_size=32, epochs=3)
    last = spec(f"--config {second} --config {first}")
    assert (last.training, last.method.settings["n_ctx"]) == (Training(lr=0.002, batch_size=32, epochs=7), 4)


def test_a_spec_without_a_recipe_takes_its_methods_own() -> None:
    bare = RunSpec(method=Component("CoCoOp"), data=DataSpec("squares"), backbone=BackboneSpec("ViT-B-16-quickgelu", "random"))
    full = resolve(bare)
    assert full.training is not None
    assert (full.training.lr, full.training.batch_size) == (0.002, 1)
    assert matching(full, installed()) == ["dept-repo", "original"]


def test_unknown_presets() -> None:
    with pytest.raises(DepthubError, match=r"^unknown preset 'orginal'; did you mean 'original'\? known: dept-repo, original$"):
        spec("--preset orginal")
    with pytest.raises(DepthubError, match=r"^unknown preset 'orginal'; known: dept-repo$"):
        spec("--preset orginal --method ZeroShot")


def test_a_preset_of_other_methods_alone_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("preset: original")
    for line in ("--method ZeroShot --preset original", f"--config {path} --method ZeroShot"):
        with pytest.raises(DepthubError, match=r"^ZeroShot has no preset 'original'; it has: dept-repo$"):
            spec(line)


NARROW = """
from depthub import ClassSet, Method, Preset, hookimpl
class Narrow(Method):
    presets = (Preset("paper", training={"epochs": 3}, protocols=("FewShot",), data=("tones",), shots=(4,)),)
    def __init__(self, backbone: object, classes: ClassSet, *, rate: float = 1.0) -> None: ...
    def features(self, backbone, images, classes): ...
@hookimpl
def depthub_methods(): return [Narrow]
"""


def test_a_preset_that_says_nothing_of_a_run_is_refused(make_distribution: MakeDistribution) -> None:
    make_distribution("narrow-dist", {"narrow": "narrow_method"}, {"narrow_method": NARROW})
    plugins, bare = Plugins(), RunSpec(method=Component("Narrow"), protocol=Component("FewShot"), shots=4)
    assert preset("paper", bare, plugins).training == {"epochs": 3}
    assert names(plugins, "Narrow") == ["dept-repo", "paper"]
    assert matching(replace(bare, training=Training(epochs=3)), plugins) == ["paper"]
    says = r"^preset 'paper' of Narrow has no values for BaseToNew on tones with 4 shots; 'dept-repo' has$"
    with pytest.raises(DepthubError, match=says):
        preset("paper", replace(bare, protocol=Component("BaseToNew")), plugins)
    with pytest.raises(DepthubError, match=r"^Narrow has no preset 'original'; it has: dept-repo, paper$"):
        preset("original", bare, plugins)
