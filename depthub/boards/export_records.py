"""A leaderboard as records of other collections of results: Hugging Face, Papers with Code, Every Eval Ever.

Names are `plain` text. Averages over data sets are no results on a data set, so that these forms leave them out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import yaml  # type: ignore[import-untyped]

from depthub.spec import digest
from depthub.values.text import plain

Board = Mapping[str, Any]
TASK = "image-classification"  # in the words of Hugging Face
TASK_IN_WORDS = "Prompt tuning of vision-language models with few images"
EEE_VERSION = "0.3.0"  # of the schema of Every Eval Ever
UNKNOWN = "unknown"  # the word of Every Eval Ever for what is required and a board does not say
UNDATED = "0"  # seconds of Unix time: a board has no date, so that the same runs give the same bytes
HTML = str.maketrans({mark: f"\\u{ord(mark):04x}" for mark in "<>&"})  # the same text for JSON, nothing for HTML around it


def hugging_face(board: Board) -> str:
    """The front matter of a model card: `model-index` with a model for each row and a result for each data set, means over seeds in
    percent. Read by `huggingface_hub.metadata_load`, and each model by `model_index_to_eval_results`."""
    models = [{"name": plain(row["label"]), "results": list(_card_results(board, row))} for row in board["rows"]]
    return f"---\n{yaml.safe_dump({'model-index': models}, sort_keys=False, allow_unicode=True)}---\n"


def _card_results(board: Board, row: Board) -> Iterator[dict[str, Any]]:
    """What runs count is an accuracy; other scores, such as harmonic means, have their own names as types."""
    counted = {task for run in row["runs"] for task in run["counts"]}
    for setting, data, scores in _blocks(board, row):
        dataset = {"name": plain(f"{data}, {setting['name']}"), "type": plain(data), "config": plain(setting["name"])}
        metrics = [
            {"type": "accuracy" if score in counted else plain(score), "name": plain(score), "value": value["mean"]}
            for score, value in scores.items()
        ]
        yield {"task": {"type": TASK, "name": TASK_IN_WORDS}, "dataset": dataset, "metrics": metrics}


def papers_with_code(board: Board) -> str:
    """A task for each setting with a table for each data set, as in the archive of Papers with Code; values are texts, means over seeds
    in percent."""
    return _json([_task(board, setting) for setting in board["settings"]])


def _task(board: Board, setting: Board) -> dict[str, Any]:
    words = {"task": plain(setting["name"]), "description": TASK_IN_WORDS, "categories": ["Computer Vision"]}
    tables = [_evaluation_table(board, setting, data) for data in setting["data"]]
    return {**words, "synonyms": [], "source_link": None, "subtasks": [], "datasets": tables}


def _evaluation_table(board: Board, setting: Board, data: str) -> dict[str, Any]:
    rows = [row for row in board["rows"] if row["setting"] == setting["name"] and data in row["per_data"]]
    sota = {"metrics": list(map(plain, setting["scores"])), "rows": [_sota_row(row, row["per_data"][data]) for row in rows]}
    return {"dataset": plain(data), "description": "", "dataset_links": [], "dataset_citations": [], "subdatasets": [], "sota": sota}


def _sota_row(row: Board, scores: Board) -> dict[str, Any]:
    """A board names no paper: its fields are empty."""
    paper: Board = {"paper_title": "", "paper_url": "", "paper_date": None, "code_links": [], "model_links": []}
    metrics = {plain(score): str(value["mean"]) for score, value in scores.items()}
    return {"model_name": plain(row["label"]), **paper, "metrics": metrics, "uses_additional_data": row.get("league", "S") != "S"}


def every_eval_ever(board: Board) -> str:
    """A JSON list with a record of Every Eval Ever for each row, and in it a result for each data set and score, means over seeds in
    percent."""
    return _json([_record(board, row) for row in board["rows"]])


def _record(board: Board, row: Board) -> dict[str, Any]:
    model = _model(row)
    runs = digest(sorted(run["run_id"] for run in row["runs"]))
    return {
        "schema_version": EEE_VERSION,
        "evaluation_id": f"depthub-{runs[:16]}/{model['id']}/{UNDATED}",
        "retrieved_timestamp": UNDATED,
        "source_metadata": _source(board, row),
        "eval_library": {"name": "depthub", "version": plain(board["depthub_version"])},
        "model_info": model,
        "evaluation_results": [
            _result(setting, data, score, value) for setting, data, scores in _blocks(board, row) for score, value in scores.items()
        ],
    }


def _source(board: Board, row: Board) -> dict[str, Any]:
    details = {"inputs_sha256": board["inputs_sha256"], **{key: row[key] for key in ("level", "league") if key in row}}
    kind = {"source_name": plain(board["title"]), "source_type": "documentation" if _printed(row) else "evaluation_run"}
    return {**kind, "source_organization_name": UNKNOWN, "evaluator_relationship": "other", "additional_details": details}


def _model(row: Board) -> dict[str, Any]:
    """depthub runs models itself; a board says neither whose they are nor who can have their weights."""
    spec = json.dumps(row["spec"], sort_keys=True).replace("\x7f", "\\u007f")
    details = {"deployment_type": UNKNOWN if _printed(row) else "self_deployed", "model_availability": UNKNOWN, "spec": spec}
    name = plain(row["label"])
    return {"name": name, "id": f"{UNKNOWN}/{name}, {plain(row['setting'])}", "additional_details": details}


def _result(setting: Board, data: str, score: str, value: Board) -> dict[str, Any]:
    """Deviations over seeds are details, since the schema's `uncertainty` is that of samples."""
    spread = {} if value["std"] is None else {"std_over_seeds": str(value["std"])}
    unit = {"metric_name": plain(score), "metric_unit": "percent", "evaluation_description": plain(f"{score} in percent, mean over seeds")}
    return {
        "evaluation_name": plain(f"{setting['name']}, {data}, {score}"),
        "source_data": {"dataset_name": plain(data), "source_type": "other"},
        "metric_config": {**unit, "lower_is_better": False, "score_type": "continuous", "min_score": 0, "max_score": 100},
        "score_details": {"score": value["mean"], "details": {"seeds": str(value["n_seeds"]), **spread}},
    }


def _blocks(board: Board, row: Board) -> Iterator[tuple[Board, str, Board]]:
    """The row's setting, data set and scores."""
    setting = next(entry for entry in board["settings"] if entry["name"] == row["setting"])
    yield from ((setting, data, scores) for data, scores in row["per_data"].items())


def _printed(row: Board) -> bool:
    """The numbers are from print, without runs of depthub."""
    return bool(row.get("level") == "reported")


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False).translate(HTML) + "\n"
