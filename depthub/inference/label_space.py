"""The label space of a finished run: which class a name stands for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from depthub.boundary import check_classes
from depthub.data.class_names import words
from depthub.errors import DepthubError, UnknownNameError, hint
from depthub.records.result import RunResult, TrainedStage
from depthub.types import ClassSet


class LabelSpace:
    """The classes of a run by number and by the words of their names.

    A run trained on cat (0) and dog (1) and tested on owl (2) recognises the list "owl", "Cat", "fox" as the classes 2, 0 and 3: the first
    two are its own, the third is new to it and gets the next number.

    Args:
        result: of the run.
        stage: what of the run was trained, with its tests after the last epoch.
    """

    def __init__(self, result: RunResult, stage: TrainedStage) -> None:
        self.result, self.stage = result, stage

    def of_task(self, task: str) -> ClassSet:
        """The classes of a test task.

        Raises:
            DepthubError: for a task of another epoch than the last: the tuned parameters are others.
            UnknownNameError: if there is no such task.
        """
        tested = self.result.tasks.get(task)
        if tested and tested.epoch is not None:
            raise DepthubError(
                f"test task {task!r} was tested after epoch {tested.epoch}, and the run keeps what it tuned until the last; "
                f"expected one of {', '.join(self.stage.tests)}"
            )
        if task not in self.stage.tests:
            raise UnknownNameError("test task", task, self.stage.tests)
        return self.result.tasks[task].classes

    def of_names(self, names: Sequence[str]) -> ClassSet:
        """The classes of names.

        Raises:
            DepthubError: for anything but a list of names that texts can tell apart; or for a class without texts, if the run has them.
        """
        if isinstance(names, str) or not len(names) or not all(isinstance(name, str) for name in names):
            raise DepthubError(f"class_names is {names!r:.80}, expected a list of names")
        listed = replace(self.stage.classes, space="", ids=tuple(range(len(names))), names=tuple(names), texts=())
        return self.recognised(listed, "class_names")

    def recognised(self, classes: ClassSet, where: str, homonyms: Sequence[str] = ()) -> ClassSet:
        """Classes of another list with the numbers that they have in this space; see `Classifier.recognised`.

        Raises:
            DepthubError: for classes that no text tells apart; for one without texts, if the run has them.
        """
        space, by_id = self.stage.classes.space, self._words_by_id()
        names = [words(name) for name in classes.names]
        if classes.space != space or any(by_id.get(i, name) != name for i, name in zip(classes.ids, names, strict=True)):
            ids = {name: i for i, name in reversed(by_id.items())}  # of classes with the same words the first, a trained one
            new = max(by_id) + 1
            # a second class with the same words gets a number of its own, and is refused below
            classes = replace(classes, space=space, ids=tuple(ids.pop(name, new + place) for place, name in enumerate(names)))
        check_classes(classes, where, homonyms)
        return classes if classes.texts or not self.stage.classes.texts else self._with_texts(classes, where)

    def _with_texts(self, classes: ClassSet, where: str) -> ClassSet:
        """Classes of the run with their texts."""
        texts = {i: of_class for known in self._sets() for i, of_class in zip(known.ids, known.texts, strict=True)}
        if new := [name for i, name in zip(classes.ids, classes.names, strict=True) if i not in texts]:
            known = {name for of in self._sets() for name in of.names}
            raise DepthubError(f"{where} has {new[0]!r}, of which the run's class texts say nothing{hint(new[0], known)}")
        return replace(classes, texts=tuple(texts[i] for i in classes.ids))

    def _words_by_id(self) -> dict[int, str]:
        """Words of every class of the space by its number, the trained ones first."""
        by_id: dict[int, str] = {}
        for classes in self._sets():
            by_id |= {i: words(name) for i, name in zip(classes.ids, classes.names, strict=True)}
        return by_id

    def _sets(self) -> list[ClassSet]:
        """The class sets of the space, that of the training first."""
        tested = [task.classes for task in self.result.tasks.values() if task.classes.space == self.stage.classes.space]
        return [self.stage.classes, *tested]
