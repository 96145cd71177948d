"""Mistakes with `depthub cost` and its files, each in one line, and what its table and interrupted measuring leave."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from depthub import DepthubError, RunSpec
from depthub.boards import costs, of_folder
from depthub.boards.build import board as built
from depthub.boards.rows import Declared
from depthub.cli import main
from depthub.cli.commands import cost
from depthub.records import schema
from depthub.registry.plugins import installed
from depthub.running import method_cost
from depthub.running.method_cost import MethodCost
from depthub.running.resolved import Resolved
from depthub.spec import Component, Training
from tests.boards.runs import result, saved
from tests.class_texts import write as write_texts

NUMBERS: dict[str, Any] = dict.fromkeys(MethodCost.__annotations__, 1)
SHIPPED = Path(__file__).parents[2] / "leaderboards/embedded"


def error_of(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """The one line of a command line that fails."""
    assert main([*map(str, words)]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("depthub: starting")]
    return line


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> list[RunSpec]:
    """Measuring takes no time: the specs that were measured."""
    specs: list[RunSpec] = []

    def measured(run: Resolved, options: object) -> MethodCost:
        specs.append(run.spec)
        return MethodCost(**NUMBERS)

    monkeypatch.setattr(method_cost, "measured", measured)
    return specs


@pytest.mark.parametrize("out", ["folder", "file/costs.json", "long", "longer"])
def test_a_place_that_cannot_be_written_is_noticed_before_measuring(
    out: str, tmp_path: Path, stub: list[RunSpec], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    place = tmp_path / {"long": "x" * 245, "longer": "x" * 300}.get(out, out)
    error = error_of(capsys, "cost", "--method", "TaskRes", "--board", "shapes", "--out", place)
    assert "is a folder; expected a file" in error if out == "folder" else "cannot write" in error
    assert "--out" in error
    assert stub == []


@pytest.mark.parametrize("end", [KeyboardInterrupt, DepthubError])
def test_what_was_measured_before_the_end_is_written_and_shown(
    end: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes = iter([MethodCost(**NUMBERS)])

    def measured(run: Resolved, options: object) -> MethodCost:
        if (outcome := next(outcomes, None)) is None:
            raise end("at the second row")
        return outcome

    monkeypatch.setattr(method_cost, "measured", measured)
    assert main(["cost", "--method", "TaskRes", "TipAdapter", "--board", "shapes", "--out", str(tmp_path / "costs.json")]) != 0
    assert [row["label"] for row in costs.read(tmp_path / "costs.json")["rows"]] == ["TaskRes"]
    assert "TaskRes" in capsys.readouterr().out


def test_what_cannot_be_written_is_shown(
    tmp_path: Path, stub: list[RunSpec], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise DepthubError("cannot write: no space left on device")

    monkeypatch.setattr(costs, "atomic_write", full)
    assert main(["cost", "--method", "TaskRes", "--board", "shapes", "--out", str(tmp_path / "costs.json")]) == 2
    shown = capsys.readouterr()
    assert "TaskRes" in shown.out
    assert "no space left" in shown.err


Edit = Callable[[dict[str, Any]], object]
PARTIAL: Mapping[str, tuple[str, Edit]] = {
    "lr": ("training.lr", lambda row: row["spec"]["training"].pop("lr")),
    "setting": ("method.n_ctx", lambda row: row["spec"]["method"]["settings"].pop("n_ctx")),
    "settings": ("method.n_ctx", lambda row: row["spec"]["method"].update(settings={})),
    "method": ("method", lambda row: row["spec"].pop("method")),
    "shots": ("shots", lambda row: row["spec"].pop("shots")),
    "texts": ("texts", lambda row: row["spec"].update(texts={})),
    "at its default": ("a setting", lambda row: row.update(disclosures=["per_data_settings"])),
}


def shipped_board(folder: Path, edit: Edit) -> Path:
    """A board with the two rows CoOp, edited, and TaskRes of the shipped one."""
    document = json.loads((SHIPPED / "leaderboard.json").read_text())
    document["rows"] = [row for row in document["rows"] if row["label"] in ("CoOp", "TaskRes")]
    edit(next(row for row in document["rows"] if row["label"] == "CoOp"))
    folder.mkdir()
    (folder / "leaderboard.json").write_text(json.dumps(document))
    return folder


@pytest.mark.parametrize("kind", PARTIAL)
def test_a_row_without_one_value_of_a_setting_has_no_one_cost(
    kind: str, tmp_path: Path, stub: list[RunSpec], capsys: pytest.CaptureFixture[str]
) -> None:
    lacking, edit = PARTIAL[kind]
    folder = shipped_board(tmp_path / "board", edit)
    error = error_of(capsys, "cost", folder)
    assert f"row CoOp differs in {lacking} between data sets, so that it has no one cost: leave it out with --only" in error
    assert stub == []
    assert main(["cost", str(folder), "--only", "TaskRes"]) == 0
    assert [spec.method.name for spec in stub] == ["TaskRes"]


def test_whole_rows_are_measured(tmp_path: Path, stub: list[RunSpec]) -> None:
    assert main(["cost", str(shipped_board(tmp_path / "board", lambda row: None))]) == 0
    assert {spec.method.name for spec in stub} == {"CoOp", "TaskRes"}


def test_a_submission_keeps_what_its_runs_share_and_is_refused(
    tmp_path: Path, stub: list[RunSpec], capsys: pytest.CaptureFixture[str]
) -> None:
    """One with another learning rate on each data set, as boards build it."""
    runs = [
        replace(run, spec=replace(run.spec, method=Component("ZeroShot", {"templates": None})))
        for run in (result("ZeroShot", data=name, training=Training(lr=lr)) for name, lr in (("tones", 0.1), ("weaves", 0.2)))
    ]
    declared = {run.spec.run_id: Declared("theirs", "checked", "S", ("per_data_settings",)) for run in runs}
    (tmp_path / "leaderboard.json").write_text(json.dumps(built(runs, "", declared=declared)))
    assert "row ZeroShot differs in training.lr between" in error_of(capsys, "cost", tmp_path)


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """A copy of a plugin's class texts under another name."""
    return Path(shutil.copy(installed().get("texts", "shapes").path, tmp_path / "mine.json"))


def test_methods_read_class_texts(texts: Path, stub: list[RunSpec]) -> None:
    for name in (str(texts), "shapes"):
        assert main(["cost", "--method", "ZeroShot", "--board", "shapes", "--texts", name]) == 0
    assert [spec.texts and spec.texts.name for spec in stub] == [str(texts), "shapes"]


def test_the_class_texts_of_a_board_have_a_place(
    texts: Path, tmp_path: Path, stub: list[RunSpec], capsys: pytest.CaptureFixture[str]
) -> None:
    stated = {"name": "elsewhere.json", "sha256": json.loads(texts.read_text())["sha256"]}
    method = {"name": "ZeroShot", "settings": {"templates": None, "texts": True}}
    folder = shipped_board(tmp_path / "board", lambda row: row["spec"].update(method=method, texts=stated))
    assert "state the file with texts (--texts)" in error_of(capsys, "cost", folder)
    assert main(["cost", str(folder), "--only", "TaskRes"]) == 0  # a row that cannot be measured is in nobody's way
    assert main(["cost", str(folder), "--only", "ZeroShot", "--texts", str(texts)]) == 0
    assert [spec.texts and spec.texts.sha256 for spec in stub] == [None, stated["sha256"]]
    other = write_texts(tmp_path / "other.json")
    assert "are not those of the spec" in error_of(capsys, "cost", folder, "--texts", other)


@pytest.mark.parametrize("name", ["x" * 300, "x" * 300 + ".json", "x" * 300 + ".yaml"])
def test_a_name_that_no_file_can_have_is_one_line(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "depthub: error: " in error_of(capsys, "cost", name)


def test_a_board_that_comes_with_depthub_is_measured_by_its_name(stub: list[RunSpec]) -> None:
    assert main(["cost", "embedded", "--only", "ProGrad"]) == 0
    assert {spec.method.name for spec in stub} == {"ProGrad"}


@pytest.mark.parametrize("width", [*range(30, 130, 5), 300])
def test_no_number_is_cut_off(width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    document = json.loads((SHIPPED / costs.FILE).read_text())
    first = document["rows"][0]
    rows = [*document["rows"][:5], *({**first, "label": label} for label in ("x" * 70, "漢" * 40))]
    cost._show(rows)
    out = capsys.readouterr().out
    table = [line for line in out.splitlines() if not line.startswith(("No room", "Operations"))]
    assert "…" not in out
    note = next((line for line in out.splitlines() if line.startswith("No room")), "")
    shown = [key for key in cost.SHOWN if costs.COLUMNS[key][0] not in note]
    assert shown == [*cost.SHOWN[: len(shown)]]
    assert (len(shown) == len(cost.SHOWN)) == (width >= 85)
    words = {word for line in table for word in line.split()}
    assert all(set(costs.cells(row["measured"], shown)) <= words for row in rows)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("runs"), [result(name) for name in ("CoOp", "TaskRes")])


@pytest.fixture(scope="module")
def document(runs: Path) -> dict[str, Any]:
    """Costs of the two rows."""
    rows = of_folder(runs, "")["rows"]
    place = {"machine": "here", "data": "tones", "backbone": "shapes"}
    return {**schema.header("costs"), **place, "rows": [{"label": r["label"], "spec": r["spec"], "measured": NUMBERS} for r in rows]}


def edited(document: Mapping[str, Any], **measured: Any) -> dict[str, Any]:
    """The document with other numbers of its first row."""
    first, *others = document["rows"]
    return {**document, "rows": [{**first, "measured": {**first["measured"], **measured}}, *others]}


FAULTS: Mapping[str, tuple[str, Callable[[Mapping[str, Any]], str]]] = {
    "deep": ("nested too deeply", lambda of: "[" * 200_000),
    "long": ("too large an integer", lambda of: json.dumps(of).replace('"train_s": 1,', f'"train_s": {10**400},')),
    "large": ("train_s", lambda of: json.dumps(edited(of, train_s=1e308))),
    "version": ("schema_version", lambda of: json.dumps({**of, "schema_version": "9.0.0"})),
    "twice": (
        "rows[0] and rows[2] are both costs of CoOp, with other numbers",
        lambda of: json.dumps({**of, "rows": [*of["rows"], edited(of, train_s=7)["rows"][0]]}),
    ),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_faults_of_a_file_are_one_line_before_anything_is_written(
    kind: str, runs: Path, document: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reason, content = FAULTS[kind]
    (tmp_path / "costs.json").write_text(content(document))
    error = error_of(capsys, "leaderboard", "build", runs, "--costs", tmp_path / "costs.json", "--out", tmp_path / "out")
    assert reason in error
    assert f"{tmp_path}/costs.json" in error
    assert not (tmp_path / "out").exists()


def test_a_file_without_end_is_not_read(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (tmp_path / "costs.json").open("wb") as file:
        os.truncate(file.fileno(), 40 * 2**30)
    error = error_of(capsys, "leaderboard", "build", runs, "--costs", tmp_path / "costs.json", "--out", tmp_path / "out")
    assert "expected at most 67108864" in error


def test_as_many_operations_as_no_integer_of_json_holds(document: dict[str, Any], tmp_path: Path) -> None:
    rows = edited(document, train_flop=2**60 + 2**20)["rows"]
    costs.write(tmp_path / "costs.json", RunSpec(), rows)
    assert costs.read(tmp_path / "costs.json")["rows"] == rows
    text = (tmp_path / "costs.json").read_text()
    assert str(2**60 + 2**20) not in text


def test_numbers_at_their_limits_are_drawn(runs: Path, document: dict[str, Any], tmp_path: Path) -> None:
    rows = [{**row, "measured": {**NUMBERS, "train_s": s}} for row, s in zip(document["rows"], (1e-12, 1e12), strict=True)]
    (tmp_path / "costs.json").write_text(json.dumps({**document, "rows": rows}))
    assert main(["leaderboard", "build", str(runs), "--costs", str(tmp_path / "costs.json"), "--out", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out/costs.png").is_file()


def test_a_row_of_what_runs_share_has_the_cost_that_alone_fits(document: dict[str, Any], runs: Path) -> None:
    board = of_folder(runs, "")
    row = next(row for row in board["rows"] if row["label"] == "CoOp")
    entry = next(entry for entry in document["rows"] if entry["label"] == "CoOp")
    other = {**entry, "spec": {**entry["spec"], "training": {**entry["spec"]["training"], "lr": 0.5}}, "measured": {**NUMBERS, "steps": 2}}
    del row["spec"]["training"]["lr"]

    def costs_of(entries: list[Any]) -> tuple[bool, list[str]]:
        built, lacking = costs.with_costs(board, {**document, "rows": entries})
        return any("measured" in row["cost"] for row in built["rows"]), lacking

    assert costs_of([other]) == (True, [])
    assert costs_of([entry, other]) == (False, [])


def test_pictures_of_an_earlier_build_go_and_inputs_stay(
    runs: Path, document: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, measured = tmp_path / "out", tmp_path / "measured.json"
    measured.write_text(json.dumps(document))
    assert main(["leaderboard", "build", str(runs), "--costs", str(measured), "--out", str(out)]) == 0
    for name in ("costs-2.svg", "costs-of-mine.png"):
        (out / name).touch()
    capsys.readouterr()
    assert main(["leaderboard", "build", str(runs), "--out", str(out)]) == 0
    assert {path.name for path in out.iterdir()} == {"leaderboard.json", "leaderboard.md", "costs.json", "costs-of-mine.png"}
    assert f"{out / 'costs.json'} is not part of this board; --costs" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ([], "neither a suite nor a method is named"),
        (["--head", "DePT"], "--head DePT is a head of methods"),
        (["--method", "TaskRes"], "--method TaskRes is measured on a board"),
        (["beyond-prompts", "--method", "TaskRes", "--board", "shapes"], "suite beyond-prompts and --method TaskRes are two things"),
        (["beyond-prompts", "--texts", "shapes"], "no row reads class texts; leave --texts shapes out"),
    ],
)
def test_the_message_says_which_fault_it_is(words: list[str], reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert reason in error_of(capsys, "cost", *words)
