"""Small finished runs of four kinds: prompts with DePT, prompts that depend on the image, prompts in both towers, no prompts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import depthub
from depthub.data.own.folder import Folder
from depthub.inference.classifier import Classifier
from depthub.inference.loading import load
from depthub.records.result import RunResult
from depthub.spec import BackboneSpec, Component, DataSpec, RunSpec, Training
from tests.models import write_backbone, write_pictures

KINDS = {
    "CoOp": (Component("CoOp", {"n_ctx": 4}), Component("DePT")),
    "CoCoOp": (Component("CoCoOp"), Component("ITM")),
    "MaPLe": (Component("MaPLe", {"depth": 2}), Component("ITM")),
    "ZeroShot": (Component("ZeroShot"), Component("ITM")),
}
TASKS = ("base", "new")


@dataclass(frozen=True)
class Finished:
    """Runs on one folder of pictures with one backbone.

    Args:
        root: the folder of everything; the runs are in `runs`.
        data: spec of the pictures.
        backbone: spec of the backbone, with absolute paths.
        results: results by method.
    """

    root: Path
    data: DataSpec
    backbone: BackboneSpec
    results: Mapping[str, RunResult]

    @property
    def runs(self) -> Path:
        """The folder of the runs."""
        return self.root / "runs"

    @property
    def pictures(self) -> Path:
        """The folder of the pictures."""
        return Path(self.data.name.removeprefix("folder:"))

    def run_id(self, method: str) -> str:
        """A run's id."""
        return self.results[method].spec.run_id

    def folder(self, method: str) -> Path:
        """A run's folder."""
        folder = self.results[method].folder
        assert folder
        return folder

    def load(self, method: str) -> Classifier:
        """The classifier that a run trained, read from disk."""
        return load(self.folder(method), backbone=self.backbone)

    def tested(self, method: str, task: str) -> list[Path]:
        """The pictures of a test task, in their order."""
        test = Folder(self.pictures).load().test
        classes = self.results[method].tasks[task].classes
        return [self.pictures / name for name in test.restricted_to(list(classes.ids)).ids]


def finish(root: Path, **changes: object) -> Finished:
    """Finish the four runs below a folder; `changes` replaces fields of their specs."""
    data, backbone = write_pictures(root / "pictures"), write_backbone(root / "clip")
    common = {"data": data, "backbone": backbone, "shots": 2, "training": Training(epochs=2, lr=0.02), **changes}
    specs = {name: RunSpec(method=method, head=head, **common) for name, (method, head) in KINDS.items()}  # type: ignore[arg-type]
    results = {name: depthub.run(spec, runs=root / "runs") for name, spec in specs.items()}
    return Finished(root, data, backbone, results)
