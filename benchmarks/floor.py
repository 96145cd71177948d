"""The least number of floating-point operations in a step, by counting."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from benchmarks.cases import Case, backbone, parts
from depthub import PromptMethod
from depthub.encoding.image_tower import ImageTower
from depthub.encoding.sentences import write


def floor(sentences: Sequence[Sequence[int]], width: int, layers: int, dim: int) -> int:
    """Operations of the text tower, forward and backward, in one step with a context that enters at the input.

    A row is a distinct beginning of a sentence with a learned token; tokens before it have no gradient and never change. Multiply
    and add count as two. One row passes a w x w map in 2 w^2; a layer has 3 of these for queries, keys and values, 1 behind the attention
    and 8 in its MLP: 24 w^2. The backward pass costs the same again, since weights have no gradient.

    - First layer: queries, keys and values of tokens that are not learned are constants, which leaves 18 w^2.
    - Last layer: only keys and values, 4 w^2, except for the end tokens, with 20 w^2 more.
    - Attention: a query and a key that it attends to cost 2 w for the score and 2 w for the value; backward 2 w for each of four
      gradients.
      A token attends to those up to itself; in the last layer only the end tokens do.
    - Projection: 2 w d per end token, and the same backward.

    Args:
        sentences: the classes' symbols, negative for learned tokens, as `Sentences.symbols` gives them.
        width: w.
        layers: of the text tower, at least 2.
        dim: d, of the joint space.
    """
    rows = {tuple(s[: i + 1]) for s in sentences for i in range(len(s)) if min(s[: i + 1]) < 0}
    linear = sum(24 * (layers - 1) + 4 - 6 * (row[-1] >= 0) for row in rows) + 20 * len(sentences)
    pairs = (layers - 1) * sum(map(len, rows)) + sum(map(len, sentences))
    return 2 * linear * width**2 + 12 * pairs * width + 4 * len(sentences) * width * dim


def image_floor(width: int, layers: int, tokens: int, patch: int, dim: int, depth: int = 0, n: int = 0) -> int:
    """Operations that each image adds: forward, and backward if there are prompts.

    The last layer's output is needed at the class token alone. Prompts that a later layer overwrites are the same for all images: their
    cost does not grow with the images, so it is not counted here, and their outputs are discarded. Before the first prompt
    nothing has a gradient.

    Args:
        width: w.
        layers: of the image tower, at least 2.
        tokens: patches and class token.
        patch: numbers in a patch.
        dim: d, of the joint space.
        depth: layers with prompts, the input included.
        n: prompts per layer.
    """
    both, attended = (2, 6) if depth else (1, 2)  # a gradient costs a linear map once more, and attention twice
    macs = (tokens - 1) * patch * width + both * width * dim
    for i in range(layers):
        last = i == layers - 1
        rows = tokens + (n if 0 < depth < i + 1 else 0)  # that enter the layer for each image
        out = 1 if last else tokens + (n if 0 < depth <= i + 1 else 0)
        macs += width**2 * ((2 * rows + 1) if last else 3 * rows) * (both if i else 1)  # queries, keys, values; constants in the first
        macs += both * 9 * width**2 * out + attended * out * (tokens + (n if depth else 0)) * width
        if i == 0 and depth > 1:  # constant queries have no gradient
            macs -= out * (tokens + n) * width
    return 2 * macs


def step_gflop(case: Case) -> float:
    """The floor of a training step in 10^9 operations; heads and small networks of the methods are left out."""
    model = backbone(case.backbone)
    method, _ = parts(model, case.method, case.classes)
    image = torch.zeros(1, model.dim) if isinstance(method, PromptMethod) and method.needs_image else None
    prompts = method.prompts_for(model, case.classes, image)
    sentences = write(model.tokenizer, model.context_length, case.classes, prompts.n, prompts.position, prompts.words)
    groups = case.batch if image is not None else 1
    fewest = groups * floor(sentences.symbols(per_class=False), model.text_width, model.text_depth, model.dim)
    if case.pixels:
        tower = ImageTower.of(model.clip.visual)
        height, patch = model.image_size[0], model.clip.visual.patch_size[0]
        prompted = (len(prompts.image), prompts.image[0].shape[0]) if prompts.image else (0, 0)
        each = image_floor(tower.width, len(tower.blocks), (height // patch) ** 2 + 1, 3 * patch**2, model.dim, *prompted)
        fewest += case.batch * each
    return fewest / 1e9
