"""An oracle: trained on base and new classes together. DePT, https://arxiv.org/abs/2309.07439."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

from depthub import Count, Data, Protocol, Stage, Task, few_shot
from depthub_protocols.halves import BASE, NEW, PUBLISHED, Cut, check_cut, halves, means

ALL, OF_ALL = "all", " of all"  # the training task; what the names of tasks and scores in the label space of all classes end in


class Oracle(Protocol):
    """Train on all classes, base and new; test on both halves: what a method could reach that forgets no new class.

    Paper: https://arxiv.org/abs/2309.07439, section 2.2 and supplement A. Whether its accuracies restrict the label space is not stated
    there, hence both. Of "base", "new" and their harmonic mean H, images are told apart among the classes of their half, as in `BaseToNew`;
    of "base of all", "new of all" and "H of all" the same images among all classes. In percent.

    Args:
        cut: the division into base and new classes, as in `BaseToNew`; the training does not depend on it.
    """

    headline: ClassVar[str] = "H"
    harmonic: ClassVar[Mapping[str, tuple[str, str]]] = {f"H{of}": (f"{BASE}{of}", f"{NEW}{of}") for of in ("", OF_ALL)}

    def __init__(self, *, cut: Cut = PUBLISHED) -> None:
        check_cut("Oracle", cut)
        self.cut = cut

    def stages(self, source: Data, load: Callable[[str], Data], shots: int, seed: int) -> list[Stage]:
        sample = few_shot(source, shots, seed)
        labels = sorted(set(sample.labels))
        rows_of = halves("Oracle", labels, self.cut)
        classes, test = source.classes.take(labels), source.test.restricted_to(labels)
        tests = [Task(half, source.test.restricted_to(rows), source.classes.take(rows)) for half, rows in rows_of.items()]
        for half, rows in rows_of.items():
            images = [row for row, label in enumerate(test.labels) if labels[label] in rows]
            tests.append(Task(f"{half}{OF_ALL}", test.take(images), classes))
        return [Stage(Task(ALL, sample.restricted_to(labels), classes), tuple(tests), sample)]

    def scores(self, counts: Mapping[str, Count]) -> dict[str, float]:
        return means(counts) | means(counts, OF_ALL)
