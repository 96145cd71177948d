"""Published values as data: which apply where, and that a command line and a run file show them."""

from __future__ import annotations

from pathlib import Path

import pytest

from depthub import BackboneSpec, Component, DataSpec, DepthubError, RunSpec, Training
from depthub.cli import run as command
from depthub.plugins import installed
from depthub.presets import matching, names, preset
from depthub.runner import resolve


def spec(line: str) -> RunSpec:
    (made,) = command.specs(command.parser().parse_args(line.split()))
    return made


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
        ("--method ZeroShot --preset original", {}, (0.0035, 4, 10)),
    ],
)
def test_the_command_line_shows_a_presets_values(line: str, settings: dict[str, object], recipe: tuple[float, int, int]) -> None:
    made = spec(line)
    assert made.training is not None
    assert (made.training.lr, made.training.batch_size, made.training.epochs) == recipe
    assert settings.items() <= dict(made.method.settings).items()


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
    asked = RunSpec(protocol=Component(protocol), shots=shots, data=DataSpec(data))
    assert preset("original", asked, installed()).training["epochs"] == epochs
    made = spec(f"--preset original --protocol {protocol} --shots {shots} --data {data}")
    assert made.training is not None
    assert made.training.epochs == epochs


def test_maples_own_values_for_other_data_sets() -> None:
    found = preset("original", RunSpec(method=Component("MaPLe"), protocol=Component("CrossDataset")), installed())
    assert (found.settings, dict(found.training)) == ({"depth": 3}, {"lr": 0.0026, "epochs": 2})


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


def test_a_spec_without_a_recipe_takes_its_methods_own() -> None:
    bare = RunSpec(method=Component("CoCoOp"), data=DataSpec("squares"), backbone=BackboneSpec("ViT-B-16-quickgelu", "random"))
    full = resolve(bare)
    assert full.training is not None
    assert (full.training.lr, full.training.batch_size) == (0.002, 1)
    assert matching(full, installed()) == ["dept-repo", "original"]


def test_unknown_presets() -> None:
    with pytest.raises(DepthubError, match=r"unknown preset 'orginal'; did you mean 'original'\?"):
        spec("--preset orginal")
