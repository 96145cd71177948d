"""Class features of a run's test tasks, where they do not depend on the image: images can be scored with them without the text tower."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from depthub.errors import DepthubError
from depthub.training.tuner import Tuner
from depthub.types import ClassSet

FILE = "classifier.safetensors"
SCALE = "scale"


@torch.no_grad()
def text_of(tuner: Tuner, images: Tensor, classes: ClassSet) -> tuple[Tensor | None, tuple[tuple[str, ...], ...]]:
    """Class features, and the sentences that they were computed from.

    Args:
        tuner: trained.
        images: a few, as the method takes them: pixels (B, 3, H, W) or features (B, d).
        classes: the M classes.

    Returns:
        Features (M, d), not normalised, on the CPU; None where they depend on the image. Then, for each template, the M sentences, with `X`
        for a learned token: "X X X X cat."; empty where the method does not encode one sentence per class.
    """
    tuner.eval()
    with tuner.backbone.noting() as encodings:
        text = tuner.method.features(tuner.backbone, images, classes).text
    sentences = tuple(dict.fromkeys(sentences for sentences in encodings if len(sentences) == len(classes)))
    return (None if tuner.method.needs_image or text.ndim > 2 else text.detach().cpu().contiguous()), sentences


def dumps(by_task: Mapping[str, Tensor], scale: Tensor) -> bytes:
    """A file of safetensors: `TASK/text`, (M, d) each, and CLIP's `scale`, ()."""
    tensors = {f"{task}/text": text for task, text in by_task.items()} | {SCALE: scale.detach().cpu()}
    content: bytes = save(tensors)
    return content


def read(path: Path) -> tuple[dict[str, Tensor], Tensor]:
    """Class features by task, and the scale.

    Raises:
        DepthubError: if the file cannot be read, or is damaged.
    """
    try:
        tensors = load(path.read_bytes())
        scale = tensors.pop(SCALE)
    except OSError as error:
        raise DepthubError(f"cannot read {path}: {error.strerror or error}") from error
    except (SafetensorError, KeyError) as error:
        raise DepthubError(f"{path} is damaged: {' '.join(str(error).split())}; delete the run's folder and run it again") from error
    return {name.removesuffix("/text"): text for name, text in tensors.items()}, scale
