"""Refusals of prompts that the backbone cannot read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from depthub.encoding.sentences import POSITIONS
from depthub.errors import DepthubError
from depthub.types import Prompts


class PromptsError(DepthubError):
    """Prompts that the backbone cannot read.

    Args:
        description: of the prompts.
        expected: description of prompts that it can read.
    """

    def __init__(self, description: str, expected: str) -> None:
        super().__init__(f"{description}, expected {expected}")
        self.description, self.expected = description, expected


def check_form(prompts: Any) -> None:
    """Refuse everything but `Prompts` with a position and words.

    Raises:
        PromptsError: if it is something else.
    """
    if not isinstance(prompts, Prompts):
        raise PromptsError(f"a {type(prompts).__name__}", "Prompts")
    if prompts.position not in POSITIONS or not isinstance(prompts.words, str):
        raise PromptsError(f"position {prompts.position!r} and words {prompts.words!r}", f"one of {', '.join(POSITIONS)}, and a text")


def check_layers(tower: str, layers: Any, width: int, device: torch.device, classes: int | None = None) -> None:
    """Refuse learned tokens that cannot be written into a tower's layers.

    Args:
        tower: "text" or "image".
        layers: the tower's list in `Prompts`.
        width: w of the tower's tokens.
        device: of the model.
        classes: M, where there may be tokens for each class and group.

    Raises:
        PromptsError: for anything but floating-point tensors of such a shape, of equally many tokens, on the device, and None for
            layers without new ones.
    """
    if isinstance(layers, Tensor) or not isinstance(layers, Sequence | nn.ParameterList):
        raise PromptsError(f"{tower} prompts that are a {type(layers).__name__}", "a list of tensors, one per layer")
    first: Any = next((prompt for prompt in layers if prompt is not None), None)
    if len(layers) and first is None:
        raise PromptsError(f"{tower} prompts that are all None", "tokens for one layer at least, or an empty list")
    for number, prompt in enumerate(layers):
        if prompt is None:
            continue
        if not isinstance(prompt, Tensor) or not prompt.is_floating_point() or not _writable(prompt.shape, width, classes):
            shapes = f"(n, {width})" + ("" if classes is None else f", ({classes}, n, {width}) or (G, {classes}, n, {width})")
            raise PromptsError(
                f"{tower} prompt {number} as a {_described(prompt)}", f"a floating-point tensor {shapes} with n of at least 1"
            )
        if prompt.shape[-2] != first.shape[-2]:
            raise PromptsError(f"{tower} prompts of {first.shape[-2]} and {prompt.shape[-2]} tokens", "as many in every layer")
        if prompt.device != device:
            raise PromptsError(f"{tower} prompt {number} on {prompt.device}", f"{device}, where the backbone is")


def check_depth(tower: str, prompts: int, layers: int) -> None:
    """Refuse prompts for more layers than a tower has.

    Raises:
        DepthubError: if there are more.
    """
    if prompts > layers:
        raise DepthubError(f"prompts for {prompts} layers of the {tower} tower, which has {layers}: lower the depth")


def _described(prompt: Any) -> str:
    shape = f" of {prompt.dtype} and the shape {tuple(prompt.shape)}" if isinstance(prompt, Tensor) else ""
    return f"{type(prompt).__name__}{shape}"


def _writable(shape: Sequence[int], width: int, classes: int | None) -> bool:
    """Whether tokens of this shape have the width, are at least one per sentence, and are common to all classes or one set for each."""
    if not 2 <= len(shape) <= (3 if classes is None else 4) or shape[-1] != width or shape[-2] < 1:
        return False
    return len(shape) == 2 or shape[-3] in (1, classes)
