"""Measured costs: counted by hand for a small method, and beside the rows of a board."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from depthub import DepthubError, RunOptions, RunSpec, load_board
from depthub.boards import costs
from depthub.cli import main
from depthub.running.method_cost import measured
from depthub.running.resolving import Resolver
from tests.models import write_backbone, write_pictures

DIM, CLASSES, BATCH = 24, 3, 4  # of the small model; base classes of five


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> RunSpec:
    folder = tmp_path_factory.mktemp("small")
    data, backbone = write_pictures(folder / "colours"), write_backbone(folder / "model")
    return RunSpec(data=data, backbone=backbone, training={"epochs": 2, "batch_size": BATCH}, shots=4)


def test_operations_are_those_counted_by_hand(spec: RunSpec) -> None:
    """TaskRes: one product of images and class features forward, two backward."""
    cost = measured(Resolver()(_of(spec, "TaskRes")), RunOptions())
    product = 2 * BATCH * DIM * CLASSES
    assert cost.step_flop == 2 * product  # the images need no gradient
    assert cost.test_flop == 2 * DIM * CLASSES
    assert (cost.trained, cost.stored_bytes, cost.images) == (CLASSES * DIM, 4 * CLASSES * DIM, BATCH)
    assert 0 < cost.step_s[0] <= cost.step_s[1] <= cost.step_s[2]
    assert cost.kept_bytes > 0
    assert cost.encode_s > 0


def test_what_is_prepared_costs_no_steps(spec: RunSpec) -> None:
    resolved = Resolver()(_of(spec, "TipAdapter"))
    cost = measured(resolved, RunOptions())
    images = 4 * CLASSES
    assert (cost.trained, cost.step_flop, cost.step_s) == (0, 0, (0.0, 0.0, 0.0))
    assert cost.stored_bytes == 4 * images * (DIM + CLASSES)
    assert cost.prepare_s > 0


def test_a_tuned_image_tower_is_not_encoded_once(spec: RunSpec) -> None:
    cost = measured(Resolver()(_of(spec, "SkipTuning", first_layer=2)), RunOptions())
    assert cost.encode_s == 0
    assert cost.test_flop > 1e5


def test_measuring_leaves_no_run(spec: RunSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    measured(Resolver()(spec), RunOptions())
    assert [*tmp_path.iterdir()] == []


@pytest.fixture(scope="module")
def board(spec: RunSpec, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs of two methods, and the costs of one of them and of a third."""
    import depthub

    folder = tmp_path_factory.mktemp("board")
    for name in ("TaskRes", "CLIPAdapter"):
        depthub.run(_of(spec, name), runs=folder / "runs")
    rows = []
    for name in ("TaskRes", "TipAdapter"):
        resolved = Resolver()(_of(spec, name)).spec.as_dict()
        numbers: dict[str, Any] = dict.fromkeys(costs.COLUMNS, 0) | {"trained": 72, "images": 4, "test_flop": 144, "step_flop": 1234567}
        numbers |= {"step_s": 0.002, "step_least_s": 0.001, "step_largest_s": 0.003}
        rows.append({"label": name, "method": resolved["method"], "head": resolved["head"], "measured": numbers})
    costs.write(folder / "runs" / costs.FILE, "colours", spec.without_places().backbone, rows)
    return folder


def test_a_board_shows_measured_costs(board: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["leaderboard", "build", str(board / "runs"), "--out", str(tmp_path)]) == 0
    assert "TipAdapter has costs, but no row on this board" in capsys.readouterr().err
    document = load_board(tmp_path)
    by_label = {row["label"]: row["cost"] for row in document["rows"]}
    assert by_label["TaskRes"]["measured"]["step_flop"] == 1234567
    assert "measured" not in by_label["CLIPAdapter"]
    text = (tmp_path / "leaderboard.md").read_text()
    assert "| TaskRes | 72 | 1.23 | 2 |" in text
    assert "| CLIPAdapter | – |" in text
    assert {path.name for path in tmp_path.iterdir()} >= {"costs.png", "costs.svg"}
    first = (tmp_path / "costs.svg").read_bytes()
    assert main(["leaderboard", "build", str(board / "runs"), "--out", str(tmp_path)]) == 0
    assert (tmp_path / "costs.svg").read_bytes() == first


def test_costs_are_checked_when_they_are_read(board: Path, tmp_path: Path) -> None:
    document = json.loads((board / "runs" / costs.FILE).read_text())
    document["rows"][0]["measured"]["step_s"] = -1
    damaged = tmp_path / "damaged.json"
    damaged.write_text(json.dumps(document))
    with pytest.raises(DepthubError, match=r"damaged\.json"):
        costs.read(damaged)
    with pytest.raises(DepthubError, match="depthub cost SUITE --out"):
        costs.read(tmp_path / "nowhere.json")


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["cost", "beyond-prompts", "--only", "TaskRes", "--out", str(tmp_path / "costs.json")]) == 0
    document = costs.read(tmp_path / "costs.json")
    assert [row["label"] for row in document["rows"]] == ["TaskRes", "TaskRes + DePT"]
    assert document["data"] == "tones"
    assert "TaskRes + DePT" in capsys.readouterr().out
    assert main(["cost", "beyond-prompts", "--only", "Nothing"]) == 2
    assert main(["cost", "beyond-prompts", "--data", "tone"]) == 2


def _of(spec: RunSpec, name: str, **settings: object) -> RunSpec:
    return RunSpec.of({**spec.as_dict(), "method": {"name": name, "settings": settings}})
