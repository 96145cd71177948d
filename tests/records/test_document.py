"""Run documents: refused in one line where they were edited or are damaged."""

from __future__ import annotations

import copy
import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings as examples, strategies as st

from depthub.errors import DepthubError
from depthub.protocol import Summary
from depthub.recipe import Training
from depthub.records import document as document_of, predictions, schema
from depthub.records.store import Store, document, dumps, read
from depthub.spec import Component, DataSpec, TextsSpec
from tests.records.documents import (
    COUNTED,
    KEPT,
    NESTED,
    RESULT,
    SPEC,
    drop,
    edits,
    put,
    refusal,
    signed,
)


def test_the_file_is_readable(tmp_path: Path) -> None:
    text = Store(tmp_path).save(RESULT).read_text()
    assert "[1, 2, 2]" in text
    assert "/" not in json.dumps({k: v for k, v in json.loads(text).items() if k != "$schema"})


def test_schema_and_spec_have_the_same_fields() -> None:
    described = schema.load("run")["$defs"]
    spec = replace(SPEC, other_data={"flags": "0" * 64}, sample=SPEC.seed + 1, texts=TextsSpec("mine.json", "0" * 64)).as_dict()
    assert set(described["spec"]["properties"]) == set(spec)
    assert set(described["spec"]["properties"]["texts"]["properties"]) == set(spec["texts"])
    for part, fields in (
        ("data", DataSpec(decoding="draft", background="white", template="a {}.", class_names={"a": "b"}).as_dict()),
        ("backbone", spec["backbone"]),
        ("training", Training.__dataclass_fields__),
    ):
        assert set(described[part]["properties"]) == set(fields)
    for kind in ("run", "leaderboard"):
        jsonschema_rs.meta.validate(schema.load(kind))


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (put("summary", "headline", to="new"), "summary is not the one that BaseToNew declares"),
        (put("summary", "headline", to="F"), "the summary names score 'F'"),
        (put("class_sets", 0, "names", to=["a", "b", "c"]), "class set 0: 2 ids (2 different) for 3 names"),
        (put("class_sets", 0, "ids", to=[3, 3]), "class set 0: 2 ids (1 different) for 2 names"),
        (put("measurements", 0, "classes", to=2), "class set 2 is not there"),
        (put("measurements", 0, "sentences", to=[["one"]]), "2 classes, but another number of sentences"),
        (put("stages", 0, "classes", to=5), "stage 'base' names classes or tasks that are not there"),
        (put("stages", 0, "tests", to=["base", "old"]), "stage 'base' names classes or tasks that are not there"),
        (put("measurements", 0, "value", to=61.0), "value is 61.0, but 3 of 5 are 60.0000 percent"),
        (put("measurements", 1, "n_correct", to=2), "value is 33.3"),
        (put("measurements", 1, "n_correct", to=4), "4 correct of 3 images"),
        (put("measurements", 1, "n_total", to=0), "minimum of 1"),
        (put("measurements", 0, "per_class", 0, to=[2, 2, 2]), "per_class sums to 4 correct"),
        (put("measurements", 0, "per_class", 0, to=[2, 1, 2]), "more correct predictions than images"),
        (put("measurements", 1, "task", to="base"), "measured twice"),
        (put("spec", "seed", to=2), "run_id is not the digest of spec"),
        (put("spec", "method", "settings", "n", to=2), "run_id is not the digest of spec"),
        (put("scores", "H", to=99.0), "H is 99.0, but the harmonic mean of base and new is 42.8571"),
        (put("scores", "surprise", to=99.0), "scores are base 60.0000, new 33.3333, H 42.8571, surprise 99.0000, but BaseToNew derives"),
        (put("cost", "params_trainable", to=7), "sha256 is not the digest of the content"),
        (put("scores", "H", to=101), "maximum of 100"),
        (put("surprise", to=1), "'surprise'"),
        (put("kind", to="leaderboard"), "not a run document"),
        (put("provenance", "host", to="mine"), "'host'"),
        (put("spec", "data", "decoding", to="exact"), "spec.data.decoding"),
        (put("samples", 0, "labels", 1, to=1), "sample of task 'base': sha256 is not the fingerprint of ids and labels"),
        (put("samples", 0, "ids", to=["a.jpg", "b.jpg", "c.jpg"]), "sha256 is not the fingerprint of ids and labels"),
        (put("samples", 0, "labels", to=[1, 0]), "3 ids, but 2 labels"),
        (put("samples", 0, "remarks", to=[]), "sha256 is not the digest of the content"),
    ],
)
def test_an_edited_file_is_refused_in_one_line(edit: Callable[[dict[str, Any]], None], reason: str, tmp_path: Path) -> None:
    path = Store(tmp_path).save(RESULT)
    fields = json.loads(path.read_text())
    edit(fields)
    path.write_bytes(dumps(fields))
    with pytest.raises(DepthubError) as caught:
        read(path)
    assert reason in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"a": NaN}'])
def test_a_damaged_file_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(content)
    with pytest.raises(DepthubError, match=r"run\.json: "):
        read(path)
    with pytest.raises(DepthubError, match=r"cannot read .*none\.json: it is not there"):
        read(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (put("scores", "H", to=99.9), "H is 99.9, but the harmonic mean of base and new is 42.8571"),
        (edits(drop("summary"), put("scores", "H", to=99.9)), "but BaseToNew derives base 60.0000, new 33.3333, H 42.8571 from"),
        (put("scores", to={"base": 80.0, "new": 80.0, "H": 80.0}), "but BaseToNew derives base 60.0000, new 33.3333, H 42.8571 from"),
        (put("scores", to={"base": 60.0, "new": 100 / 3, "H": 300 / 7, "top": 99.9}), "top 99.9000, but BaseToNew derives"),
        (put("scores", to={"base": 60.0, "new": 100 / 3}), "the summary names score 'H', there are base, new"),
        (
            edits(drop("stages"), put("measurements", 0, "task", to="bass")),
            "its protocol cannot derive scores from these tasks (KeyError: 'base')",
        ),
        (put("measurements", 0, "n_correct", to=3.0), "n_correct"),
        (put("measurements", 0, "per_class", 0, 0, to=1.0), "per_class[0][0]"),
        (put("spec", "seed", to=1.0), "spec.seed"),
        (put("spec", "shots", to=True), "spec.shots"),
        (put("spec", "method", "settings", to=3), "spec.method.settings"),
        (put("spec", "method", "settings", to=[]), "spec.method.settings"),
        (put("spec", "method", "settings", "head", to={"name": "DePT", "settings": 3}), "expected its name, or a name with settings"),
        (put("spec", "head", to=NESTED), "expected its name, or a name with settings"),
        (put("spec", "head", "settings", "cat", to={"name": 3, "settings": {}}), "expected its name, or a name with settings"),
        (put("spec", "training", "lr", to=-1.0), "training.lr is -1.0"),
        (put("spec", "training", "momentum", to=2), "training.momentum is 2"),
        (put("spec", "data", "test_fraction", to=1), "data.test_fraction is 1"),
        (put("summary", "harmonic", to={"H": ["H", "H"]}), "harmonic mean of itself: H, H"),
        (put("class_sets", to=[]), "class_sets"),
        (put("warnings", to=["a", 3]), "warnings[1]"),
        (put("x_deep", to=json.loads("[" * 99 + "]" * 99)), "nested too deeply"),
        (put("schema_version", to="2.0.0"), "schema_version"),
    ],
)
def test_whatever_can_be_computed_again_is(edit: Callable[[dict[str, Any]], None], reason: str, tmp_path: Path) -> None:
    """The digests are no signature: they were computed again after the edit."""
    path = Store(tmp_path).save(RESULT)
    fields = json.loads(path.read_text())
    edit(fields)
    path.write_bytes(signed(fields))
    assert reason in refusal(path)


def test_an_unknown_protocols_scores_may_not_depend_on_themselves(tmp_path: Path) -> None:
    spec = replace(SPEC, protocol=Component("Foreign"))
    summary = Summary("H", {"H": ("F", "F"), "F": ("H", "H")})
    with pytest.raises(DepthubError, match="harmonic mean of itself"):
        Store(tmp_path).save(replace(RESULT, spec=spec, scores={"F": 50.0, "H": 50.0}, summary=summary))


def test_a_protocol_that_is_not_installed_is_noted_in_one_line(tmp_path: Path) -> None:
    result = replace(RESULT, spec=replace(SPEC, protocol=Component("Foreign\n\x1b[31m")))
    (note,) = read(Store(tmp_path).save(result)).notes
    assert "is not installed here" in note
    assert note.isprintable()


@pytest.mark.parametrize(
    "content",
    [
        b'{"kind": "run", "kind": "run"}',
        b'{"a": 1e400}',
        b'{"a": -1e400}',
        b'{"a": Infinity}',
        b'{"a": 1152921504606846976}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": "\\ud800"}',
        b'{"\\udfff": 1}',
        '{"kind": "run"}'.encode("utf-16"),
        b'\xef\xbb\xbf{"kind": "run"}',
        *(b"[" * depth + b"]" * depth for depth in (65, 300, 700, 5000, 200_000)),
        *(b'{"a":' * depth + b"1" + b"}" * depth for depth in (65, 400, 900, 100_000)),
        b"3",
        b'"run"',
        b'{"kind": "run"}',
        b'{"kind": ["run"]}',
    ],
    ids=lambda content: repr(content[:20]),
)
def test_content_that_readers_take_differently_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(content)
    refusal(path)


VALUES: list[Any] = [
    None,
    True,
    0,
    -1,
    1,
    2**53 - 1,
    1.5,
    -0.0,
    1e308,
    "",
    "x\n",
    [],
    {},
    [[]],
    NESTED,
    ["a"],
    "0" * 64,
    "H",
    {"H": ["H", "H"]},
]


def _places(value: Any, above: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield (*above, key)
        yield from _places(inner, (*above, key))


@examples(max_examples=150, deadline=None)
@given(st.data())
def test_any_edit_is_read_or_refused_in_one_line(data: st.DataObject) -> None:
    fields = copy.deepcopy(document(COUNTED, {document_of.PREDICTIONS: predictions.dumps(KEPT)}))
    for _ in range(data.draw(st.integers(1, 3))):
        put(*data.draw(st.sampled_from(sorted(_places(fields), key=str))), to=copy.deepcopy(data.draw(st.sampled_from(VALUES))))(fields)
        if not isinstance(fields.get("spec"), dict):
            return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.json"
        path.write_bytes(signed(fields))
        path.with_name(document_of.PREDICTIONS).write_bytes(predictions.dumps(KEPT))
        with suppress(DepthubError):
            read(path)
            return
        refusal(path)


@examples(deadline=None)
@given(st.data())
def test_a_truncated_file_is_refused(data: st.DataObject) -> None:
    content = dumps(document(RESULT))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.json"
        path.write_bytes(content[: data.draw(st.integers(0, len(content) - 3))])
        with pytest.raises(DepthubError):
            read(path)


def test_a_file_from_before_samples_were_recorded_is_whole(tmp_path: Path) -> None:
    path = Store(tmp_path).save(replace(RESULT, samples=()))
    assert "samples" not in json.loads(path.read_text())
    assert read(path).samples == ()


def test_the_fingerprint_of_a_sample_is_that_of_published_ones() -> None:
    """Lines of path, tab, label and line feed, in the order drawn."""
    lines = b"b.jpg\t1\na.jpg\t0\nc.jpg\t2\n"
    assert RESULT.samples[0].sha256 == hashlib.sha256(lines).hexdigest()


def test_extensions_may_be_added_later(tmp_path: Path) -> None:
    path = Store(tmp_path).save(RESULT)
    fields = json.loads(path.read_text()) | {"x_note": {"by": "me"}}
    path.write_bytes(dumps(fields))
    assert read(path) == RESULT
