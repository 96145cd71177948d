"""Run folders: whole, and equal to what was saved."""

from __future__ import annotations

import os
import socket
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings as examples, strategies as st

from depthub.errors import DepthubError
from depthub.protocol import Count
from depthub.records.store import RunResult, Sample, Store, read
from depthub.spec import Component, DataSpec, digest
from tests.records.documents import (
    RESULT,
    SPEC,
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
    settings: dict[str, Any], by_task: dict[str, Count], scores: dict[str, float], notes: list[str], drawn: list[Sample]
) -> None:
    spec = replace(SPEC, method=Component("Any", settings), protocol=Component("not installed"))
    result = RunResult(spec, by_task, scores, warnings=tuple(notes), samples=tuple(drawn))
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
