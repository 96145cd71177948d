"""Zero-shot CLIP compared with published accuracies: one number that shows whether names, template, pixels and weights are right."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from depthub.data.check_report import LEVELS, Fault
from depthub.data.published.cards import DatasetCard
from depthub.errors import DepthubError
from depthub.running.runner import run
from depthub.spec import BackboneSpec, Component, DataSpec, RunSpec

LEVEL = LEVELS.index("zero shot")
PUBLISHED = BackboneSpec("ViT-B-16-quickgelu", "openai")  # of the published numbers
ALLOWED = 0.3  # points in accuracy: other versions of Pillow and other precisions move a few images, mistakes move more
REMEDY = "with the levels before it in order, look at template, preprocessing and weights"


def check_zero_shot(card: DatasetCard, root: Path, method: Component, backbone: BackboneSpec = PUBLISHED) -> tuple[list[Fault], str]:
    """Classify the test images of the base and of the new classes by the hand-written prompts alone.

    Args:
        card: of a data set that plugins provide under the same name, with published zero-shot accuracies.
        root: the data root.
        method: that scores by the hand-written prompts.
        backbone: use `PUBLISHED` except in tests.

    Returns:
        Faults, and the counts in one line. A run that cannot be done, because weights are missing for example, counts as one fault.
    """
    spec = RunSpec(method=method, data=DataSpec(card.name), backbone=backbone, shots=1)
    try:
        with TemporaryDirectory(prefix="depthub-zero-shot-") as runs:
            counts = run(spec, runs=Path(runs), data_root=root).counts
    except DepthubError as error:
        return [Fault(LEVEL, (card.name,), f"could not be run: {error}", "--backbone.pretrained also takes the path of a checkpoint")], ""
    faults, counts_by_half = [], []
    for half, target in card.zero_shot.items():
        count = counts[half]
        counts_by_half.append(f"{half} {count.n_correct}/{count.n_total}")
        if abs(count.percent - target.percent) > ALLOWED:
            correct = f"{count.percent:.2f} % of {half} are correct ({count.n_correct}/{count.n_total})"
            faults.append(Fault(LEVEL, (card.name,), f"{correct}, published are {target.percent:.2f} %", REMEDY))
    return faults, ", ".join(counts_by_half)
