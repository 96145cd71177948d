"""`docs/your-pictures.md`, as it is written there: from a folder of pictures and OpenAI's archive to a prediction."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import depthub
from depthub.cli import main
from depthub.registry.plugins import installed
from tests.archives import CONFIG, openai_archive
from tests.cells import Notebook
from tests.models import random_backbone

PAGE = Path(__file__).parents[2] / "docs/your-pictures.md"
COLOURS = {"ardea": (120, 120, 140), "grus": (200, 60, 60), "ciconia": (240, 240, 240)}
MODEL = "ViT-B-16-quickgelu"  # stands for the small model here


@pytest.fixture(autouse=True)
def _session() -> Iterator[None]:
    yield
    installed.cache_clear()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the page takes for granted, and the small model's configuration."""
    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(0)
    for name, rgb in COLOURS.items():
        for part, number in (("train", 5), ("val", 4)):
            (tmp_path / "pictures" / part / name).mkdir(parents=True)
            for i in range(number):
                noisy = np.clip(np.array(rgb) + generator.normal(0, 20, (40, 40, 3)), 0, 255).astype(np.uint8)
                Image.fromarray(noisy).save(tmp_path / "pictures" / part / name / f"{i}.jpg")
    Image.new("RGB", (50, 40), COLOURS["grus"]).save(tmp_path / "new.png")
    (tmp_path / "names.csv").write_text("label,name\nardea,grey heron\ngrus,crane\nciconia,white stork\n")
    (tmp_path / "tiny.json").write_text(json.dumps(CONFIG | {"quick_gelu": True}))
    openai_archive(tmp_path / "ViT-B-16.pt", random_backbone(dtype=torch.float32, context_length=32).clip.state_dict())
    return tmp_path


def test_the_page_does_what_it_says(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = PAGE.read_text().replace(MODEL, str(place / "tiny.json"))
    blocks = re.findall(r"```(python)?\n(.*?)```", page, re.DOTALL)
    notebook, lines = Notebook(), 0
    for language, block in blocks:
        if language:
            names = notebook.run(block)
            continue
        for command in block.strip().splitlines():
            lines += 1
            assert main(shlex.split(command)[1:]) == 0, capsys.readouterr().err
    assert lines == 4
    said = capsys.readouterr()
    assert "val" in said.err  # the validation folder is the test set, with a word
    assert "grey heron" in said.out
    result = names["result"]
    assert result.tasks["all"].classes.names == ("grey heron", "white stork", "crane")
    assert [run.spec.method.name for run in depthub.Store(place / "runs").results()].count("Mine") == 1
    classifier = depthub.load(result)
    assert classifier.classify("new.png", ["heron", "crane"]).class_names == ("heron", "crane")
