"""Boards: what methods are compared on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from depthub.spec import BackboneSpec, Component, DataSpec, RunSpec

Cut = Literal["published"] | int
CUT = "cut"  # the setting of a protocol that divides classes


@dataclass(frozen=True)
class Board:
    """What methods are compared on: data sets, seeds, and how they are trained and tested.

    Args:
        name: of the board.
        protocol: of all runs.
        data: names of data sets; `folder:PATH` and `list:FILE`, too.
        seeds: of initialisation and order of the images; of the few-shot sample, too, unless there are `samples`.
        shots: training images per class.
        samples: seeds of the few-shot sample, each crossed with each seed, so that the two spreads can be told apart; empty: the seed.
        cuts: divisions of the classes, the values of the protocol's setting `cut`: "published", or the seed of a shuffle.
        backbone: the frozen model.
        training: values of the recipe that differ from the preset's.
        settings: of methods by name, where a row states none: for example a depth that the backbone's few layers allow.
        companions: names of boards with the same backbone and other protocols, on which a suite for such a protocol is then carried out.
        reference: (method, head) of the rows that every suite on the board has.
        title: one line.
        preliminary: the board is too small for conclusions, and says so.
        notes: for readers of the board.
    """

    name: str
    protocol: Component
    data: Sequence[str]
    seeds: Sequence[int] = (1, 2, 3)
    shots: Sequence[int] = (16,)
    samples: Sequence[int] = ()
    cuts: Sequence[Cut] = ("published",)
    backbone: BackboneSpec = field(default_factory=BackboneSpec)
    training: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    companions: Sequence[str] = ()
    reference: Sequence[tuple[Component, Component]] = ()
    title: str = ""
    preliminary: bool = False
    notes: str = ""

    def cells(self, shots: Sequence[int] = ()) -> Iterator[RunSpec]:
        """A spec for each data set, number of shots, cut, sample and seed, with the default method and head; in this order.

        Args:
            shots: instead of the board's.
        """
        for name in self.data:
            for number in shots or self.shots:
                for cut in self.cuts:
                    spec = RunSpec(protocol=self._protocol(cut), data=DataSpec(name), backbone=self.backbone, shots=number)
                    for sample in self.samples or (None,):
                        yield from (replace(spec, seed=seed, sample=sample) for seed in self.seeds)

    def _protocol(self, cut: Cut) -> Component:
        return self.protocol if cut == "published" else Component(self.protocol.name, {**self.protocol.settings, CUT: cut})
