"""Leaderboards as records of other collections, read back by their readers where there are some."""

from __future__ import annotations

import csv
import json
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

import depthub
from depthub.boards.exports import exported, parquet
from depthub.cli import main
from depthub.errors import DepthubError
from depthub.values.text import plain

Cells = dict[tuple[str, str, str], float]
BOARD = depthub.load_board(Path(__file__).parents[2] / "leaderboards/shapes")
HOSTILE = "=<b>&\x1b[31m\n---\ncmd: {x: 1}\u202e\x7f\r\n- 'y' # \u2028" + "z " * 60 + "--- </script>"
RECORDS = ("hugging-face", "papers-with-code", "every-eval-ever")
TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}


def hostile() -> dict[str, Any]:
    """The board with a data set, a row, its setting and its title whose names mean something elsewhere."""
    text = json.dumps(BOARD)
    for name in ("tones", "ZeroShot", BOARD["settings"][0]["name"], BOARD["title"]):
        text = text.replace(json.dumps(name), json.dumps(f"{name} {HOSTILE}"))
    return dict(json.loads(text))


def cells_of(board: dict[str, Any]) -> Cells:
    """Means in percent by the plain names of row, data set and score."""
    return {
        (plain(row["label"]), plain(data), score): value["mean"]
        for row in board["rows"]
        for data, scores in row["per_data"].items()
        for score, value in scores.items()
    }


@pytest.fixture(params=[BOARD, hostile()], ids=["plain", "hostile"])
def board(request: pytest.FixtureRequest) -> dict[str, Any]:
    return dict(request.param)


def test_the_hostile_board_differs_in_all_names() -> None:
    assert len(cells_of(hostile()).keys() - cells_of(BOARD).keys()) == 27  # of the row, and of the data set in the two others


def test_parquet_is_read_by_pyarrow(board: dict[str, Any], tmp_path: Path) -> None:
    tables = pytest.importorskip("pyarrow.parquet")
    (tmp_path / "board.json").write_text(json.dumps(board))
    out = tmp_path / "board.parquet"
    assert main(["leaderboard", "export", str(tmp_path / "board.json"), "--form", "parquet", "--out", str(out)]) == 0
    table = tables.read_table(out)
    lines = list(csv.DictReader(StringIO(exported(board, "csv"))))
    assert table.column_names == list(lines[0])
    assert [{key: "" if value is None else str(value) for key, value in row.items()} for row in table.to_pylist()] == lines
    cells = {(row["row"], row["data"], row["score"]): row["mean"] for row in table.to_pylist() if row["data"] != "average"}
    assert cells == cells_of(board)
    assert parquet(board) == out.read_bytes()


def test_model_cards_are_read_by_hugging_face(board: dict[str, Any], tmp_path: Path) -> None:
    from huggingface_hub import metadata_load
    from huggingface_hub.repocard_data import model_index_to_eval_results

    (tmp_path / "README.md").write_text(exported(board, "hugging-face") + "\n# Text\n")
    card = metadata_load(tmp_path / "README.md") or {}
    models = [model_index_to_eval_results([model]) for model in card["model-index"]]
    results = [(name, result) for name, entries in models for result in entries]
    assert {(name, result.dataset_type, result.metric_name): result.metric_value for name, result in results} == cells_of(board)
    assert {(result.metric_name, result.metric_type) for _, result in results} == {("base", "accuracy"), ("new", "accuracy"), ("H", "H")}


def test_evaluation_tables_of_papers_with_code(board: dict[str, Any]) -> None:
    (task,) = json.loads(exported(board, "papers-with-code"))
    tables = {table["dataset"]: table["sota"] for table in task["datasets"]}
    cells: Cells = {}
    for data, sota in tables.items():
        for row in sota["rows"]:
            assert {*row} >= {"model_name", "paper_title", "paper_url", "metrics"}
            assert list(row["metrics"]) == sota["metrics"] == BOARD["settings"][0]["scores"]
            cells |= {(row["model_name"], data, score): float(text) for score, text in row["metrics"].items()}
    assert cells == cells_of(board)
    assert task["task"] == plain(board["settings"][0]["name"])


def test_a_task_for_each_setting() -> None:
    (setting,) = BOARD["settings"]
    board = {
        **BOARD,
        "settings": [setting, {**setting, "name": "other"}],
        "rows": [BOARD["rows"][0], {**BOARD["rows"][1], "setting": "other"}],
    }
    tasks = json.loads(exported(board, "papers-with-code"))
    models = [{row["model_name"] for table in task["datasets"] for row in table["sota"]["rows"]} for task in tasks]
    assert models == [{BOARD["rows"][0]["label"]}, {BOARD["rows"][1]["label"]}]


def needs(**properties: Any) -> dict[str, Any]:
    """The schema of an object with these properties, all of them required."""
    return {"type": "object", "required": list(properties), "properties": properties}


def one_of(*words: str) -> dict[str, Any]:
    return {"enum": list(words)}


TEXT = {"type": "string"}
RESULT = needs(
    evaluation_name=TEXT,
    source_data=needs(dataset_name=TEXT, source_type={"const": "other"}),
    metric_config=needs(
        lower_is_better={"const": False}, score_type={"const": "continuous"}, min_score={"const": 0}, max_score={"const": 100}
    ),
    score_details=needs(score={"type": "number", "minimum": 0, "maximum": 100}, details=TEXTS),
)
# What version 0.3.0 of Every Eval Ever requires of a record, in our words; it allows no other keys at the top.
RECORD = {
    **needs(
        schema_version={"const": "0.3.0"},
        evaluation_id={"type": "string", "pattern": "^[^/]+/.+/0$"},
        retrieved_timestamp={"const": "0"},
        source_metadata=needs(
            source_type=one_of("documentation", "evaluation_run"),
            source_organization_name=TEXT,
            evaluator_relationship=one_of("first_party", "third_party", "collaborative", "other"),
            additional_details=TEXTS,
        ),
        eval_library=needs(name=TEXT, version=TEXT),
        model_info=needs(
            name=TEXT,
            id=TEXT,
            additional_details={
                **needs(
                    deployment_type=one_of("self_deployed", "externally_managed", "unknown"),
                    model_availability=one_of("open_weights", "closed_weights", "unknown"),
                ),
                "additionalProperties": TEXT,
            },
        ),
        evaluation_results={"type": "array", "items": RESULT},
    ),
    "additionalProperties": False,
}


def test_records_of_every_eval_ever(board: dict[str, Any]) -> None:
    records = json.loads(exported(board, "every-eval-ever"))
    fits = jsonschema_rs.Draft7Validator(RECORD)
    cells: Cells = {}
    for record, row in zip(records, board["rows"], strict=True):
        fits.validate(record)
        assert json.loads(record["model_info"]["additional_details"]["spec"]) == row["spec"]
        for result in record["evaluation_results"]:
            names = record["model_info"]["name"], result["source_data"]["dataset_name"], result["metric_config"]["metric_name"]
            cells[names] = result["score_details"]["score"]
    assert cells == cells_of(board)
    assert len({record["evaluation_id"] for record in records}) == len(records)


def test_printed_numbers_are_no_runs() -> None:
    """Of what a row does not say, nothing is said."""
    reported, silent = ({**BOARD["rows"][0], "level": "reported"}, {**BOARD["rows"][1]})
    del silent["level"], silent["league"]
    first, second = json.loads(exported({**BOARD, "rows": [reported, silent]}, "every-eval-ever"))
    assert first["source_metadata"]["source_type"] == "documentation"
    assert first["model_info"]["additional_details"]["deployment_type"] == "unknown"
    assert second["source_metadata"]["source_type"] == "evaluation_run"
    assert set(second["source_metadata"]["additional_details"]) == {"inputs_sha256"}


@pytest.mark.parametrize("form", RECORDS)
def test_names_stay_names(form: Any) -> None:
    text = exported(hostile(), form)
    assert not {"\x1b", "\u202e", "\u2028", "\x7f", "\r"} & {*text}
    assert form == "hugging-face" or not {"<", ">", "&"} & {*text}
    assert text.splitlines().count("---") == (2 if form == "hugging-face" else 0)
    assert exported(hostile(), form) == text  # no clock, no chance


def mistakes(capsys: pytest.CaptureFixture[str], *more: str) -> list[str]:
    """The lines that the command prints, which ends as for a user's mistake."""
    assert main(["leaderboard", "export", "shapes", "--form", "parquet", *more]) == 2
    return capsys.readouterr().err.splitlines()


def test_a_binary_file_needs_a_place(capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = mistakes(capsys)
    assert line.endswith("Parquet is not text; give the file with --out FILE")


def test_a_missing_library_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (line,) = mistakes(capsys, "--out", str(tmp_path / "board.parquet"))
    assert line.endswith("pyarrow is not installed; pip install 'depthub[parquet]' or pip install pyarrow")
    assert not list(tmp_path.iterdir())


def test_bytes_are_no_text() -> None:
    form: Any = "parquet"
    with pytest.raises(DepthubError, match="parquet is no form of text; expected one of latex, csv"):
        exported(BOARD, form)
