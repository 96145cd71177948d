"""A model whose files were left behind."""

from __future__ import annotations

from pathlib import Path

from depthub import NamedBackbone

LOST = NamedBackbone(
    "lost", model=str(Path(__file__).parent / "nowhere/clip.json"), pretrained="random", summary="files that are not there"
)
