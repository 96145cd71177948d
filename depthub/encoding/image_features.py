"""Image features, computed once where the image tower is not tuned: for all runs of this process, and on disk for those that follow."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from time import perf_counter
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Subset, TensorDataset

from depthub.compute.processes import gathered, share, told
from depthub.data.dataset import Examples, Fingerprinting, fingerprints
from depthub.data.loader import OnProgress, on_device
from depthub.data.views import PerEpoch, Views, transform
from depthub.encoding.backbone import Backbone
from depthub.spec import BackboneSpec, RunSpec
from depthub.system import launch
from depthub.system.disk_cache import Cache
from depthub.system.provenance import version

BATCH = 100  # images encoded at a time
# Images encoded at a time at the least. Matrix products of one to four rows add up in another order than larger ones: the features of an
# image would depend on how many others were not known yet, hence on what ran before.
LEAST = 8
PIECE = 5000  # images after which what was encoded goes to disk: an interruption costs no more than that
MEMORY = 10**9  # bytes of features kept in this process
PACKAGES = ("numpy", "open_clip_torch", "pillow", "torch", "torchvision")  # they make pixels and features

View = tuple[int, int]  # (seed, epoch) of random views


class ImageFeatures:
    """What one frozen backbone sees in images, encoded in the backbone's own precision.

    Args:
        backbone: is not tuned while this lives.
        spec: what the backbone was loaded from; with its weights' digest it names the backbone on disk.
        cache: keeps features beyond this process, for readers that are `Fingerprinting`.
    """

    def __init__(self, backbone: Backbone, spec: BackboneSpec, cache: Cache | None = None) -> None:
        self.backbone, self.cache = backbone, cache
        self._spec = RunSpec(backbone=spec).without_places().backbone
        self._recent = _Recent(MEMORY)
        self.seconds = 0.0  # of encoding so far
        size, statistics = backbone.image_size, backbone.image_statistics
        self._transforms = {augment: transform(size, statistics, augment=augment) for augment in (False, True)}

    def of(self, examples: Examples, workers: int = 0, on_progress: OnProgress | None = None) -> TensorDataset:
        """Features (N, d) under the test transform, not normalised, with labels (N,), on the CPU.

        Args:
            examples: N images; those not seen before are encoded now, by all processes that share the run.
            workers: processes that read them.
            on_progress: told the number of images encoded, as far as this process can tell, and of those to encode, after each batch.
        """
        return TensorDataset(self._rows(examples, None, workers, on_progress), torch.tensor(examples.labels))

    def of_views(self, examples: Examples, seed: int, epoch: int, workers: int = 0, on_progress: OnProgress | None = None) -> Tensor:
        """Features (N, d), not normalised, on the CPU, of the random views that `Views` gives in this epoch."""
        return self._rows(examples, (seed, epoch), workers, on_progress)

    @cached_property
    def _weights(self) -> str:
        return self.backbone.digest()

    def _rows(self, examples: Examples, view: View | None, workers: int, on_progress: OnProgress | None) -> Tensor:
        """The main process knows what was encoded before; all have their share of the rest, and get everything."""
        rank, processes = launch.place()
        known = _Known(self, examples, view) if rank == 0 else None
        unseen = told(known.unseen if known else [])
        for start in range(0, len(unseen), PIECE):
            rows = unseen[start : start + PIECE]
            own = share(len(rows), rank, processes, BATCH)  # whole batches: an image is encoded among the same others as by one process

            def progress(done: int, before: int = start, most: int = len(rows)) -> None:
                if on_progress:
                    on_progress(before + min(processes * done, most), len(unseen))

            since = perf_counter()
            encoded = torch.cat(gathered(self._encode(examples, view, rows[own.start : own.stop], workers, progress)))
            self.seconds += perf_counter() - since
            if known:
                known.add(rows, encoded)
        return told(known.rows() if known else torch.empty(0))

    def _keys(self, examples: Examples, view: View | None) -> Sequence[Hashable]:
        """What tells an image's features from all others of this backbone; a string where it may be told to other processes."""
        device, prints = self.backbone.scale.device.type, fingerprints(examples)
        places = range(len(examples)) if view else [0] * len(examples)  # a random view depends on its image's place
        if prints is None:
            return [(view, device, place, examples.read, name) for place, name in zip(places, examples.ids, strict=True)]
        texts = (f"{view} {device} {place} {of_image}" for place, of_image in zip(places, prints, strict=True))
        return [hashlib.sha256(text.encode()).hexdigest() for text in texts]

    def _kind(self, examples: Examples, view: View | None) -> dict[str, Any]:
        """What features depend on besides the picture, as plain data. A device has a rounding of its own."""
        scale = self.backbone.scale
        return {
            "data": examples.source,
            "backbone": {**asdict(self._spec), "weights": self._weights},
            "transform": repr(self._transforms[view is not None]),
            "view": {"seed": view[0], "epoch": view[1]} if view else None,
            "dtype": str(scale.dtype),
            "device": scale.device.type,
            "least": LEAST,
            "packages": {name: version(name) for name in PACKAGES},
        }

    def _encode(self, examples: Examples, view: View | None, rows: list[int], workers: int, progress: Callable[[int], None]) -> Tensor:
        """Features of these rows, (n, d), on the CPU; none gives (0, d)."""
        pixels = Views(examples, self._transforms[view is not None], view[0] if view else 0)
        pixels.epoch = view[1] if view else 0
        done, encoded = 0, [torch.empty(0, self.backbone.dim, dtype=self.backbone.scale.dtype)]
        for batch, _ in on_device(DataLoader(Subset(pixels, rows), batch_size=BATCH, num_workers=workers), self.backbone.scale.device):
            encoded.append(self._features(batch))
            done += len(batch)
            progress(done)
        return torch.cat(encoded)

    def _features(self, batch: Tensor) -> Tensor:
        """Of pixels (B, 3, H, W), on the CPU; a few images are encoded with copies of them beside."""
        filled = batch if len(batch) >= LEAST else batch[torch.arange(LEAST) % len(batch)]
        return self.backbone.encode_image(filled).cpu()[: len(batch)]


class _Known:
    """Features of these examples that this process need not compute, in its memory and on disk, and those that join them.

    Args:
        features: whose memory and disk.
        examples: N images.
        view: of them.
    """

    def __init__(self, features: ImageFeatures, examples: Examples, view: View | None) -> None:
        self._recent = features._recent
        self._keys = features._keys(examples, view)
        self._found = self._recent.find(self._keys)
        self._cache = features.cache if isinstance(examples.read, Fingerprinting) else None
        self._kind = features._kind(examples, view) if self._cache and len(self._found) < len(self._keys) else {}
        if self._cache and self._kind:
            wanted = {key for key in self._keys if isinstance(key, str) and key not in self._found}
            self._found.update({key: torch.from_numpy(row) for key, row in self._cache.find(self._kind, wanted).items()})
        self.unseen = [row for row, key in enumerate(self._keys) if key not in self._found]

    def add(self, rows: list[int], encoded: Tensor) -> None:
        """Features (n, d) of these rows."""
        self._found.update(zip([self._keys[row] for row in rows], encoded, strict=True))
        if self._cache:
            self._cache.add(self._kind, [str(self._keys[row]) for row in rows], encoded.numpy())

    def rows(self) -> Tensor:
        """All of them, (N, d); they were used just now."""
        self._recent.keep(self._found)
        return torch.stack([self._found[key] for key in self._keys])


class ViewFeatures(PerEpoch):
    """Features, with labels, of the random views that `Views` gives of the same examples with the same seed.

    Setting `epoch` reads or encodes that epoch's; before, there is nothing to read.

    Args:
        features: of the backbone.
        examples: N of them.
        seed: of the views.
        workers: processes that read images.
        on_progress: as `ImageFeatures.of` tells it, in every epoch.
    """

    def __init__(
        self, features: ImageFeatures, examples: Examples, seed: int, workers: int = 0, on_progress: OnProgress | None = None
    ) -> None:
        self._features, self._examples, self._seed, self._workers, self._on_progress = features, examples, seed, workers, on_progress

    @property
    def epoch(self) -> int:
        return self._epoch

    @epoch.setter
    def epoch(self, epoch: int) -> None:
        self._epoch = epoch
        self._rows = self._features.of_views(self._examples, self._seed, epoch, self._workers, self._on_progress)

    def __len__(self) -> int:
        return len(self._examples)

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        return self._rows[i], self._examples.labels[i]


class _Recent:
    """Features by key, (d,) each; those that were not used for longest are forgotten first.

    Args:
        limit: bytes of all features together.
    """

    def __init__(self, limit: int) -> None:
        self.limit, self.size = limit, 0
        self._rows: OrderedDict[Hashable, Tensor] = OrderedDict()

    def find(self, keys: Iterable[Hashable]) -> dict[Hashable, Tensor]:
        """Those that are there."""
        return {key: self._rows[key] for key in keys if key in self._rows}

    def keep(self, rows: Mapping[Hashable, Tensor]) -> None:
        """Note that these were used just now."""
        for key, row in rows.items():
            if key not in self._rows:
                self._rows[key] = row.clone()  # a row of a batch would keep the whole batch alive
                self.size += row.nbytes
            self._rows.move_to_end(key)
        while self.size > self.limit:
            self.size -= self._rows.popitem(last=False)[1].nbytes
