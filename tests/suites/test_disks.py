"""Suites on disks that are full or read-only: one line, nothing lost, and the same command goes on when there is room."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from depthub.records.store import FILE, Store
from tests.suites.commands import board, carried_out, write_suite


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 600 kB: room for some of the runs of the suite."""
    place = tmp_path / "runs"
    place.mkdir()
    if os.geteuid() != 0 or shutil.which("mount") is None or _mount(place, "-t", "tmpfs", "-o", "size=600k", "tmpfs"):
        pytest.skip("making a small disk needs the right to mount one")
    yield place
    subprocess.run(["umount", place], check=True)


def _mount(place: Path, *options: str) -> int:
    return subprocess.run(["mount", *options, place], capture_output=True, check=False).returncode


def test_a_full_disk_is_named_and_the_suite_goes_on_with_more_room(disk: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    place = write_suite(disk.parent)
    full = carried_out(place)
    assert full.returncode == 1
    assert "No space left on device" in full.stderr
    assert "Traceback" not in full.stderr
    some = list(Store(disk).results())  # each of them whole
    assert 0 < len(some) < 18
    assert _mount(disk, "-o", "remount,size=50m") == 0
    before = {path: path.stat().st_mtime_ns for path in disk.glob(f"*/{FILE}")}
    again = carried_out(place, "--retry_failed")
    assert again.returncode == 0, again.stderr
    assert {path: path.stat().st_mtime_ns for path in before} == before  # none was done again
    other = write_suite(tmp_path_factory.mktemp("other"))
    assert carried_out(other).returncode == 0
    assert board(place) == board(other)


def test_a_read_only_disk_is_refused_before_the_work(disk: Path) -> None:
    place = write_suite(disk.parent)
    assert _mount(disk, "-o", "remount,ro") == 0
    refused = carried_out(place)
    assert refused.returncode == 2
    assert refused.stderr.splitlines()[-1].startswith("depthub: error: cannot write ")
    assert "Traceback" not in refused.stderr
    assert list(disk.iterdir()) == []
