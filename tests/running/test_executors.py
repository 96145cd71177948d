"""Runs in processes of their own: outcomes, failures, interruptions."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from depthub_executors import Local

from depthub.errors import DepthubError
from depthub.protocol import Count
from depthub.records.store import RunResult
from depthub.spec import RunSpec
from depthub.system.files import atomic_write
from tests.processes import alive, needs_proc, started, wait_until

ROOT = Path(__file__).parents[2]
SPECS = [RunSpec(seed=seed) for seed in range(5)]


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers import this module by its name, from the path of this process."""
    monkeypatch.syspath_prepend(ROOT)


class StubbornError(Exception):
    """Cannot be unpickled: its constructor takes more than its message."""

    def __init__(self, a: str, b: str) -> None:
        super().__init__(a + b)


def work(spec: RunSpec, *, fail: int = -1, die: int = -1) -> RunResult:
    """Stands in for a run; `fail` and `die` are the seeds of runs that do."""
    if spec.seed == fail:
        raise StubbornError("as ", "asked")
    if spec.seed == die:
        os._exit(9)
    return RunResult(
        spec,
        {"base": Count(spec.seed, 10)},
        {"base": 10.0 * spec.seed},
        {"process": os.getpid(), "threads": os.environ.get("OMP_NUM_THREADS")},
    )


def write_slowly(spec: RunSpec, folder: Path) -> RunResult:
    """Writes a file `began-...`, then works until it is stopped, and removes its temporary file."""
    atomic_write(folder / f"began-{spec.seed}-{os.getpid()}", b"")
    temporary = folder / f"temporary-{spec.seed}"
    temporary.write_bytes(b"half")
    try:
        while True:
            time.sleep(0.1)
    finally:
        temporary.unlink()


@pytest.mark.parametrize("workers", [1, 2])
def test_every_outcome_comes_once(workers: int) -> None:
    outcomes = dict(Local(workers=workers).map(partial(work, fail=3), SPECS))
    assert sorted(outcomes) == [0, 1, 2, 3, 4]
    error = outcomes.pop(3)
    assert isinstance(error, Exception)
    assert "as asked" in str(error)
    results = {i: r for i, r in outcomes.items() if isinstance(r, RunResult)}
    assert {i: r.spec for i, r in results.items()} == {i: SPECS[i] for i in outcomes}
    processes = {r.provenance["process"] for r in results.values()}
    assert (processes == {os.getpid()}) == (workers == 1)
    if workers > 1:
        assert os.getpid() not in processes
        assert all(int(r.provenance["threads"]) >= 1 for r in results.values())


def test_settings() -> None:
    assert list(Local().map(work, [])) == []
    assert [i for i, _ in Local(workers=9).map(work, SPECS[:1])] == [0]
    with pytest.raises(DepthubError, match="workers is -1"):
        Local(workers=-1)


def test_a_dead_worker_is_the_error_of_its_run() -> None:
    outcomes = dict(Local(workers=2).map(partial(work, die=2), SPECS))
    assert sorted(outcomes) == [0, 1, 2, 3, 4]
    assert isinstance(outcomes[2], DepthubError)
    assert "a worker process died" in str(outcomes[2])


@needs_proc
def test_a_caller_that_stops_listening_stops_the_workers(tmp_path: Path) -> None:
    with closing(Local(workers=2).map(partial(_first_is_quick, folder=tmp_path), SPECS)) as outcomes:
        next(outcomes)
        wait_until(lambda: len(list(tmp_path.glob("temporary-*"))) == 2, "two runs under way")
    assert list(tmp_path.glob("temporary-*")) == []
    assert not any(map(alive, _workers(tmp_path)))


def _first_is_quick(spec: RunSpec, folder: Path) -> RunResult:
    return work(spec) if spec.seed == 0 else write_slowly(spec, folder)


def _workers(folder: Path) -> list[int]:
    return [int(p.name.rpartition("-")[2]) for p in folder.glob("began-*")]


PROGRAM = """
import sys
from functools import partial
from pathlib import Path
from tests.running.test_executors import SPECS, write_slowly
from depthub_executors import Local
if __name__ == "__main__":
    for outcome in Local(workers=2).map(partial(write_slowly, folder=Path(sys.argv[1])), SPECS):
        print(outcome)
"""


@needs_proc
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
@pytest.mark.parametrize("ignored", [(), (signal.SIGTERM,)], ids=["", "SIGTERM ignored"])
def test_no_process_outlives_the_parent(number: signal.Signals, ignored: tuple[signal.Signals, ...], tmp_path: Path) -> None:
    """Ctrl-C and a closed terminal reach the whole group; a kill reaches the parent alone."""
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    environ = {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "plugins")])}
    with started(sys.executable, str(script), str(tmp_path), environ=environ, ignored=ignored) as child:
        child.wait_until(lambda: len(list(tmp_path.glob("temporary-*"))) == 2, "two runs under way")
        send = child.send if number == signal.SIGKILL else child.send_all
        send(number)
        assert child.status() != 0
        wait_until(lambda: child.members() == [], "the end of the workers")
        if number == signal.SIGINT:
            assert child.err.count("Traceback") == 1  # the parent's own; the workers end quietly
            assert "KeyboardInterrupt" in child.err
    assert list(tmp_path.glob("temporary-*")) == []
    assert len(_workers(tmp_path)) == 2  # nothing new was begun
