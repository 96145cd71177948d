"""The key of an image feature: everything that its numbers depend on, in two parts.

The kind describes the dependences that many images have in common, as plain data; it names a file of the cache on disk
(`system.disk_cache`). A row key tells an image from all others of that kind:

    kind      data set, backbone with the digest of its weights, transform, seed and epoch of random views, precision, kind of device,
              fewest images encoded together, versions of the packages that make pixels and features
    row key   SHA-256 of "VIEW DEVICE PLACE FINGERPRINT", the last one of the picture itself; a view is "(SEED, EPOCH)", or
              "(SEED, EPOCH, CROP)" with other crops than the usual ones

Caches on users' disks stay valid as long as neither changes; a test compares both with stored ones.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from depthub.data.dataset import Examples, fingerprints
from depthub.spec import BackboneSpec
from depthub.system.provenance import version

PACKAGES = ("numpy", "open_clip_torch", "pillow", "torch", "torchvision")  # they make pixels and features

View = tuple[int, int] | tuple[int, int, float]  # (seed, epoch) of random views, and their least crop if it is not the usual one


@dataclass(frozen=True)
class Encoder:
    """The model's part of a kind.

    Args:
        backbone: the spec of the backbone, without folders.
        weights: digest of the model as it is in memory.
        dtype: of its parameters, for example "torch.float32".
        device: kind of its device; each kind rounds in its own way.
        least: fewest images encoded together.
    """

    backbone: BackboneSpec
    weights: str
    dtype: str
    device: str
    least: int


def kind(encoder: Encoder, source: str, transform: str, view: View | None) -> dict[str, Any]:
    """The dependences of features besides the picture, fit for JSON.

    Args:
        encoder: computes them.
        source: name of the data set.
        transform: from picture to pixels, written out.
        view: None for the test transform.
    """
    return {
        "data": source,
        "backbone": {**asdict(encoder.backbone), "weights": encoder.weights},
        "transform": transform,
        "view": {"seed": view[0], "epoch": view[1]} if view else None,
        "dtype": encoder.dtype,
        "device": encoder.device,
        "least": encoder.least,
        "packages": {name: version(name) for name in PACKAGES},
    }


def row_keys(examples: Examples, view: View | None, device: str) -> Sequence[Hashable]:
    """A key for each image, different from those of all other images; strings, which other processes understand too, if the reader of the
    images is `Fingerprinting`."""
    prints = fingerprints(examples)
    places = range(len(examples)) if view else [0] * len(examples)  # a random view depends on its image's place
    if prints is None:
        return [(view, device, place, examples.read, name) for place, name in zip(places, examples.ids, strict=True)]
    texts = (f"{view} {device} {place} {of_image}" for place, of_image in zip(places, prints, strict=True))
    return [hashlib.sha256(text.encode()).hexdigest() for text in texts]
