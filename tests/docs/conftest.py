"""A folder with all that the pages of the documentation take for granted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from depthub.registry.plugins import installed
from tests.docs.blocks import Desk, leave, make_small

COLOURS = {"ardea": (120, 120, 140), "grus": (200, 60, 60), "ciconia": (240, 240, 240)}


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """A desk in a folder of its own, with pictures, names for them, and nothing installed but the built-in plugins."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path / "site")
    make_small(monkeypatch)
    generator = np.random.default_rng(0)
    for name, rgb in COLOURS.items():
        for part, number in (("train", 5), ("val", 4)):
            (tmp_path / "pictures" / part / name).mkdir(parents=True)
            for i in range(number):
                noisy = np.clip(np.array(rgb) + generator.normal(0, 20, (40, 40, 3)), 0, 255).astype(np.uint8)
                Image.fromarray(noisy).save(tmp_path / "pictures" / part / name / f"{i}.jpg")
    for picture in ("new.png", "cat.jpg"):
        Image.new("RGB", (50, 40), COLOURS["grus"]).save(tmp_path / picture)
    (tmp_path / "names.csv").write_text("label,name\nardea,grey heron\ngrus,crane\nciconia,white stork\n")
    installed.cache_clear()
    yield Desk(tmp_path)
    leave(tmp_path / "site")
