"""Run files: whole, checked, and equal to what was saved."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema_rs
import numpy as np
import pytest
from hypothesis import given, settings as examples, strategies as st
from safetensors.numpy import load, save

import depthub
from depthub.errors import DepthubError
from depthub.protocol import Count, Summary
from depthub.records import document as document_of, predictions, schema
from depthub.records.predictions import Predictions
from depthub.records.result import TrainedStage
from depthub.records.store import RunResult, Sample, Store, document, dumps, read
from depthub.registry.plugins import PluginReport
from depthub.spec import Component, DataSpec, RunSpec, Training, digest
from depthub.system import provenance
from depthub.system.files import atomic_write
from depthub.types import ClassSet

SPEC = RunSpec(training=Training())
CLASSES = ClassSet("four", (0, 1), ("oak", "ash")), ClassSet("four", (2, 3), ("elm", "fir"), templates=(("coop", "a leaf of {}."),))
SAMPLE = Sample("base", "tones", ("b.jpg", "a.jpg", "c.jpg"), (1, 0, 2), ("sorted first",))
RESULT = RunResult(
    SPEC,
    {"base": Count(3, 5, ((1, 2, 2), (2, 3, 3))), "new": Count(1, 3)},
    {"base": 60.0, "new": 100 / 3, "H": 300 / 7},
    {"python": "3.11.0"},
    {"params_trainable": 0},
    ("few images",),
    (SAMPLE,),
    Summary("H", {"H": ("base", "new")}),
    {"base": depthub.TestedTask(CLASSES[0], (("an oak.", "an ash."),), "0" * 64), "new": depthub.TestedTask(CLASSES[1])},
    (TrainedStage("base", CLASSES[0], ("base", "new")),),
)
texts = st.text(st.characters(codec="utf-8"), max_size=8)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | texts, lambda x: st.lists(x, max_size=3), max_leaves=4
)
tables = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=5).filter(
    lambda rows: sum(a + b for a, b in rows) > 0
)
samples = st.builds(
    lambda task, drawn, remarks: Sample(task, "any", tuple(i for i, _ in drawn), tuple(n for _, n in drawn), tuple(remarks)),
    texts.filter(bool),
    st.lists(st.tuples(texts, st.integers(0, 9)), min_size=1, max_size=4),
    st.lists(texts, max_size=1),
)


def counts(rows: list[tuple[int, int]]) -> Count:
    """Each class has a correct and b wrong predictions; the wrong ones are guessed as the same number in that class."""
    return Count(sum(a for a, _ in rows), sum(a + b for a, b in rows), tuple((a, a + b, a + b) for a, b in rows))


@examples(max_examples=30, deadline=None)
@given(
    st.dictionaries(texts, plain, max_size=3),
    st.dictionaries(texts.filter(bool), tables.map(counts), min_size=1, max_size=3),
    st.dictionaries(texts, st.floats(0, 100), min_size=1, max_size=3),
    st.lists(texts, max_size=2),
    st.lists(samples, max_size=2),
)
def test_a_result_comes_back_as_it_was(
    settings: dict[str, Any], found: dict[str, Count], scores: dict[str, float], notes: list[str], drawn: list[Sample]
) -> None:
    spec = replace(SPEC, method=Component("Any", settings), protocol=Component("not installed"))
    result = RunResult(spec, found, scores, warnings=tuple(notes), samples=tuple(drawn))
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        path = store.save(result)
        assert path == store.path(result.spec) / "run.json"
        assert read(path) == store.load(result.spec) == result
        before = path.read_bytes()
        assert store.save(result).read_bytes() == before


def test_folders_of_runs(tmp_path: Path) -> None:
    store = Store(tmp_path / "not yet")
    assert store.load(SPEC) is None
    assert list(store.results()) == []
    others = [replace(RESULT, spec=replace(SPEC, seed=seed)) for seed in (3, 1, 2)]
    for other in others:
        store.save(other)
    assert [r.spec.run_id for r in store.results()] == sorted(o.spec.run_id for o in others)
    store.path(others[0].spec).rename(store.root / "copy")
    with pytest.raises(DepthubError, match="named for another run"):
        list(store.results())


def test_the_file_is_readable(tmp_path: Path) -> None:
    text = Store(tmp_path).save(RESULT).read_text()
    assert "[1, 2, 2]" in text
    assert "/" not in json.dumps({k: v for k, v in json.loads(text).items() if k != "$schema"})


def test_schema_and_spec_have_the_same_fields() -> None:
    described = schema.load("run")["$defs"]
    spec = replace(SPEC, other_data={"flags": "0" * 64}).as_dict()
    assert set(described["spec"]["properties"]) == set(spec)
    for part, fields in (
        ("data", DataSpec(decoding="draft", background="white", template="a {}.", class_names={"a": "b"}).as_dict()),
        ("backbone", spec["backbone"]),
        ("training", spec["training"]),
    ):
        assert set(described[part]["properties"]) == set(fields)
    for kind in ("run", "leaderboard"):
        jsonschema_rs.meta.validate(schema.load(kind))


def _set(*path: str | int, to: Any) -> Callable[[dict[str, Any]], None]:
    def edit(made: dict[str, Any]) -> None:
        inner: Any = made
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = to

    return edit


def _drop(key: str) -> Callable[[dict[str, Any]], None]:
    return lambda made: made.__delitem__(key)


def _edits(*edits: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, Any]], None]:
    def edit(made: dict[str, Any]) -> None:
        for one in edits:
            one(made)

    return edit


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (_set("summary", "headline", to="new"), "summary is not the one that BaseToNew declares"),
        (_set("summary", "headline", to="F"), "the summary names score 'F'"),
        (_set("class_sets", 0, "names", to=["a", "b", "c"]), "class set 0: 2 ids (2 different) for 3 names"),
        (_set("class_sets", 0, "ids", to=[3, 3]), "class set 0: 2 ids (1 different) for 2 names"),
        (_set("measurements", 0, "classes", to=2), "class set 2 is not there"),
        (_set("measurements", 0, "sentences", to=[["one"]]), "2 classes, but another number of sentences"),
        (_set("stages", 0, "classes", to=5), "stage 'base' names classes or tasks that are not there"),
        (_set("stages", 0, "tests", to=["base", "old"]), "stage 'base' names classes or tasks that are not there"),
        (_set("measurements", 0, "value", to=61.0), "value is 61.0, but 3 of 5 are 60.0000 percent"),
        (_set("measurements", 1, "n_correct", to=2), "value is 33.3"),
        (_set("measurements", 1, "n_correct", to=4), "4 correct of 3 images"),
        (_set("measurements", 1, "n_total", to=0), "minimum of 1"),
        (_set("measurements", 0, "per_class", 0, to=[2, 2, 2]), "per_class sums to 4 correct"),
        (_set("measurements", 0, "per_class", 0, to=[2, 1, 2]), "more correct predictions than images"),
        (_set("measurements", 1, "task", to="base"), "measured twice"),
        (_set("spec", "seed", to=2), "run_id is not the digest of spec"),
        (_set("spec", "method", "settings", "n", to=2), "run_id is not the digest of spec"),
        (_set("scores", "H", to=99.0), "H is 99.0, but the harmonic mean of base and new is 42.8571"),
        (_set("scores", "surprise", to=99.0), "scores are base 60.0000, new 33.3333, H 42.8571, surprise 99.0000, but BaseToNew derives"),
        (_set("cost", "params_trainable", to=7), "sha256 is not the digest of the content"),
        (_set("scores", "H", to=101), "maximum of 100"),
        (_set("surprise", to=1), "'surprise'"),
        (_set("kind", to="leaderboard"), "not a run document"),
        (_set("provenance", "host", to="mine"), "'host'"),
        (_set("spec", "data", "decoding", to="exact"), "spec.data.decoding"),
        (_set("samples", 0, "labels", 1, to=1), "sample of task 'base': sha256 is not the fingerprint of ids and labels"),
        (_set("samples", 0, "ids", to=["a.jpg", "b.jpg", "c.jpg"]), "sha256 is not the fingerprint of ids and labels"),
        (_set("samples", 0, "labels", to=[1, 0]), "3 ids, but 2 labels"),
        (_set("samples", 0, "remarks", to=[]), "sha256 is not the digest of the content"),
    ],
)
def test_an_edited_file_is_refused_in_one_line(edit: Callable[[dict[str, Any]], None], said: str, tmp_path: Path) -> None:
    path = Store(tmp_path).save(RESULT)
    made = json.loads(path.read_text())
    edit(made)
    path.write_bytes(dumps(made))
    with pytest.raises(DepthubError) as caught:
        read(path)
    assert said in str(caught.value)
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


def _signed(made: dict[str, Any]) -> bytes:
    """A document with its digests computed again, as anybody can."""
    made["run_id"] = digest(made["spec"])
    made["sha256"] = digest({key: value for key, value in made.items() if key != "sha256"})
    return dumps(made)


def _refused(path: Path) -> str:
    """What reading it is refused with: one line that names a file in the folder."""
    with pytest.raises(DepthubError) as caught:
        read(path)
    said = str(caught.value)
    assert "\n" not in said
    assert str(path.parent if path.suffix else path) in said
    return said


NESTED = {"name": "DePT", "settings": {"cat": {"name": "CAT", "settings": 3}}}


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (_set("scores", "H", to=99.9), "H is 99.9, but the harmonic mean of base and new is 42.8571"),
        (_edits(_drop("summary"), _set("scores", "H", to=99.9)), "but BaseToNew derives base 60.0000, new 33.3333, H 42.8571 from"),
        (_set("scores", to={"base": 80.0, "new": 80.0, "H": 80.0}), "but BaseToNew derives base 60.0000, new 33.3333, H 42.8571 from"),
        (_set("scores", to={"base": 60.0, "new": 100 / 3, "H": 300 / 7, "top": 99.9}), "top 99.9000, but BaseToNew derives"),
        (_set("scores", to={"base": 60.0, "new": 100 / 3}), "the summary names score 'H', there are base, new"),
        (
            _edits(_drop("stages"), _set("measurements", 0, "task", to="bass")),
            "its protocol cannot derive scores from these tasks (KeyError: 'base')",
        ),
        (_set("measurements", 0, "n_correct", to=3.0), "n_correct"),
        (_set("measurements", 0, "per_class", 0, 0, to=1.0), "per_class[0][0]"),
        (_set("spec", "seed", to=1.0), "spec.seed"),
        (_set("spec", "shots", to=True), "spec.shots"),
        (_set("spec", "method", "settings", to=3), "spec.method.settings"),
        (_set("spec", "method", "settings", to=[]), "spec.method.settings"),
        (_set("spec", "method", "settings", "head", to={"name": "DePT", "settings": 3}), "expected its name, or a name with settings"),
        (_set("spec", "head", to=NESTED), "expected its name, or a name with settings"),
        (_set("spec", "head", "settings", "cat", to={"name": 3, "settings": {}}), "expected its name, or a name with settings"),
        (_set("spec", "training", "lr", to=-1.0), "training.lr is -1.0"),
        (_set("spec", "training", "momentum", to=2), "training.momentum is 2"),
        (_set("spec", "data", "test_fraction", to=1), "data.test_fraction is 1"),
        (_set("summary", "harmonic", to={"H": ["H", "H"]}), "harmonic mean of itself: H, H"),
        (_set("class_sets", to=[]), "class_sets"),
        (_set("warnings", to=["a", 3]), "warnings[1]"),
        (_set("x_deep", to=json.loads("[" * 99 + "]" * 99)), "nested too deeply"),
        (_set("schema_version", to="2.0.0"), "schema_version"),
    ],
)
def test_whatever_can_be_computed_again_is(edit: Callable[[dict[str, Any]], None], said: str, tmp_path: Path) -> None:
    """The digests are no signature: they were computed again after the edit."""
    path = Store(tmp_path).save(RESULT)
    made = json.loads(path.read_text())
    edit(made)
    path.write_bytes(_signed(made))
    assert said in _refused(path)


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
    _refused(path)


@pytest.mark.parametrize("kind", ["pipe", "folder", "nowhere", "circle", "device", "huge", "socket"])
def test_what_is_no_file_is_refused_and_not_waited_for(kind: str, tmp_path: Path) -> None:
    store = Store(tmp_path)
    saved = store.save(RESULT)
    other = tmp_path / ("0" * 64) / "run.json"
    other.parent.mkdir()
    make: dict[str, Callable[[], object]] = {
        "pipe": lambda: os.mkfifo(other),
        "folder": other.mkdir,
        "nowhere": lambda: other.symlink_to("gone"),
        "circle": lambda: other.symlink_to(other),
        "device": lambda: other.symlink_to("/dev/zero"),
        "huge": lambda: os.truncate(os.open(other, os.O_CREAT | os.O_WRONLY), 2**40),
        "socket": lambda: socket.socket(socket.AF_UNIX).bind(os.path.relpath(other)),
    }
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the socket is not closed
        patch.chdir(other.parent)
        make[kind]()
    outcomes = list(store.scan())
    assert [type(outcome) for outcome in outcomes] == [DepthubError, RunResult]
    assert str(other) in str(outcomes[0])
    assert read(saved) == RESULT
    with pytest.raises(DepthubError, match="cannot read"):
        list(store.results())


def _predictions(count: Count) -> Predictions:
    """Predictions among two classes with these counts of right ones, in the order of the classes."""
    labels = [label for label, (_, images, _) in enumerate(count.per_class) for _ in range(images)]
    best = [[row, 1 - row] for label, (c, n, _) in enumerate(count.per_class) for row in [label] * c + [1 - label] * (n - c)]
    scores = np.array([[2.0, 1.0]] * len(labels), np.float32)
    true = np.array([2.0 if row[0] == label else 1.0 for row, label in zip(best, labels, strict=True)], np.float32)
    sums = np.log(np.exp(scores.astype(np.float64)).sum(axis=1)).astype(np.float32)
    return Predictions(np.array(labels, np.int32), np.array(best, np.int32), scores, true, sums, 2)


COUNTED = replace(
    RESULT,
    counts={"base": Count(3, 5, ((1, 2, 2), (2, 3, 3))), "new": Count(1, 3, ((1, 2, 2), (0, 1, 1)))},
)
KEPT = {task: _predictions(count) for task, count in COUNTED.counts.items()}


def _saved(folder: Path, result: RunResult = COUNTED) -> Path:
    return Store(folder).save(result, {document_of.PREDICTIONS: predictions.dumps(KEPT)})


def test_predictions_are_read_when_they_are_asked_for(tmp_path: Path) -> None:
    path = _saved(tmp_path)
    result = read(path)
    assert {task: kept.count() for task, kept in result.predictions.items()} == result.counts
    (path.parent / document_of.PREDICTIONS).unlink()
    assert read(path, recount=False) == result
    (lazy,) = Store(tmp_path).scan(recount=False)
    assert isinstance(lazy, RunResult)
    with pytest.raises(DepthubError, match=r"predictions\.safetensors: it is not there"):
        _ = lazy.predictions["base"]
    assert "predictions.safetensors" in _refused(path)


def test_counts_that_the_predictions_do_not_give_are_refused(tmp_path: Path) -> None:
    """All sums and digests are right; the images behind them are not."""
    better = replace(
        COUNTED,
        counts={"base": Count(5, 5, ((2, 2, 2), (3, 3, 3))), "new": Count(3, 3, ((2, 2, 2), (1, 1, 1)))},
        scores={"base": 100.0, "new": 100.0, "H": 100.0},
    )
    path = _saved(tmp_path, better)
    assert "task 'base' has 5 of 5 correct, but its predictions 3 of 5" in _refused(path)


def test_predictions_of_another_run_are_refused(tmp_path: Path) -> None:
    paths = [_saved(tmp_path, replace(COUNTED, spec=replace(SPEC, seed=seed))) for seed in (1, 2)]
    read(paths[0])
    swapped = predictions.dumps({task: replace(kept, log_sum_exp=kept.log_sum_exp + 1) for task, kept in KEPT.items()})
    (paths[0].parent / document_of.PREDICTIONS).write_bytes(swapped)
    assert "is not the file that the run beside it was written with" in _refused(paths[0])


@pytest.mark.parametrize("kind", ["pipe", "huge"])
def test_predictions_that_are_no_file_are_refused_and_not_waited_for(kind: str, tmp_path: Path) -> None:
    path = _saved(tmp_path)
    file = path.parent / document_of.PREDICTIONS
    if kind == "huge":
        os.truncate(file, 2**40)
    else:
        file.unlink()
        os.mkfifo(file)
    assert "cannot read" in _refused(path)


def _arrays(content: bytes) -> tuple[dict[str, Any], dict[str, str]]:
    length = int.from_bytes(content[:8], "little")
    return load(content), json.loads(content[8 : 8 + length])["__metadata__"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("base/labels", np.uint16(1)),
        ("base/labels", np.zeros((5, 2), np.uint16)),
        ("base/labels", np.zeros(5, np.float32)),
        ("base/labels", np.full(5, 2, np.uint16)),
        ("base/labels", np.zeros(0, np.uint16)),
        ("base/best", np.zeros((5, 2), np.uint16)),  # one class twice
        ("base/scores", np.array([[1.0, 2.0]] * 5, np.float32)),  # the best is not the first
        ("base/scores", np.full((5, 2), np.nan, np.float32)),
        ("base/log_sum_exp", np.full(5, -9.0, np.float32)),  # probabilities above 1
        ("base/true", np.full(5, 9.0, np.float32)),  # not the score that stands among the best
        ("base/true", None),
        ("base", "1000000000000"),
        ("base", "three"),
        ("base", "-2"),
        ("base", "3"),
        ("other", "2"),
        ("new", None),
    ],
    ids=str,
)
def test_predictions_that_cannot_be_are_refused(name: str, value: Any, tmp_path: Path) -> None:
    """With the digests of the file and of the document computed again."""
    path = _saved(tmp_path)
    file = path.parent / document_of.PREDICTIONS
    arrays, metadata = _arrays(file.read_bytes())
    classes = json.loads(metadata["classes"])
    part: dict[str, Any] = arrays if "/" in name else classes
    part.pop(name, None)
    part.update({} if value is None else {name: value})
    content = save({key: np.asarray(array) for key, array in arrays.items()}, {"classes": json.dumps(classes)})
    file.write_bytes(content)
    made = json.loads(path.read_text())
    made["files"] = {file.name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}}
    path.write_bytes(_signed(made))
    assert "predictions.safetensors" in _refused(path)


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
    made = copy.deepcopy(document(COUNTED, {document_of.PREDICTIONS: predictions.dumps(KEPT)}))
    for _ in range(data.draw(st.integers(1, 3))):
        _set(*data.draw(st.sampled_from(sorted(_places(made), key=str))), to=copy.deepcopy(data.draw(st.sampled_from(VALUES))))(made)
        if not isinstance(made.get("spec"), dict):
            return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.json"
        path.write_bytes(_signed(made))
        path.with_name(document_of.PREDICTIONS).write_bytes(predictions.dumps(KEPT))
        with suppress(DepthubError):
            read(path)
            return
        _refused(path)


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
    made = json.loads(path.read_text()) | {"x_note": {"by": "me"}}
    path.write_bytes(dumps(made))
    assert read(path) == RESULT


def test_what_does_not_fit_is_not_written(tmp_path: Path) -> None:
    store = Store(tmp_path)
    faults = (
        replace(RESULT, counts={"base": Count(0, 0)}),
        replace(RESULT, counts={"base": Count(1, 2, ((1, 1, 1),))}),
        replace(RESULT, scores={"H": float("nan")}),
        replace(RESULT, scores={}),
        replace(RESULT, counts={}),
    )
    for fault in faults:
        with pytest.raises(DepthubError):
            store.save(fault)
    assert list(tmp_path.iterdir()) == []


def test_another_place_is_the_same_run(tmp_path: Path) -> None:
    here = replace(RESULT, spec=replace(SPEC, data=DataSpec("folder:/here/pictures", sha256=digest("files"))))
    there = replace(here.spec, data=replace(here.spec.data, name="folder:/there/pictures"))
    path = Store(tmp_path).save(here)
    assert Store(tmp_path).load(there) is not None
    assert "/here" not in path.read_text()


@pytest.mark.parametrize("fault", [OSError("no room"), KeyboardInterrupt()])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(fault: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = atomic_write(tmp_path / "new" / "file", b"old")

    def fail(handle: int) -> None:
        raise fault

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(DepthubError if isinstance(fault, OSError) else KeyboardInterrupt):
        atomic_write(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(path.parent.iterdir()) == [path]


def test_a_file_in_the_way_is_a_users_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DepthubError, match="cannot write"):
        atomic_write(tmp_path / "file" / "run.json", b"")


def test_readers_never_see_half_a_file(tmp_path: Path) -> None:
    """A writer that is killed in the middle of its work, again and again."""
    program = (
        "import sys; from pathlib import Path; from depthub.system.files import atomic_write\n"
        "while True:\n for b in (b'a', b'b'): atomic_write(Path(sys.argv[1]), b * 300_000)"
    )
    path = tmp_path / "file"
    atomic_write(path, b"a" * 300_000)
    for _ in range(3):
        writer = subprocess.Popen([sys.executable, "-c", program, str(path)])
        for _ in range(50):
            content = path.read_bytes()
            assert content in (b"a" * 300_000, b"b" * 300_000)
        writer.send_signal(signal.SIGKILL)
        writer.wait()


def test_provenance_fits_the_schema_and_names_no_place(tmp_path: Path) -> None:
    watch = provenance.Stopwatch(train_s=10)
    with watch.measure("train_s"):
        pass
    plugins = (PluginReport("coop", "depthub", "0.1.0"), PluginReport("dept", "no-such-distribution", "1"))
    made = provenance.collect([("methods", "CoOp", plugins[0]), ("heads", "DePT", plugins[1])], world_size=2)
    cost = watch.cost(3, 7)
    path = Store(tmp_path).save(replace(RESULT, provenance=made, cost=cost))
    assert read(path).provenance == made
    assert made["packages"].keys() >= {"torch", "numpy", "open_clip_torch"}
    assert made["execution"]["world_size"] == 2
    assert cost["train_s"] >= 10
    assert cost["peak_rss_bytes"] > 1e7
    said = json.dumps([made, cost])
    for secret in (os.uname().nodename, str(Path.home()), str(Path(__file__).parents[2])):
        assert secret not in said


def test_sources_of_distributions(make_distribution: Callable[..., Path], tmp_path: Path) -> None:
    commit = "a" * 40
    url = {"url": "https://user:secret@example.org/x.git", "vcs_info": {"vcs": "git", "commit_id": commit}}
    make_distribution("from_git", {}, {}, direct_url=json.dumps(url))
    assert provenance.source("from_git") == {"commit": commit, "dirty": False}
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    make_distribution("from_folder", {}, {}, direct_url=json.dumps({"url": checkout.as_uri(), "dir_info": {"editable": True}}))
    assert provenance.source("from_folder") == {"commit": None, "dirty": None}
    git = ["git", "-C", str(checkout), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    (checkout / "file").write_text("1")
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run([*git, *arguments], check=True)
    provenance.source.cache_clear()
    assert provenance.source("from_folder")["dirty"] is False
    (checkout / "file").write_text("2")
    provenance.source.cache_clear()
    found = copy.copy(provenance.source("from_folder"))
    provenance.source.cache_clear()
    assert found["dirty"] is True
    assert isinstance(found["commit"], str)
