"""Rows, settings and averages of leaderboards."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from depthub.boards import board, markdown
from depthub.errors import DepthubError
from depthub.protocol import Count
from depthub.records import schema
from depthub.records.result import RunResult, TestedTask as AsTested  # a name that pytest does not take for a test
from depthub.records.store import Store
from depthub.spec import BackboneSpec, Component, DataSpec, Training
from depthub.statistics.averages import harmonic
from depthub.types import ClassSet
from tests.boards.runs import labels, result, row, three


def test_a_board() -> None:
    document = board(three())
    assert labels(document) == ["CoOp + DePT", "CoOp", "ZeroShot"]
    zero, coop = row(document, "ZeroShot"), row(document, "CoOp")
    assert zero["untrained"]
    assert zero["average"]["base"] == {"mean": 65.0, "std": 0.0, "n_seeds": 3}
    assert zero["difference"] is None
    assert coop["average"]["base"]["mean"] == 80.0
    assert coop["average"]["H"]["mean"] == round(harmonic(80, 61), 4)
    assert coop["difference"]["against"] == "ZeroShot"
    assert coop["difference"]["scores"]["new"] == pytest.approx(-10)
    assert len(coop["runs"]) == 6
    assert coop["runs"][0]["counts"] == {"base": [79, 100], "new": [62, 100]}
    assert document["aggregation"]["H"] == "harmonic-of-means"
    assert all(r["complete"] and r["missing"] == [] for r in document["rows"])


@settings(max_examples=10)
@given(st.permutations(three(seeds=(1, 2))))
def test_the_order_of_the_runs_does_not_matter(runs: list[RunResult]) -> None:
    assert board(runs) == board(three(seeds=(1, 2)))


def test_incomplete_rows_are_listed_and_averages_keep_to_common_data() -> None:
    runs = [r for r in three() if (r.spec.head.name, r.spec.data.name) != ("DePT", "flags")]
    runs = [r for r in runs if (r.spec.head.name, r.spec.seed) != ("DePT", 3)]
    document = board(runs)
    dept = row(document, "CoOp + DePT")
    assert dept["missing"] == [{"data": d, "seed": s} for d, s in (("flags", 1), ("flags", 2), ("flags", 3), ("tones", 3))]
    assert document["settings"][0]["common_data"] == ["tones"]
    assert dept["average"]["base"]["n_seeds"] == 2
    text = markdown(document)
    assert "CoOp + DePT lacks flags (seeds 1, 2, 3), tones (seed 3)" in text
    assert "1 of 2 data sets are not in the averages" in text


def test_nothing_in_common_gives_no_average() -> None:
    document = board([result("CoOp", data="tones"), result("ZeroShot", data="flags")])
    assert [r["average"] for r in document["rows"]] == [None, None]
    assert row(document, "CoOp")["difference"] is None
    assert "none in common" in markdown(document)


def test_rows_that_look_alike_are_told_apart() -> None:
    runs = [
        result("CoOp"),
        result("CoOp", shots=4),
        result("CoOp", training=Training(epochs=5)),
        result("CoOp", "DePT"),
        replace(result("CoOp"), spec=replace(result("CoOp").spec, method=Component("CoOp", {"n_ctx": 4}))),
    ]
    assert sorted(labels(board(runs))) == [
        "CoOp (epochs=10, shots=16)",
        "CoOp (epochs=10, shots=4)",
        "CoOp (epochs=5, shots=16)",
        "CoOp (n_ctx=4, epochs=10, shots=16)",
        "CoOp + DePT",
    ]


@settings(max_examples=30)
@given(st.lists(st.tuples(st.sampled_from(["CoOp", "KgCoOp"]), st.integers(1, 3), st.integers(1, 3)), min_size=1, unique=True))
def test_labels_are_unique(kinds: list[tuple[str, int, int]]) -> None:
    runs = [result(method, shots=shots, training=Training(epochs=epochs)) for method, shots, epochs in kinds]
    names = labels(board(runs))
    assert len(set(names)) == len(names) == len(kinds)


def test_settings_are_not_mixed() -> None:
    runs = [
        result("CoOp"),
        result("ZeroShot"),
        result("CoOp", backbone=BackboneSpec("ViT-B-16", "openai")),
        result("CoOp", protocol=Component("Other")),
    ]
    document = board(runs)
    assert [s["name"] for s in document["settings"]] == ["BaseToNew, ViT-B-16/openai", "BaseToNew, shapes", "Other, shapes"]
    assert [r["difference"] is None for r in document["rows"]] == [True, False, True, True]


def test_zero_shot_is_known_by_what_it_trains() -> None:
    runs = three()
    runs = [replace(r, cost={**r.cost, "params_trainable": 1}) if r.spec.method.name == "ZeroShot" else r for r in runs]
    assert [r["difference"] for r in board(runs)["rows"]] == [None, None, None]


def test_a_protocol_without_h() -> None:
    runs = [replace(result("CoOp", seed=s), counts={"all": Count(50 + s, 100)}, scores={"all": 50.0 + s}, summary=None) for s in (1, 2)]
    document = board(runs)
    assert document["settings"][0]["headline"] == "all"
    assert document["rows"][0]["average"]["all"]["mean"] == 51.5
    assert "harmonic" not in markdown(document)


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(DepthubError, match="no finished runs"):
        board([])
    with pytest.raises(DepthubError, match="given twice"):
        board([result("CoOp"), result("CoOp")])
    other = replace(result("ZeroShot"), counts={"base": Count(6, 10), "new": Count(70, 100)})
    with pytest.raises(DepthubError, match=r"100 test images in run|10 test images in run"):
        board([result("CoOp"), other])


def test_runs_from_memory_and_from_files_share_a_row(tmp_path: Path) -> None:
    fresh = [result("CoOp", data="folder:/here/pictures", seed=s) for s in (1, 2)]
    fresh = [replace(r, spec=replace(r.spec, data=replace(r.spec.data, sha256="0" * 64))) for r in fresh]
    Store(tmp_path).save(fresh[0])
    document = board([*Store(tmp_path).results(), fresh[1]])
    assert len(document["rows"]) == 1
    assert "/here" not in json.dumps(document)


def test_other_images_in_the_same_number_are_refused() -> None:
    classes = ClassSet("two", (0, 1), ("ant", "bee"))
    one, two = (
        replace(run, tasks={task: AsTested(classes, images_sha256=mark * 64) for task in run.counts})
        for run, mark in ((result("CoOp"), "a"), (result("ZeroShot"), "b"))
    )
    with pytest.raises(DepthubError, match=r"^tones, seed 1, task 'base': other test images in run \w{12} than in run \w{12}; "):
        board([one, two])
    assert board([one, result("ZeroShot")])["rows"]


def test_what_looks_alike_is_never_merged() -> None:
    """A data set can be called what another one is called with its settings, and rows likewise."""
    sets = [DataSpec("x", 0.5), DataSpec("x", 0.25), DataSpec("x (test_fraction=0.25)")]
    methods = [Component("A", {"n": 1}), Component("A", {"n": 2}), Component("A (method.n=1)")]
    runs = [replace(result("A"), spec=replace(result("A").spec, data=data, method=method)) for data in sets for method in methods]
    document = board(runs)
    assert len(document["settings"][0]["data"]) == len(document["rows"]) == len(set(labels(document))) == 3
    assert Counter(run["data"] for row in document["rows"] for run in row["runs"]) == dict.fromkeys(document["settings"][0]["data"], 3)


def test_boards_of_schema_1_0_are_accepted() -> None:
    document = board(three())
    old = {key: value for key, value in document.items() if key != "left_out"} | {"schema_version": "1.0.0"}
    old["settings"] = [{key: value for key, value in s.items() if key not in ("harmonic", "aggregation")} for s in document["settings"]]
    schema.validate(old, "leaderboard", "it")
    assert "| CoOp + DePT |" in markdown(old)
    for lacking in (old | {"schema_version": "1.1.0", "left_out": []}, {**document, "left_out": [{"file": "a"}]}):
        with pytest.raises(DepthubError, match="required"):
            schema.validate(lacking, "leaderboard", "it")
