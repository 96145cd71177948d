"""Suites at work: killed and resumed, shared by schedulers, with damaged files; and what is left afterwards."""

from __future__ import annotations

import json
import random
import signal
import subprocess
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from depthub.records import failures
from depthub.records.store import FILE, Store
from depthub.running.garbage import collect, leftovers
from depthub.running.options import RunOptions
from depthub.running.resolving import Resolver
from depthub.suites.forecast import Forecast
from depthub.suites.manifest import Manifest, status
from depthub.suites.plan import Packing, plan, resolved
from depthub.suites.reading import read_suite
from depthub.suites.rehearsal import rehearse
from tests.processes import needs_proc, started
from tests.suites.commands import RUNS, board, carried_out, command, write_suite


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return write_suite(tmp_path)


@needs_proc
def test_killed_at_any_moment_it_ends_like_an_undisturbed_one(place: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    draw, written = random.Random(0), dict[Path, int]()
    for _ in range(4):
        with (
            started(*command(place), cwd=place) as child,
            suppress(subprocess.TimeoutExpired),
        ):  # killed with its group at the end of the block
            child.process.wait(draw.uniform(6, 14))
        finished = {path: path.stat().st_mtime_ns for path in place.glob(f"runs/*/{FILE}")}
        assert {path: finished[path] for path in written} == written, "a finished run was done again"
        written = finished
    ended = carried_out(place)
    assert ended.returncode == 0, ended.stderr
    assert len(list(place.glob(f"runs/*/{FILE}"))) == RUNS
    collect(place / "runs", list(leftovers(place / "runs", unfinished=True)))
    assert sorted(path.name for path in (place / "runs").iterdir() if path.name.startswith(".")) == [".suites"]
    assert list(place.glob("runs/*/.*")) == []
    undisturbed = write_suite(tmp_path_factory.mktemp("undisturbed"))
    assert carried_out(undisturbed).returncode == 0
    assert board(place) == board(undisturbed)


@needs_proc
def test_schedulers_share_a_store(place: Path) -> None:
    with ExitStack() as stack:
        first, *others = (stack.enter_context(started(*command(place), cwd=place)) for _ in range(3))
        first.wait_until(lambda: list(place.glob(f"runs/*/{FILE}")), "a finished run")
        first.send_all(signal.SIGKILL)
        assert [child.status() for child in others] == [0, 0], [child.err for child in others]
    results = list(Store(place / "runs").results())
    assert len(results) == RUNS
    assert list(place.glob("runs/*/earlier-*")) == []
    state = status(Manifest.named(place / "runs", "mini"), place / "runs")
    assert (state["runs"], state["done"], state["failed"], state["left"]) == (RUNS, RUNS, 0, 0)


def test_what_is_damaged_is_set_aside_and_what_failed_is_not_repeated(place: Path) -> None:
    first = carried_out(place)
    assert first.returncode == 0, first.stderr
    before = board(place)
    cut, edited, *_ = sorted(place.glob(f"runs/*/{FILE}"))
    cut.write_bytes(cut.read_bytes()[:1000])
    edited.write_text(edited.read_text().replace('"n_correct": ', '"n_correct": 1', 1))
    again = carried_out(place)
    assert again.returncode == 0, again.stderr
    assert again.stderr.count("set aside") == 2
    assert len(list(place.glob("runs/.damaged/*"))) == 2
    assert board(place) == before
    # a failure with the same code and data stays one, until it is asked for
    result = Store(place / "runs").named(cut.parent.name)
    failed = json.loads((cut.parent / FILE).read_text())
    inputs = failures.fingerprint(failed["provenance"]["inputs"])
    cut.unlink()
    failures.write(cut.parent, failures.Failure(result.spec.run_id, "diverged", "DepthubError", "the loss is nan", epoch=2, inputs=inputs))
    third = carried_out(place)
    assert third.returncode == 1
    assert "the loss is nan" in third.stderr
    assert not cut.exists()
    assert carried_out(place, "--retry-failed").returncode == 0
    assert board(place) == before
    assert not (cut.parent / failures.FILE).exists()


def test_settings_that_no_run_can_have_are_refused_before_the_work(tmp_path: Path) -> None:
    place = write_suite(tmp_path)
    text = (place / "mini.yaml").read_text()
    (place / "mini.yaml").write_text(text.replace("[CoOp, KgCoOp]", "[CoOp, {name: MaPLe, depth: 9}]"))
    refused = carried_out(place)
    assert refused.returncode == 2
    error = refused.stderr.splitlines()[-1]
    assert error.startswith("depthub: error: MaPLe")
    assert "depth is 9, expected 1 to 3, the layers that can have prompts" in error
    assert list(place.glob("runs/*")) == []


@pytest.mark.parametrize("name", ["shapes", "shapes-lite"])
def test_the_shipped_suites_on_embedded_data_pass_their_rehearsal(name: str, tmp_path: Path) -> None:
    runs = resolved(read_suite(name).specs(), Resolver())
    planned = plan(name, runs, Store(tmp_path), Forecast(), Packing())
    assert len(planned.to_do) == len(runs)
    rehearse(planned, RunOptions())
