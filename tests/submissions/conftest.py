"""A small board with two submissions, made once for all tests of a worker."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from benchmarks.submissions import Sizes, write_board

SMALL = Sizes(sets=2, seeds=2, images=40, classes=4, shots=2)


@pytest.fixture(scope="session")
def made_board(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The board, which nobody changes."""
    folder = tmp_path_factory.mktemp("made") / "board"
    write_board(folder, SMALL, 2)
    return folder


@pytest.fixture
def board(made_board: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(made_board, tmp_path / "board"))
