"""The embedded default: rendered data sets and a small CLIP that was pre-trained on the world they come from."""

from __future__ import annotations

from pathlib import Path

from depthub import DataSet, NamedBackbone, NamedTexts, hookimpl

WEIGHTS, TEXTS = Path(__file__).parent / "weights", Path(__file__).parent / "texts.json"


@hookimpl
def depthub_datasets() -> list[DataSet]:
    from depthub_shapes.datasets import Digits, Rendered, kinds

    return [*(Rendered(name) for name in kinds()), Digits()]


@hookimpl
def depthub_backbones() -> list[NamedBackbone]:
    return [NamedBackbone("shapes", f"local-dir:{WEIGHTS}", summary="a small CLIP for the rendered data sets")]


@hookimpl
def depthub_texts() -> list[NamedTexts]:
    return [NamedTexts("shapes", str(TEXTS), summary="three short texts for each class of the embedded boards")]
