"""From one data set to variants of it: the same classes in other domains. CoOp, https://arxiv.org/abs/2109.01134."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from depthub import Data, DepthubError, Task
from depthub_protocols.transfer import Transfer


class DomainGeneralization(Transfer):
    """Train on all classes of one data set; test on it and on variants that share its label space, or whose classes have the same names.

    A variant may be a folder or list of your own pictures, for example one domain beside another; without `train` and `test` all of its
    pictures are tested. It may have some of the classes only; heads then read their rows for these. Reports the accuracy on the source, on
    each variant by its name, and the average over the variants, in percent.

    Args:
        variants: data sets to test on, `folder:PATH` and `list:FILE` among them; empty: those that the source declares.
        fused: let heads use what they learned of the classes, as DePT's published code does on ImageNet's variants. Without, the
            variants' classes are new to every head, so that image-text matching decides alone, as the paper says of new tasks.
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
            raise DepthubError(f"{name!r} is no variant of the source: {error}; use CrossDataset for it") from error
        # a label space of another name is one that no head was trained on
        return Task(name, data.test, classes if self.fused else replace(classes, space=f"{classes.space}, as new classes"))
