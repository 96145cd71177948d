"""`docs/your-pictures.md`, as it is written there: from a folder of pictures and OpenAI's archive to a prediction."""

from __future__ import annotations

import json

import pytest
import torch

import depthub
from tests.archives import CONFIG, openai_archive
from tests.docs.blocks import ROOT, Desk, blocks
from tests.models import random_backbone

MODEL = "ViT-B-16-quickgelu"  # stands for the small model here


@pytest.fixture
def archive(desk: Desk) -> Desk:
    """A desk with a small model in the form of OpenAI's archives."""
    configuration = desk.folder / "tiny.json"
    configuration.write_text(json.dumps(CONFIG | {"quick_gelu": True}))
    openai_archive(desk.folder / "ViT-B-16.pt", random_backbone(dtype=torch.float32, context_length=32).clip.state_dict())
    desk.words = {MODEL: str(configuration)}
    return desk


def test_the_page_does_what_it_says(archive: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    printed = [archive.run(block) for block in blocks(ROOT / "docs/your-pictures.md") if block.runs]
    assert len(printed) == 4
    assert "val" in capsys.readouterr().err  # the validation folder is the test set, with a word
    assert "grey heron" in printed[-1]
    result = archive.notebook.names["result"]
    assert result.tasks["all"].classes.names == ("grey heron", "white stork", "crane")
    assert [run.spec.method.name for run in depthub.Store(archive.folder / "runs").results()].count("Mine") == 1
    classifier = depthub.load(result)
    assert classifier.classify("new.png", ["heron", "crane"]).class_names == ("heron", "crane")
