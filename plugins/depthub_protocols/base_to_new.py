"""From base classes to new ones of the same data set. CoCoOp, https://arxiv.org/abs/2203.05557."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from depthub import Count, Data, DepthubError, Protocol, Stage, Task, few_shot
from depthub_protocols.halves import BASE, NEW, PUBLISHED, Cut, check_cut, halves, means


class BaseToNew(Protocol):
    """Train on the first half of the classes; test on both halves.

    Labels are sorted; the first half, rounded up, is base. Reports base and new accuracy and their harmonic mean H, in percent.

    Args:
        cut: "published": as above; a number: the half is that of a shuffle of the sorted labels with this seed, which tells how much a
            result owes to the published division.
        epochs: test after these epochs of the training, too. Reports "base, epoch 3", "new, epoch 3" and "H, epoch 3" for the third, under
            the learning rates of the whole training.
    """

    added: ClassVar[Mapping[str, Any]] = {"cut": PUBLISHED, "epochs": ()}
    headline: ClassVar[str] = "H"
    harmonic: ClassVar[Mapping[str, tuple[str, str]]] = {"H": (BASE, NEW)}

    def __init__(self, *, cut: Cut = PUBLISHED, epochs: Sequence[int] = ()) -> None:
        check_cut("BaseToNew", cut)
        if wrong := [epoch for epoch in epochs if epoch < 1]:
            raise DepthubError(f"BaseToNew: epochs has {wrong[0]}, expected at least 1; 1 is the first epoch, and none is before it")
        self.cut, self.epochs = cut, sorted(set(epochs))

    @classmethod
    def canonical(cls, settings: Mapping[str, Any]) -> Mapping[str, Any]:
        """Epochs in rising order, each once; none in the form of the default, which is left out."""
        return {**settings, "epochs": sorted(set(settings["epochs"])) or ()}

    def stages(self, source: Data, load: Callable[[str], Data], shots: int, seed: int) -> list[Stage]:
        sample = few_shot(source, shots, seed)
        rows_of = halves("BaseToNew", sorted(set(sample.labels)), self.cut)
        tests = [Task(half, source.test.restricted_to(rows), source.classes.take(rows)) for half, rows in rows_of.items()]
        after = [Task(f"{task.name}{_after(epoch)}", task.examples, task.classes, epoch) for epoch in self.epochs for task in tests]
        train = Task(BASE, sample.restricted_to(rows_of[BASE]), source.classes.take(rows_of[BASE]))
        return [Stage(train, (*tests, *after), sample)]

    def scores(self, counts: Mapping[str, Count]) -> dict[str, float]:
        # counts that other tests of the same training give have no epochs
        epochs = self.epochs if len(counts) > len((BASE, NEW)) else []
        return {score: value for of in ("", *map(_after, epochs)) for score, value in means(counts, of).items()}

    def harmonic_of(self, scores: Sequence[str]) -> Mapping[str, tuple[str, str]]:
        endings = ("", *map(_after, self.epochs))
        return {f"H{of}": (f"{BASE}{of}", f"{NEW}{of}") for of in endings if f"H{of}" in scores}


def _after(epoch: int) -> str:
    """What the names of an epoch's tasks and scores end in."""
    return f", epoch {epoch}"
