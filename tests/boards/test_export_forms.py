"""Leaderboards as records of other collections, read back by their readers where there are some."""

from __future__ import annotations

import csv
import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml

import depthub
from depthub.boards.exports import exported
from depthub.cli import main
from depthub.errors import DepthubError

BOARD = depthub.load_board(Path(__file__).parents[2] / "leaderboards/shapes")
CELLS = {
    (row["label"], data, score): value["mean"]
    for row in BOARD["rows"]
    for data, scores in row["per_data"].items()
    for score, value in scores.items()
}
HOSTILE = "<b>\x1b[31m\n---\n=cmd: {x: 1}\u202e"


def hostile() -> dict[str, Any]:
    """The board with a name that means something elsewhere."""
    return dict(json.loads(json.dumps(BOARD).replace('"tones"', json.dumps(HOSTILE))))


def test_parquet_is_read_by_pyarrow(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    out = tmp_path / "board.parquet"
    assert main(["leaderboard", "export", "shapes", "--form", "parquet", "--out", str(out)]) == 0
    rows = parquet.read_table(out).to_pylist()
    lines = list(csv.DictReader(StringIO(exported(BOARD, "csv"))))
    assert [(row["row"], row["data"], row["score"], row["mean"]) for row in rows] == [
        (line["row"], line["data"], line["score"], float(line["mean"])) for line in lines
    ]
    assert {(row["row"], row["data"], row["score"]): row["mean"] for row in rows if row["data"] != "average"} == CELLS
    assert main(["leaderboard", "export", "shapes", "--form", "parquet"]) == 2


def test_model_cards_are_read_by_hugging_face() -> None:
    repocard = pytest.importorskip("huggingface_hub.repocard_data")
    cells = {}
    for card in yaml.safe_load_all(exported(BOARD, "hugging-face")):
        if card:
            name, results = repocard.model_index_to_eval_results(card["model-index"])
            cells |= {(name, result.dataset_type, result.metric_name): result.metric_value for result in results}
    assert cells == CELLS


def test_evaluation_tables_of_papers_with_code() -> None:
    (task,) = json.loads(exported(BOARD, "papers-with-code"))
    cells = {
        (row["model_name"], table["dataset"], score): float(value)
        for table in task["datasets"]
        for row in table["sota"]["rows"]
        for score, value in row["metrics"].items()
    }
    assert cells == {key: round(value, 2) for key, value in CELLS.items()}


def test_records_of_every_eval_ever() -> None:
    """The required fields of version 0.2.1 of its schema; additional details are texts."""
    cells = {}
    for record in json.loads(exported(BOARD, "every-eval-ever")):
        assert {*record} == {
            *(
                "schema_version",
                "evaluation_id",
                "retrieved_timestamp",
                "source_metadata",
                "model_info",
                "eval_library",
                "evaluation_results",
            )
        }
        assert {"source_type", "source_organization_name", "evaluator_relationship"} <= {*record["source_metadata"]}
        assert {"name", "version"} == {*record["eval_library"]}
        assert json.loads(record["model_info"]["additional_details"]["spec"])["protocol"]["name"] == "BaseToNew"
        for result in record["evaluation_results"]:
            assert {*result} == {"evaluation_name", "source_data", "metric_config", "score_details"}
            assert all(isinstance(text, str) for text in result["score_details"]["details"].values())
            score = result["evaluation_name"].rpartition(", ")[2]
            cells[record["model_info"]["name"], result["source_data"]["dataset_name"], score] = result["score_details"]["score"]
    assert cells == CELLS


@pytest.mark.parametrize("form", ["hugging-face", "papers-with-code", "every-eval-ever"])
def test_names_stay_names(form: Any) -> None:
    text = exported(hostile(), form)
    assert "\x1b" not in text
    assert "\u202e" not in text
    number = sum(1 for card in yaml.safe_load_all(text) if card) if form == "hugging-face" else len(json.loads(text))
    assert number == (1 if form == "papers-with-code" else len(BOARD["rows"]))


def test_a_missing_library_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from depthub.boards.exports import parquet

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DepthubError, match="pyarrow is not installed"):
        parquet(BOARD)
