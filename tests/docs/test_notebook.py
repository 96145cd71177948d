"""The page about notebooks, as it is written there, and what a notebook shows meanwhile."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

import depthub
from depthub import Component, RunSpec, Training
from depthub.registry.plugins import installed
from depthub.system.activity import tell
from tests.cells import Notebook
from tests.docs.blocks import ROOT, Desk, blocks
from tests.models import write_backbone, write_pictures


@pytest.fixture(autouse=True)
def _session() -> Iterator[None]:
    yield
    installed.cache_clear()


def test_the_example_does_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    cells = [block for block in blocks(ROOT / "docs/add/notebook.md") if block.language == "python"]
    assert len(cells) >= 3
    desk = Desk(tmp_path)
    for cell in cells:
        desk.run(cell)
    result, classified = desk.notebook.names["result"], desk.notebook.names["classified"]
    assert result.spec.data.name == "my_squares"
    assert result.counts["base"].n_correct > 0
    assert classified.class_names == ("red_square", "blue_square", "green_square", "gray_square")
    assert list(tmp_path.glob("runs/*/run.json"))


def written(block: Notebook, terminal: bool) -> str:
    out = io.StringIO()
    with depthub.progress(Console(file=out, force_terminal=terminal, width=100)):
        block.run("tell('encoding [images]', 1, 3)\ntell('encoding [images]', 3, 3)\ntell('loading')")
    return out.getvalue()


@pytest.mark.parametrize("terminal", [False, True])
def test_progress_shows_what_is_told(terminal: bool) -> None:
    block = Notebook()
    block.names["tell"] = tell
    text = written(block, terminal)
    assert "encoding [images]" in text
    assert "3/3" in text
    assert "loading" in text
    assert ("\x1b[" in text) is terminal


def test_progress_counts_runs_and_epochs(tmp_path: Path) -> None:
    data, backbone = write_pictures(tmp_path / "colours"), write_backbone(tmp_path / "model")
    recipe = Training(epochs=2, batch_size=4)
    specs = [RunSpec(Component("CoOp"), data=data, backbone=backbone, training=recipe, shots=2, seed=seed) for seed in (1, 2)]
    out = io.StringIO()
    with depthub.progress(Console(file=out, width=100)):
        depthub.run_many(specs, runs=tmp_path / "runs", stack="off")
    lines = out.getvalue().splitlines()
    assert "depthub: runs 2/2" in lines
    assert sum("training: epoch 2 done, loss" in line for line in lines) == 2
