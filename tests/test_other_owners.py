"""Folders that belong to somebody else, or may only be read: one line, and nothing lost. Tried as another user, since root may do all."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

NOBODY = 65534
pytestmark = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder that another user owns; those of pytest are its user's alone."""
    with TemporaryDirectory(prefix="depthub-") as folder:
        os.chown(folder, NOBODY, NOBODY)
        yield Path(folder)


def as_nobody(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "HOME": str(home), "DEPTHUB_CACHE": str(home / "cache"), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "depthub", *arguments]
    try:
        done = subprocess.run(
            command, user=NOBODY, group=NOBODY, extra_groups=[], env=env, cwd="/", capture_output=True, text=True, check=False
        )
    except PermissionError:
        pytest.skip("the interpreter of these tests is for root alone")
    if "Permission denied" in done.stderr and "No module named" in done.stderr:
        pytest.skip("the packages of these tests are for root alone")
    return done


def folder(path: Path, mode: int, owner: int = NOBODY) -> Path:
    path.mkdir()
    os.chown(path, owner, owner)
    path.chmod(mode)
    return path


RUN = ("run", "--method", "ZeroShot", "--data", "tones", "--runs")


def test_a_folder_of_runs_that_may_only_be_read(home: Path) -> None:
    runs = folder(home / "runs", 0o555)
    done = as_nobody(home, *RUN, str(runs))
    assert done.returncode == 2, done.stderr
    assert done.stderr.splitlines()[-1].startswith(f"depthub: error: cannot write into {runs}")
    assert "Traceback" not in done.stderr
    assert list(runs.iterdir()) == []


@pytest.mark.parametrize("mode", [0o000, 0o555])
def test_a_cache_of_somebody_else_is_done_without(home: Path, mode: int) -> None:
    folder(home / "cache", mode, owner=0)
    done = as_nobody(home, *RUN, str(home / "runs"))
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert len(list((home / "runs").glob("*/run.json"))) == 1


def test_runs_that_may_not_be_read_are_named(home: Path) -> None:
    runs = folder(home / "runs", 0o700, owner=0)
    done = as_nobody(home, "leaderboard", "build", str(runs), "--out", str(home / "board"))
    assert done.returncode == 2, done.stderr
    assert str(runs) in done.stderr
    assert "Traceback" not in done.stderr
