"""A leaderboard as records of other collections of results: Hugging Face, Papers with Code, Every Eval Ever."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import yaml  # type: ignore[import-untyped]

from depthub.spec import digest
from depthub.values.text import plain

Board = Mapping[str, Any]
TASK = "zero-shot-image-classification"  # in the words of Hugging Face
TASK_IN_WORDS = "Prompt tuning of vision-language models with few images"
EEE_VERSION = "0.2.1"  # of the schema of Every Eval Ever
UNDATED = "0"  # seconds of Unix time: a board has no date, so that the same runs give the same bytes


def hugging_face(board: Board) -> str:
    """The front matter of a model card for each row, as YAML documents: `model-index` with a result for each data set, accuracies in
    percent. Read by `huggingface_hub.EvalResult` and `metadata_load`."""
    cards = []
    for row in board["rows"]:
        results = [_card_result(row, setting, data, scores) for setting, data, scores in _blocks(board, row)]
        cards.append({"model-index": [{"name": plain(row["label"]), "results": results}]})
    return "".join(f"---\n{yaml.safe_dump(card, sort_keys=False, allow_unicode=True)}" for card in cards) + "---\n"


def _card_result(row: Board, setting: Board, data: str, scores: Board) -> dict[str, Any]:
    names = {"name": plain(f"{data}, {setting['name']}"), "type": plain(data), "config": plain(row["spec"]["protocol"]["name"])}
    metrics = [{"type": "accuracy", "name": plain(score), "value": value["mean"]} for score, value in scores.items()]
    return {"task": {"type": TASK, "name": TASK_IN_WORDS}, "dataset": names, "metrics": metrics}


def papers_with_code(board: Board) -> str:
    """An evaluation table for each setting and data set, as in the archive of Papers with Code; values are texts, in percent."""
    tables = [_evaluation_table(board, setting, data) for setting in board["settings"] for data in setting["data"]]
    task = {
        "task": TASK_IN_WORDS,
        "categories": ["Computer Vision"],
        "description": "",
        "subtasks": [],
        "synonyms": [],
        "source_link": None,
    }
    return _json([{**task, "datasets": tables}])


def _evaluation_table(board: Board, setting: Board, data: str) -> dict[str, Any]:
    rows = [row for row in board["rows"] if row["setting"] == setting["name"] and data in row["per_data"]]
    entries = [
        {
            **{
                "model_name": plain(row["label"]),
                "metrics": {plain(name): f"{v['mean']:.2f}" for name, v in row["per_data"][data].items()},
            },
            **{
                "paper_title": "",
                "paper_url": "",
                "paper_date": None,
                "code_links": [],
                "model_links": [],
                "uses_additional_data": _more(row),
            },
        }
        for row in rows
    ]
    named = {"dataset": plain(data), "description": plain(setting["name"]), "dataset_links": [], "dataset_citations": [], "subdatasets": []}
    return {**named, "sota": {"metrics": [plain(score) for score in setting["scores"]], "rows": entries}}


def every_eval_ever(board: Board) -> str:
    """A JSON list with a record for each row, of version 0.2.1 of the schema: a result for each data set and score, in percent."""
    return _json([_record(board, row) for row in board["rows"]])


def _record(board: Board, row: Board) -> dict[str, Any]:
    model = {"name": plain(row["label"]), "id": plain(f"{row['spec']['backbone']['model']}/{row['label']}")}
    details = {"level": row.get("level", "self-run"), "league": row.get("league", "S"), "inputs_sha256": board["inputs_sha256"]}
    source = {"source_name": plain(board["title"]), "source_type": "evaluation_run", "source_organization_name": "unknown"}
    results = [_result(setting, data, score, value) for setting, data, scores in _blocks(board, row) for score, value in scores.items()]
    return {
        "schema_version": EEE_VERSION,
        "evaluation_id": f"depthub/{digest(row['spec'])[:16]}/{UNDATED}",
        "retrieved_timestamp": UNDATED,
        "source_metadata": {**source, "evaluator_relationship": "other", "additional_details": details},
        "eval_library": {"name": "depthub", "version": board["depthub_version"]},
        "model_info": {**model, "additional_details": {"spec": json.dumps(row["spec"], sort_keys=True, ensure_ascii=True)}},
        "evaluation_results": results,
    }


def _result(setting: Board, data: str, score: str, value: Board) -> dict[str, Any]:
    spread = {} if value["std"] is None else {"std_over_seeds": str(value["std"])}  # its `uncertainty` is over samples
    return {
        "evaluation_name": plain(f"{setting['name']}, {data}, {score}"),
        "source_data": {"dataset_name": plain(data), "source_type": "other"},
        "metric_config": {
            **{"evaluation_description": plain(f"{score} in percent, mean over seeds"), "lower_is_better": False},
            **{"score_type": "continuous", "min_score": 0.0, "max_score": 100.0},
        },
        "score_details": {"score": value["mean"], "details": {"seeds": str(value["n_seeds"]), **spread}},
    }


def _blocks(board: Board, row: Board) -> Iterator[tuple[Board, str, Board]]:
    """The row's setting, data set and scores."""
    setting = next(entry for entry in board["settings"] if entry["name"] == row["setting"])
    yield from ((setting, data, scores) for data, scores in row["per_data"].items())


def _more(row: Board) -> bool:
    return bool(row.get("league", "S") != "S")


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
