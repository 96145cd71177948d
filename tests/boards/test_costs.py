"""Measured costs: counted by hand for small methods, and beside the rows of a board."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

import depthub
from depthub import DepthubError, RunOptions, RunSpec, load_board
from depthub.boards import costs, markdown, of_folder
from depthub.cli import main
from depthub.records import schema
from depthub.registry.plugins import Plugins
from depthub.running.method_cost import MethodCost, measured
from depthub.running.resolving import Resolver
from depthub.site.build import write as write_site
from depthub.training.checkpoint import MOMENTUM
from tests.models import VIT, write_backbone, write_pictures

DIM, CLASSES, BATCH, SHOTS, EPOCHS = 24, 3, 4, 4, 2  # of the small model; base classes of five
STEPS = EPOCHS * SHOTS * CLASSES // BATCH
TOKENS, WIDTH, LAYERS = 5, int(VIT["width"]), int(VIT["layers"])  # type: ignore[call-overload]
PATCHES = 2 * 4 * (3 * 16 * 16) * WIDTH
LAYER = TOKENS * (24 * WIDTH**2 + 4 * TOKENS * WIDTH)  # linear maps and attention
LAST = 4 * TOKENS * WIDTH**2 + 20 * WIDTH**2 + 4 * TOKENS * WIDTH  # of which only the class token goes on
IMAGE = PATCHES + (LAYERS - 1) * LAYER + LAST + 2 * WIDTH * DIM


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> RunSpec:
    folder = tmp_path_factory.mktemp("small")
    data, backbone = write_pictures(folder / "colours"), write_backbone(folder / "model")
    return RunSpec(data=data, backbone=backbone, training={"epochs": EPOCHS, "batch_size": BATCH}, shots=SHOTS)


def _of(spec: RunSpec, name: str, **settings: object) -> RunSpec:
    return RunSpec.of({**spec.as_dict(), "method": {"name": name, "settings": settings}})


def _cost(spec: RunSpec, name: str, **settings: object) -> MethodCost:
    return measured(Resolver()(_of(spec, name, **settings)), RunOptions())


def test_operations_are_those_counted_by_hand(spec: RunSpec) -> None:
    """TaskRes: one product of images and class features forward, one backward, since the images need no gradient."""
    cost = _cost(spec, "TaskRes")
    assert cost.step_flop == 2 * (2 * BATCH * DIM * CLASSES)
    assert (cost.steps, cost.images, cost.train_flop) == (STEPS, BATCH, STEPS * cost.step_flop)
    assert cost.encode_flop == IMAGE
    assert cost.test_flop == IMAGE + 2 * DIM * CLASSES
    assert (cost.trained, cost.stored_bytes) == (CLASSES * DIM, 4 * CLASSES * DIM)
    assert 0 < cost.step_least_s <= cost.step_s <= cost.step_largest_s
    assert cost.train_s == pytest.approx(STEPS * BATCH * cost.image_s)
    assert cost.kept_bytes > 0
    assert cost.encode_s > 0


def test_what_is_prepared_costs_no_steps(spec: RunSpec) -> None:
    cost = _cost(spec, "TipAdapter")
    assert (cost.trained, cost.steps, cost.step_flop, cost.step_s) == (0, 0, 0, 0.0)
    assert cost.stored_bytes == 4 * SHOTS * CLASSES * (DIM + CLASSES)
    assert cost.train_s == cost.prepare_s > 0
    assert _cost(spec, "ZeroShot").train_s == 0


def test_plugins_hear_of_no_run(spec: RunSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[str] = []
    monkeypatch.setattr(Plugins, "notify", lambda self, event, **values: heard.append(event))
    _cost(spec, "TaskRes")
    assert heard == []


def test_closed_forms_are_counted_once(spec: RunSpec) -> None:
    cost = _cost(spec, "LPPlusPlus")
    assert cost.train_flop == cost.prepare_flop > 0


def test_of_a_tuned_image_tower_only_what_lies_before_is_encoded_once(spec: RunSpec) -> None:
    cost = _cost(spec, "SkipTuning", first_layer=1)
    assert cost.encode_flop == PATCHES + LAYER
    assert cost.test_flop > IMAGE
    assert _cost(spec, "FinetuneCLIP").encode_flop == 0


def test_stages_count_by_their_steps(spec: RunSpec) -> None:
    """The second stage trains a classifier alone."""
    early, late = (_cost(spec, "TwoSFS", share=share) for share in (0.2, 0.9))
    first = (late.step_flop - early.step_flop) * STEPS / (int(0.9 * STEPS) - int(0.2 * STEPS))
    assert first > early.step_flop / 2
    assert early.step_flop < late.step_flop < early.step_flop + first


def test_views_of_parameters_without_gradients(spec: RunSpec) -> None:
    assert _cost(spec, "PromptSRC", depth=2).test_flop > IMAGE


def test_measuring_leaves_no_run(spec: RunSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    measured(Resolver()(spec), RunOptions())
    assert [*tmp_path.iterdir()] == []


@pytest.fixture(scope="module")
def board(spec: RunSpec, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs of three methods, and costs of two of them, of a third in another recipe, and of one that has no runs."""
    folder, rows = tmp_path_factory.mktemp("board"), []
    names = ("TaskRes", "TipAdapterF", "CLIPAdapter")
    for name in names:
        depthub.run(_of(spec, name), runs=folder / "runs")
    for name in (*names, "TipAdapter"):
        resolved = Resolver()(RunSpec.of({**_of(spec, name).as_dict(), **({"shots": 2} if name == "CLIPAdapter" else {})}))
        numbers: dict[str, Any] = dict.fromkeys(MethodCost.__annotations__, 1) | {
            "trained": 72,
            "step_flop": 1234567,
            "train_s": len(rows) + 0.5,
        }
        rows.append({"label": name, "spec": costs.row_spec(resolved.spec), "measured": numbers})
    costs.write(folder / "runs" / costs.FILE, spec, rows)
    return folder


def test_stored_bytes_are_those_of_the_checkpoint(board: Path, spec: RunSpec) -> None:
    resolved = Resolver()(_of(spec, "TipAdapterF"))
    tensors = load_file(board / "runs" / resolved.spec.run_id / "tuned-0.safetensors")
    stored = sum(value.numel() * value.element_size() for name, value in tensors.items() if not name.startswith(MOMENTUM))
    assert measured(resolved, RunOptions()).stored_bytes == stored


def test_a_board_shows_measured_costs(board: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "board"
    assert main(["leaderboard", "build", str(board / "runs"), "--out", str(out)]) == 0
    warnings = capsys.readouterr().err.splitlines()
    assert [line.partition(f"{costs.FILE}: ")[2] for line in warnings] == [
        f"{name} has costs, but no row on this board" for name in ("CLIPAdapter", "TipAdapter")
    ]
    document = load_board(out)
    by_label = {row["label"]: row["cost"] for row in document["rows"]}
    assert by_label["TaskRes"]["measured"]["step_flop"] == 1234567
    assert "measured" not in by_label["CLIPAdapter"]
    text = (out / "leaderboard.md").read_text()
    assert "| TaskRes | 72 | 0.001 | 1.23 | 1,000 |" in text
    assert "| CLIPAdapter | not measured | – |" in text
    assert "](costs.png)" in text
    pictures = {name: (out / name).read_bytes() for name in ("costs.png", "costs.svg", "leaderboard.json")}
    assert main(["leaderboard", "build", str(board / "runs"), "--out", str(out)]) == 0
    assert {name: (out / name).read_bytes() for name in pictures} == pictures
    write_site([out], tmp_path / "site")
    page = (tmp_path / "site/boards/board.html").read_text()
    assert all(text in page for text in ("MFLOP a step", "1.23", "not measured", "against operations to train", "measured alone"))


def test_a_board_without_costs_has_no_table(board: Path) -> None:
    assert "### Costs" not in markdown(of_folder(board / "runs", ""))


def test_costs_are_checked_when_they_are_read(board: Path, tmp_path: Path) -> None:
    document = json.loads((board / "runs" / costs.FILE).read_text())
    schema.validate(document, "costs", "it")
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
    assert main(["cost", "--method", "TaskRes", "--board", "shapes", "--out", str(tmp_path / "again.json")]) == 0
    (row,) = costs.read(tmp_path / "again.json")["rows"]
    same, other = ({**row["measured"], **dict.fromkeys(SECONDS)} for row in (row, document["rows"][0]))
    assert (row["spec"], same) == (document["rows"][0]["spec"], other)


SECONDS = [name for name in MethodCost.__annotations__ if name.endswith("_s")]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["beyond-prompts", "--only", "Nothing"], "no row has Nothing in its label"),
        (["beyond-prompts", "--data", "tone"], "no data set 'tone'"),
        ([], "nothing to measure"),
        (["--method", "TaskRes"], "with --board"),
        (["beyond-prompts", "--method", "TaskRes", "--board", "shapes"], "two things"),
    ],
)
def test_faults_are_one_line(words: list[str], reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cost", *words]) == 2
    (error,) = [line for line in capsys.readouterr().err.splitlines() if line != "depthub: starting"]  # shown on a slow machine
    assert reason in error


def test_the_rows_of_a_board_are_measured_and_become_part_of_it(tmp_path: Path) -> None:
    embedded = Path(__file__).parents[2] / "leaderboards/embedded"
    assert main(["cost", str(embedded), "--only", "ProGrad", "--out", str(tmp_path / "costs.json")]) == 0
    board = load_board(embedded)
    for row in board["rows"]:
        assert row["cost"].pop("measured")  # the shipped board has every row's
    document, lacking = costs.with_costs(board, costs.read(tmp_path / "costs.json"))
    assert lacking == []
    priced = {row["label"] for row in document["rows"] if "measured" in row["cost"]}
    assert priced == {row["label"] for row in document["rows"] if row["label"].startswith("ProGrad")}
    (alone,) = (row["cost"] for row in document["rows"] if row["label"] == "ProGrad")
    assert alone["measured"]["trained"] == alone["params_trainable"]
