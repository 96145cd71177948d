"""Image features, computed once where the image tower is not tuned: for all runs of this process, and on disk for later ones.

A feature is looked up in memory, then on disk, and encoded only if it is in neither; `feature_key` says by which key.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import cached_property
from time import perf_counter
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Subset, TensorDataset

from depthub.compute.processes import broadcast, gathered, share
from depthub.data.dataset import Examples, Fingerprinting
from depthub.data.loader import OnProgress, on_device
from depthub.data.views import CROP, PerEpoch, Transform, Views, transform
from depthub.encoding.backbone import Backbone
from depthub.encoding.feature_key import Encoder, View, kind, row_keys
from depthub.encoding.recent_features import RecentFeatures
from depthub.spec import BackboneSpec
from depthub.system import launch
from depthub.system.disk_cache import Cache

BATCH = 100  # images encoded at a time
# Fewest images encoded at a time. Matrix products of one to four rows add up in another order than larger ones: the features of an image
# would depend on the number of images encoded with it, hence on earlier runs.
LEAST = 8
PIECE = 5000  # images after which new features go to disk: an interruption costs no more than that
MEMORY = 10**9  # bytes of features in the memory of this process


class ImageFeatures:
    """Features of images from one frozen backbone, encoded in the backbone's own precision.

    Args:
        backbone: is not tuned while this lives.
        spec: the backbone was loaded from it; with the digest of the weights it names the backbone on disk.
        cache: holds features beyond this process, for readers that are `Fingerprinting`.
    """

    def __init__(self, backbone: Backbone, spec: BackboneSpec, cache: Cache | None = None) -> None:
        self.backbone, self.cache = backbone, cache
        self._spec = spec.without_folders()
        self._recent = RecentFeatures(MEMORY)
        self.seconds = 0.0  # of encoding so far

    def of(self, examples: Examples, workers: int = 0, on_progress: OnProgress | None = None) -> TensorDataset:
        """Features (N, d) under the test transform, not normalised, with labels (N,), on the CPU.

        Args:
            examples: N images; new ones are encoded now, by all processes that share the run.
            workers: processes that read them.
            on_progress: called after each batch with the number of images encoded, as far as this process knows, and of all new ones.
        """
        return TensorDataset(self._rows(examples, None, workers, on_progress), torch.tensor(examples.labels))

    def of_views(self, examples: Examples, view: View, workers: int = 0, on_progress: OnProgress | None = None) -> Tensor:
        """Features (N, d), not normalised, on the CPU, of the random views that `Views` gives with this seed and crop in this epoch."""
        return self._rows(examples, view, workers, on_progress)

    @cached_property
    def _weights(self) -> str:
        return self.backbone.digest()

    def _rows(self, examples: Examples, view: View | None, workers: int, on_progress: OnProgress | None) -> Tensor:
        """Features (N, d). The main process looks them up; all processes encode a share of the missing ones, and all get everything."""
        rank, processes = launch.place()
        stored = _StoredFeatures(self, examples, view) if rank == 0 else None
        missing = broadcast(stored.missing if stored else [])
        for start in range(0, len(missing), PIECE):
            rows = missing[start : start + PIECE]
            part = share(len(rows), rank, processes, BATCH)  # whole batches: an image is encoded among the same others as by one process

            def progress(done: int, before: int = start, most: int = len(rows)) -> None:
                if on_progress:
                    on_progress(before + min(processes * done, most), len(missing))

            since = perf_counter()
            encoded = torch.cat(gathered(self._encode(examples, view, rows[part.start : part.stop], workers, progress)))
            self.seconds += perf_counter() - since
            if stored:
                stored.add(rows, encoded)
        return broadcast(stored.rows() if stored else torch.empty(0))

    def _kind(self, examples: Examples, view: View | None) -> dict[str, Any]:
        scale = self.backbone.scale
        encoder = Encoder(self._spec, self._weights, str(scale.dtype), scale.device.type, LEAST)
        return kind(encoder, examples.source, repr(self._transform(view)), view)

    def _transform(self, view: View | None) -> Transform:
        crop = view[2] if view and len(view) == 3 else CROP
        return transform(self.backbone.image_size, self.backbone.image_statistics, augment=view is not None, crop=crop)

    def _encode(self, examples: Examples, view: View | None, rows: list[int], workers: int, progress: Callable[[int], None]) -> Tensor:
        """Features of these rows, (n, d), on the CPU; for no rows (0, d)."""
        pixels = Views(examples, self._transform(view), view[0] if view else 0)
        pixels.epoch = view[1] if view else 0
        done, encoded = 0, [torch.empty(0, self.backbone.dim, dtype=self.backbone.scale.dtype)]
        for batch, _ in on_device(DataLoader(Subset(pixels, rows), batch_size=BATCH, num_workers=workers), self.backbone.scale.device):
            encoded.append(self._features(batch))
            done += len(batch)
            progress(done)
        return torch.cat(encoded)

    def _features(self, batch: Tensor) -> Tensor:
        """Of pixels (B, 3, H, W), on the CPU; a few images are encoded together with copies of them."""
        padded = batch if len(batch) >= LEAST else batch[torch.arange(LEAST) % len(batch)]
        return self.backbone.encode_image(padded).cpu()[: len(batch)]


class _StoredFeatures:
    """Features of the examples in this process's memory and on disk, and new ones as they join them.

    Args:
        features: gives memory and disk.
        examples: N images.
        view: of them.

    Attributes:
        missing: rows of the examples without a feature.
    """

    def __init__(self, features: ImageFeatures, examples: Examples, view: View | None) -> None:
        self._recent = features._recent
        self._keys = row_keys(examples, view, features.backbone.scale.device.type)
        self._features: dict[Hashable, Tensor] = self._recent.find(self._keys)
        self._cache = features.cache if isinstance(examples.read, Fingerprinting) else None
        self._kind: dict[str, Any] = {}
        if self._cache and len(self._features) < len(self._keys):
            self._kind = features._kind(examples, view)
            lacking = {key for key in self._keys if isinstance(key, str) and key not in self._features}
            self._features.update({key: torch.from_numpy(row) for key, row in self._cache.find(self._kind, lacking).items()})
        self.missing = [row for row, key in enumerate(self._keys) if key not in self._features]

    def add(self, rows: list[int], encoded: Tensor) -> None:
        """Features (n, d) of these rows."""
        self._features.update(zip([self._keys[row] for row in rows], encoded, strict=True))
        if self._cache:
            self._cache.add(self._kind, [str(self._keys[row]) for row in rows], encoded.numpy())

    def rows(self) -> Tensor:
        """All of them, (N, d), and the most recently used from now on."""
        self._recent.use(self._features)
        return torch.stack([self._features[key] for key in self._keys])


class ViewFeatures(PerEpoch):
    """Features, with labels, of the random views that `Views` gives of the same examples with the same seed.

    Setting `epoch` looks up or encodes the features of that epoch; it must be set before the first item is read.

    Args:
        features: of the backbone.
        examples: N images.
        seed: of the views.
        workers: processes that read images.
        on_progress: called as by `ImageFeatures.of`, in every epoch.
        crop: least share of a picture's area in a random crop.
    """

    def __init__(
        self,
        features: ImageFeatures,
        examples: Examples,
        seed: int,
        workers: int = 0,
        on_progress: OnProgress | None = None,
        crop: float = CROP,
    ) -> None:
        self._features, self._examples, self._seed, self._workers, self._on_progress = features, examples, seed, workers, on_progress
        self._crop = () if crop == CROP else (crop,)

    @property
    def epoch(self) -> int:
        return self._epoch

    @epoch.setter
    def epoch(self, epoch: int) -> None:
        self._epoch = epoch
        self._rows = self._features.of_views(self._examples, (self._seed, epoch, *self._crop), self._workers, self._on_progress)

    def __len__(self) -> int:
        return len(self._examples)

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        return self._rows[i], self._examples.labels[i]
