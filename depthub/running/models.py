"""Models of runs: the frozen backbone and its image features, shared by successive runs, and the untrained tuner around it."""

from __future__ import annotations

from functools import lru_cache

import torch

from depthub.data.views import mixed
from depthub.encoding.backbone import Backbone
from depthub.encoding.image_features import ImageFeatures
from depthub.encoding.loading.load import load_backbone
from depthub.registry import settings
from depthub.registry.plugins import Plugins, installed
from depthub.running.weights import named_backbones
from depthub.spec import BackboneSpec, RunSpec
from depthub.system.disk_cache import Cache
from depthub.training.tuner import Tuner
from depthub.types import ClassSet


@lru_cache(maxsize=1)
def frozen(spec: BackboneSpec, download: bool = False) -> Backbone:
    """The frozen model, kept in memory until a run needs another: successive runs mostly share it.

    Args:
        spec: of the model.
        download: whether files that are not on this machine may be downloaded.

    Raises:
        DepthubError: if the model cannot be loaded.
    """
    return load_backbone(spec, named_backbones(installed()), download)


@lru_cache(maxsize=1)
def features_of(spec: BackboneSpec, download: bool, cache: Cache | None) -> ImageFeatures:
    """Image features of the frozen model, kept in memory with it; see `frozen`.

    Args:
        spec, download: as in `frozen`.
        cache: on disk; None: features are kept in memory only.
    """
    return ImageFeatures(frozen(spec, download), spec, cache)


def forget_models() -> None:
    """The next run loads its model, and computes image features, anew."""
    frozen.cache_clear()
    features_of.cache_clear()


def untrained(spec: RunSpec, backbone: Backbone, classes: ClassSet, plugins: Plugins) -> Tuner:
    """Method and head of a run before its training.

    Each is initialised with a seed of its own, so that a method starts the same under every head.

    Args:
        spec: of the run, resolved.
        backbone: of the run.
        classes: the training classes.
        plugins: that provide method and head.
    """
    with torch.random.fork_rng(devices=[]):  # the caller's random numbers stay as they are
        torch.manual_seed(mixed(spec.seed, 0))
        method = settings.make(spec.method, "methods", plugins, backbone, classes)
        torch.manual_seed(mixed(spec.seed, 1))
        head = settings.make(spec.head, "heads", plugins, backbone.dim, classes)
    return Tuner(backbone, method, head)
