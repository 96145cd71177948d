"""Packs in processes of their own: outcomes, failures, interruptions."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from threading import Thread

import psutil
import pytest
from depthub_executors import Local

from depthub.errors import DepthubError
from depthub.records.store import Store
from depthub.running.runner import resolve
from depthub.spec import RunSpec
from depthub.testing.executors import tiny, write
from tests.processes import needs_proc, started, wait_until

ROOT = Path(__file__).parents[2]


@pytest.fixture
def specs(tmp_path: Path) -> list[RunSpec]:
    return [resolve(tiny(tmp_path, seed)) for seed in range(4)]


@pytest.fixture
def packs(specs: list[RunSpec], tmp_path: Path) -> list[Path]:
    return [write(tmp_path, number, [spec]) for number, spec in enumerate(specs)]


class SlowPacks:
    """Packs that take for ever: their files are pipes, whose end never comes.

    Attributes:
        paths: of the files.
    """

    def __init__(self, folder: Path, number: int = 4) -> None:
        self.paths = [folder / f"slow-{i}.json" for i in range(number)]
        self._pipes: dict[Path, int] = {}
        for path in self.paths:
            os.mkfifo(path)

    def under_way(self) -> int:
        """How many were ever begun."""
        for path in self.paths:
            if path not in self._pipes:
                with suppress(OSError):  # nobody reads it
                    self._pipes[path] = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        return len(self._pipes)

    def close(self) -> None:
        """Let those go that were begun."""
        for pipe in self._pipes.values():
            os.close(pipe)


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[SlowPacks]:
    packs = SlowPacks(tmp_path)
    yield packs
    packs.close()


def workers() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "spawn_main" in " ".join(child.cmdline())]


@pytest.mark.parametrize("number", [1, 2])
def test_every_pack_comes_back_once(number: int, specs: list[RunSpec], packs: list[Path], tmp_path: Path) -> None:
    packs[2].write_text("not a pack")
    errors = dict(Local(workers=number).map(packs))
    assert sorted(errors) == [0, 1, 2, 3]
    assert "is not a pack of depthub" in str(errors.pop(2))
    assert set(errors.values()) == {None}
    results = [Store(tmp_path / "runs").load(spec) for spec in specs]
    assert [result is not None for result in results] == [True, True, False, True]


def test_settings(packs: list[Path]) -> None:
    assert list(Local().map([])) == []
    assert [i for i, _ in Local(workers=9).map(packs[:1])] == [0]
    assert Local(workers=3).slots == 3
    with pytest.raises(DepthubError, match="workers is -1"):
        Local(workers=-1)
    with pytest.raises(DepthubError, match="per_device is 0"):
        Local(per_device=0)


@needs_proc
def test_a_dead_worker_is_the_error_of_its_pack(slow: SlowPacks) -> None:
    def kill() -> None:
        wait_until(slow.under_way, "a pack under way")
        workers()[0].kill()

    killer = Thread(target=kill)
    killer.start()
    errors = dict(Local(workers=2).map(slow.paths))
    killer.join()
    assert sorted(errors) == [0, 1, 2, 3]
    assert all("a worker process died" in str(error) for error in errors.values())


@needs_proc
def test_a_caller_that_stops_listening_stops_the_workers(packs: list[Path], slow: SlowPacks) -> None:
    with closing(Local(workers=2).map([packs[0], *slow.paths])) as outcomes:
        assert next(outcomes) == (0, None)
        wait_until(lambda: slow.under_way() == 2, "two packs under way")
        assert len(workers()) == 2
    assert workers() == []


PROGRAM = """
import sys
from pathlib import Path
from depthub_executors import Local
if __name__ == "__main__":
    for outcome in Local(workers=2).map([Path(name) for name in sys.argv[1:]]):
        print(outcome)
"""


@needs_proc
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
@pytest.mark.parametrize("ignored", [(), (signal.SIGTERM,)], ids=["", "SIGTERM ignored"])
def test_no_process_outlives_the_parent(
    number: signal.Signals, ignored: tuple[signal.Signals, ...], slow: SlowPacks, tmp_path: Path
) -> None:
    """Ctrl-C and a closed terminal reach the whole group; a kill reaches the parent alone."""
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    environ = {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "plugins")])}
    with started(sys.executable, str(script), *map(str, slow.paths), environ=environ, ignored=ignored) as child:
        child.wait_until(lambda: slow.under_way() == 2, "two packs under way")
        send = child.send if number == signal.SIGKILL else child.send_all
        send(number)
        assert child.status() != 0
        wait_until(lambda: child.members() == [], "the end of the workers")
        if number == signal.SIGINT:
            assert child.err.count("Traceback") == 1  # the parent's own; the workers end quietly
            assert "KeyboardInterrupt" in child.err
    assert slow.under_way() == 2  # nothing new was begun


def test_devices_are_shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    assert Local(per_device=2).slots == 4
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert Local().slots == len(os.sched_getaffinity(0))
