"""From one data set to variants of it: the same classes in other domains. CoOp, https://arxiv.org/abs/2109.01134."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from depthub import Data, DepthubError, Task
from depthub_protocols.transfer import Transfer


class DomainGeneralization(Transfer):
    """Train on all classes of one data set; test on it and on variants with the same label space, or with classes of the same names.

    A variant may be a folder or list of your own pictures, for example one domain beside another; without `train` and `test` all of its
    pictures are tested. It may have only some of the classes; heads then use their rows for these. Reports the accuracy on the source, on
    each variant by its name, and the average over the variants, in percent.

    Args:
        variants: data sets for testing, also `folder:PATH` and `list:FILE`; empty: the variants of the source.
        fused: heads use their knowledge of the classes, as DePT's published code does on ImageNet's variants. Otherwise the variants'
            classes are new to every head, so that image-text matching alone decides, as the paper says of new tasks.
    """

    others = "variants"

    def __init__(self, *, variants: Sequence[str] = (), fused: bool = True) -> None:
        self.variants, self.fused = tuple(variants), fused

    def names(self, source: Data) -> Sequence[str]:
        return self.variants or source.variants

    def task(self, name: str, data: Data, source: Data) -> Task:
        try:
            classes = data.classes_in(source.classes)
        except DepthubError as error:
            raise DepthubError(f"{name!r} is not a variant of the source: {error}; use CrossDataset for it") from error
        # under another name the label space is new to every head
        return Task(name, data.test, classes if self.fused else replace(classes, space=f"{classes.space}, as new classes"))
