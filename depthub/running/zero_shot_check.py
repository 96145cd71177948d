"""Zero-shot CLIP on a data set against what is published: one number that tells whether names, template, pixels and weights are right."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from depthub.data.check_report import LEVELS, Fault
from depthub.data.published.cards import DatasetCard
from depthub.errors import DepthubError
from depthub.running.runner import run
from depthub.spec import BackboneSpec, Component, DataSpec, RunSpec

LEVEL = LEVELS.index("zero shot")
PUBLISHED = BackboneSpec("ViT-B-16-quickgelu", "openai")  # what the published numbers were measured with
ALLOWED = 0.3  # points in accuracy: other versions of Pillow and other precisions move a few images, mistakes move more
REMEDY = "with the levels before it in order, look at template, preprocessing and weights"


def check_zero_shot(card: DatasetCard, root: Path, backbone: BackboneSpec = PUBLISHED) -> tuple[list[Fault], str]:
    """Classify the test images of the base and of the new classes by the hand-written prompts alone.

    Args:
        card: of a data set that plugins provide under the same name, with published zero-shot accuracies.
        root: the data root.
        backbone: other than for trials, `PUBLISHED`.

    Returns:
        What is wrong, and the counts in a line. That the run cannot be done, for want of weights for example, is one fault.
    """
    spec = RunSpec(method=Component("ZeroShot"), data=DataSpec(card.name), backbone=backbone, shots=1)
    try:
        with TemporaryDirectory(prefix="depthub-zero-shot-") as runs:
            counts = run(spec, runs=Path(runs), data_root=root).counts
    except DepthubError as error:
        return [Fault(LEVEL, (card.name,), f"could not be run: {error}", "--backbone.pretrained also takes the path of a checkpoint")], ""
    found, told = [], []
    for half, target in card.zero_shot.items():
        count = counts[half]
        told.append(f"{half} {count.n_correct}/{count.n_total}")
        if abs(count.percent - target.percent) > ALLOWED:
            what = f"{count.percent:.2f} % of {half} are correct ({count.n_correct}/{count.n_total}), published are {target.percent:.2f} %"
            found.append(Fault(LEVEL, (card.name,), what, REMEDY))
    return found, ", ".join(told)
