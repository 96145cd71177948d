"""Models of runs: the frozen backbone with its image features, shared by runs that follow one another, and the tuner around it."""

from __future__ import annotations

from functools import lru_cache

import torch

from depthub.data.views import mixed
from depthub.encoding.backbone import Backbone
from depthub.encoding.image_features import ImageFeatures
from depthub.encoding.loading.load import load_backbone
from depthub.registry import settings
from depthub.registry.plugins import Plugins, installed
from depthub.running.resolving import named
from depthub.spec import BackboneSpec, RunSpec
from depthub.system.disk_cache import Cache
from depthub.training.tuner import Tuner
from depthub.types import ClassSet


@lru_cache(maxsize=1)
def frozen(spec: BackboneSpec, download: bool = False) -> Backbone:
    """The model of the last run; runs that follow one another mostly share it.

    Args:
        spec: which one.
        download: whether the network may be asked for what is not on this machine.
    """
    return load_backbone(spec, named(installed()), download)


@lru_cache(maxsize=1)
def features_of(spec: BackboneSpec, download: bool, cache: Cache | None) -> ImageFeatures:
    """What the model of the last run sees in images."""
    return ImageFeatures(frozen(spec, download), spec, cache)


def untrained(spec: RunSpec, backbone: Backbone, classes: ClassSet, plugins: Plugins) -> Tuner:
    """Method and head of a run before its training.

    Both are initialised by generators of their own, so that a method starts the same under every head.

    Args:
        spec: of the run, resolved.
        backbone: of the run.
        classes: the training classes.
        plugins: that provide method and head.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(mixed(spec.seed, 0))
        method = settings.make(spec.method, "methods", plugins, backbone, classes)
        torch.manual_seed(mixed(spec.seed, 1))
        head = settings.make(spec.head, "heads", plugins, backbone.dim, classes)
    return Tuner(backbone, method, head)
