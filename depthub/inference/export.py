"""A trained run for use without depthub: its prompts with the words nearest to them, and its classifier as a program of torch."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from depthub.compute import linear
from depthub.encoding.backbone import Backbone
from depthub.errors import DepthubError
from depthub.inference.classifier import Classifier
from depthub.inference.input_images import Picture
from depthub.inference.replay import encodings_of, with_texts
from depthub.system.activity import tell
from depthub.system.files import atomic_write
from depthub.training.tuner import Tuner
from depthub.types import ClassSet, Prompts

PROMPTS, WORDS, PROGRAM, DESCRIPTION = "prompts.safetensors", "prompts.json", "classifier.pt2", "classifier.json"
NEAREST = 5  # words named for each learned token
CLOSE = 1e-4  # relative to the largest score of an image: between the program's scores and the classifier's
_RANDOM = (1, 2, 7)  # images of random pixels that the program is tried on at a time
_PIECE = 2**24  # distances computed at a time


def export_prompts(classifier: Classifier, folder: Path) -> list[Path]:
    """Write a run's learned prompts, and for each token of the input layer the words nearest to it.

    `prompts.safetensors` holds `text.L`, (n, w) or (M, n, w), and `image.L`, (n, w_v), for each layer L that has prompts; `prompts.json`
    the `NEAREST` words of the vocabulary for each of the n tokens of `text.0`, nearest first, with their Euclidean distances in the token
    embedding. Deeper layers have no words, since no embedding leads there.

    Args:
        classifier: of the run, see `depthub.load`.
        folder: for the two files.

    Raises:
        DepthubError: for a method without learned prompts, or with prompts that depend on the image.
    """
    classifier.require_static_text("it has no prompts of its own to export")
    encodings = encodings_of(classifier.tuner, _blank(classifier), classifier.stage.classes)
    text, image = next(iter(encodings.text_prompts), Prompts()), next(iter(encodings.image_prompts), ())
    layers = {"text": text.text, "image": image}
    tensors = {f"{tower}.{i}": _plain(layer) for tower, learned in layers.items() for i, layer in enumerate(learned) if layer is not None}
    if not tensors:
        raise DepthubError(f"{classifier.result.spec.method.name} learns no prompts; there are none to export")
    described = {
        "run_id": classifier.result.spec.run_id,
        "position": text.position,
        "words": text.words,
        "layers": {name: list(tensor.shape) for name, tensor in tensors.items()},
        "nearest_words": _nearest_words(classifier.tuner.backbone, tensors["text.0"]) if text.text else [],
    }
    return [atomic_write(folder / PROMPTS, save(tensors)), atomic_write(folder / WORDS, _json(described))]


def export_classifier(
    classifier: Classifier,
    folder: Path,
    class_names: Sequence[str] | None = None,
    *,
    task: str = "",
    images: Sequence[Picture] = (),
) -> list[Path]:
    """Write a run's classifier as a program that `torch.export.load` reads, from pixels (B, 3, H, W) to scores (B, M), B free, in fp32.

    The class features are constants in it; `classifier.json` beside it has the class names in the order of the scores, and what the
    pixels must be. Before anything is written, the program is read from its bytes and compared with the classifier, on random pixels
    and on `images`.

    Args:
        classifier: of the run, see `depthub.load`.
        folder: for the two files.
        class_names, task: the classes to tell apart, as in `Classifier.classify`.
        images: pictures to compare on.

    Raises:
        DepthubError: for a method with text features that depend on the image, code that torch cannot export, or a program that scores
            images unlike the classifier.
    """
    classifier.require_static_text("only a classifier with fixed text features can be exported")
    classes = classifier.classes(class_names, task)
    pixels = classifier.pixels(images) if len(images) else torch.empty(0, 3, *classifier.tuner.backbone.image_size)
    with _on_cpu(classifier.tuner), torch.no_grad(), linear.use_backend("torch"):
        tell("exporting the classifier")
        content = _program(classifier, classes)
        tell("comparing the exported program with the classifier")
        compared = _compared(classifier, classes, content, pixels)
    described = _json(_described(classifier, classes) | compared)
    return [atomic_write(folder / PROGRAM, content), atomic_write(folder / DESCRIPTION, described)]


class _Scores(nn.Module):
    """A tuner for one class set, as a function of pixels alone."""

    def __init__(self, tuner: Tuner, classes: ClassSet) -> None:
        super().__init__()
        self.tuner, self.classes = tuner, classes

    def forward(self, pixels: Tensor) -> Tensor:
        scores: Tensor = self.tuner(pixels, self.classes)
        return scores


def _program(classifier: Classifier, classes: ClassSet) -> bytes:
    """The exported program, as a file's content."""
    sample = torch.zeros(2, 3, *classifier.tuner.backbone.image_size)
    texts = encodings_of(classifier.tuner, sample, classes).texts
    scores, batch = _Scores(with_texts(classifier.tuner, texts), classes).eval(), torch.export.Dim("batch", min=1)
    content = BytesIO()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's remarks on its own tracing; the outcome is compared
            program = torch.export.export(scores, (sample,), dynamic_shapes=({0: batch},), strict=True)
            torch.export.save(program, content)
    except Exception as error:  # method, head and tower may be of any plugin
        name = classifier.result.spec.method.name
        raise DepthubError(f"torch cannot export {name}: {type(error).__name__}: {' '.join(str(error).split())[:200]}") from error
    return content.getvalue()


def _compared(classifier: Classifier, classes: ClassSet, content: bytes, images: Tensor) -> dict[str, Any]:
    """The number of images that program and classifier were compared on, and the largest difference relative to an image's largest score.

    Raises:
        DepthubError: if scores differ by more than `CLOSE`, or predictions differ at all.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.load(BytesIO(content)).module()
    generator = torch.Generator().manual_seed(0)
    random = [torch.randn(number, *images.shape[1:], generator=generator) for number in _RANDOM]
    largest = 0.0
    for pixels in (*random, *(torch.split(images, 100) if len(images) else ())):
        expected, exported = classifier.tuner(pixels, classes), program(pixels)
        largest = max(largest, float(((exported - expected).abs() / expected.abs().amax(dim=1, keepdim=True)).max()))
        if largest > CLOSE or not torch.equal(exported.argmax(dim=1), expected.argmax(dim=1)):
            raise DepthubError(
                f"the exported program gives other scores than the classifier, up to {largest:.1e} of the largest; not written"
            )
    return {"compared": {"random": sum(_RANDOM), "images": len(images), "largest_relative_difference": largest}}


def _described(classifier: Classifier, classes: ClassSet) -> dict[str, Any]:
    backbone = classifier.tuner.backbone
    mean, std = backbone.image_statistics
    pixels = {"shape": ["B", 3, *backbone.image_size], "mean": list(mean), "std": list(std), "resize": "bicubic, shorter edge, centre crop"}
    probabilities = classifier.tuner.gives_probabilities(classes)
    return {
        "run_id": classifier.result.spec.run_id,
        "classes": list(classes.names),
        "pixels": pixels,
        "scores": "probabilities" if probabilities else "logits",
    }


def _nearest_words(backbone: Backbone, context: Tensor) -> list[Any]:
    """For each token (w,) of a context (n, w), or of one for each class (M, n, w), the nearest words with their distances."""
    if context.ndim == 3:
        return [_nearest_words(backbone, of_class) for of_class in context]
    vocabulary = backbone.text.token_embedding.weight.detach().float().cpu()
    pieces = torch.split(context, max(1, _PIECE // len(vocabulary)))
    distances, ids = torch.cat([torch.cdist(piece, vocabulary, compute_mode="donot_use_mm_for_euclid_dist") for piece in pieces]).topk(
        NEAREST, largest=False
    )
    decode = backbone.tokenizer.decode
    return [
        [{"word": decode([number]).strip(), "distance": round(distance, 4)} for number, distance in zip(*row, strict=True)]
        for row in zip(ids.tolist(), distances.tolist(), strict=True)
    ]


@contextmanager
def _on_cpu(tuner: Tuner) -> Iterator[None]:
    """Have the model on the CPU in the block, so that the program names no other device."""
    device = tuner.backbone.scale.device
    tuner.to("cpu")
    try:
        yield
    finally:
        tuner.to(device)


def _blank(classifier: Classifier) -> Tensor:
    """One black image as the method reads it."""
    return classifier.inputs(torch.zeros(1, 3, *classifier.tuner.backbone.image_size)).to(classifier.accelerator.device)


def _plain(layer: Tensor) -> Tensor:
    """A layer's prompt as it is saved: without the dimensions of groups that hold one."""
    while layer.ndim > 2 and layer.shape[0] == 1:
        layer = layer[0]
    return layer.detach().float().cpu().contiguous()


def _json(values: Mapping[str, Any]) -> bytes:
    return (json.dumps(values, indent=1, ensure_ascii=False) + "\n").encode(errors="surrogatepass")
