"""Run files: whole, checked, and equal to what was saved."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from depthub import provenance, schema
from depthub.errors import DepthubError
from depthub.files import atomic_write
from depthub.protocol import Count
from depthub.spec import Component, DataSpec, RunSpec, Training, digest
from depthub.store import RunResult, Sample, Store, document, dumps, read

SPEC = RunSpec(training=Training())
RESULT = RunResult(
    SPEC,
    {"base": Count(3, 5, ((1, 2, 2), (2, 3, 3))), "new": Count(1, 3)},
    {"base": 60.0, "new": 100 / 3, "H": 300 / 7},
    {"python": "3.11.0"},
    {"params_trainable": 0},
    ("few images",),
    (Sample("base", "tones", ("b.jpg", "a.jpg", "c.jpg"), (1, 0, 2), ("sorted first",)),),
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


@examples(max_examples=30)
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
    spec = replace(SPEC, method=Component("Any", settings))
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
    spec = SPEC.as_dict()
    assert set(described["spec"]["properties"]) == set(spec)
    for part, fields in (("data", DataSpec(decoding="draft").as_dict()), ("backbone", spec["backbone"]), ("training", spec["training"])):
        assert set(described[part]["properties"]) == set(fields)
    for kind in ("run", "leaderboard"):
        schema._validator(kind).check_schema(schema.load(kind))


def _set(*path: str | int, to: Any) -> Callable[[dict[str, Any]], None]:
    def edit(made: dict[str, Any]) -> None:
        inner: Any = made
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = to

    return edit


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (_set("measurements", 0, "value", to=61.0), "value is 61.0, but 3 of 5 are 60.0000 percent"),
        (_set("measurements", 1, "n_correct", to=2), "value is 33.3"),
        (_set("measurements", 1, "n_correct", to=4), "4 correct of 3 images"),
        (_set("measurements", 1, "n_total", to=0), "minimum of 1"),
        (_set("measurements", 0, "per_class", 0, to=[2, 2, 2]), "per_class sums to 4 correct"),
        (_set("measurements", 0, "per_class", 0, to=[2, 1, 2]), "more correct predictions than images"),
        (_set("measurements", 1, "task", to="base"), "measured twice"),
        (_set("spec", "seed", to=2), "run_id is not the digest of spec"),
        (_set("spec", "method", "settings", "n", to=2), "run_id is not the digest of spec"),
        (_set("scores", "H", to=99.0), "sha256 is not the digest of the content"),
        (_set("cost", "params_trainable", to=7), "sha256 is not the digest of the content"),
        (_set("scores", "H", to=101), "maximum of 100"),
        (_set("surprise", to=1), "'surprise'"),
        (_set("kind", to="leaderboard"), "not a run document"),
        (_set("provenance", "host", to="mine"), "'host'"),
        (_set("spec", "data", "decoding", to="exact"), "decoding: 'exact' is not one of ['draft']"),
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
    with pytest.raises(DepthubError, match="cannot read"):
        read(tmp_path / "none.json")


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
        "import sys; from pathlib import Path; from depthub.files import atomic_write\n"
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
    made = provenance.collect([("methods", "CoOp", "depthub", "0.1.0"), ("heads", "DePT", "no-such-distribution", "1")], world_size=2)
    cost = watch.cost(3, 7)
    path = Store(tmp_path).save(replace(RESULT, provenance=made, cost=cost))
    assert read(path).provenance == made
    assert made["packages"].keys() >= {"torch", "numpy", "open_clip_torch"}
    assert made["execution"]["world_size"] == 2
    assert cost["train_s"] >= 10
    assert cost["peak_rss_bytes"] > 1e7
    said = json.dumps([made, cost])
    for secret in (os.uname().nodename, str(Path.home()), str(Path(__file__).parent.parent)):
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
