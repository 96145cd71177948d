"""Class indices as text: for each as many bits as the number of classes needs, in base64.

Three images among five classes, predicted as 4, 0 and 2, need three bits each: 100 000 010. Filled up with zeros to whole bytes these are
10000001 00000000, in base64 "gQA=". Images and classes give the text's length, so that a damaged text costs no more memory than its size.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

MOST_IMAGES = 2**24  # of a task


def pack(indices: NDArray[np.int32] | Sequence[int], n_classes: int) -> str:
    """The text of N indices below `n_classes`."""
    bits = _bits(n_classes)
    places = np.arange(bits - 1, -1, -1)
    flags = (np.asarray(indices, np.int64)[:, None] >> places) & 1
    return base64.b64encode(np.packbits(flags.astype(np.uint8)).tobytes()).decode()


def unpack(text: str, n_images: int, n_classes: int) -> NDArray[np.int32]:
    """The indices of a text, (n_images,).

    Raises:
        ValueError: if the text is not one that `pack` gives for so many images and classes.
    """
    bits = _bits(n_classes)
    n_bytes = (n_images * bits + 7) // 8
    content = base64.b64decode(text, validate=True)
    if n_images > MOST_IMAGES or len(content) != n_bytes:
        raise ValueError(f"not the indices of {n_images} images among {n_classes} classes, but {len(content)} bytes")
    all_bits = np.unpackbits(np.frombuffer(content, np.uint8))
    if all_bits[n_images * bits :].any() or base64.b64encode(content).decode() != text:
        raise ValueError(f"not the text that indices of {n_images} images among {n_classes} classes have")
    flags = all_bits[: n_images * bits].reshape(n_images, bits)
    indices = np.zeros(n_images, np.int32)
    for place in range(bits):
        indices = (indices << 1) | flags[:, place]
    if indices.max(initial=0) >= n_classes:
        raise ValueError(f"indices that are not those of {n_classes} classes")
    return indices


def _bits(n_classes: int) -> int:
    return max(1, (n_classes - 1).bit_length())
