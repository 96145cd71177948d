"""The division of a user's own pictures into training, validation and test pictures."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from depthub.data.parts import Part
from depthub.errors import DepthubError
from depthub.values.text import listed

Pictures = Mapping[str, list[str]]  # class name to the sorted names of its pictures
_PARTS: Mapping[str, Part] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}


@dataclass(frozen=True)
class Division:
    """Pictures by class, in parts; every part has the same classes.

    Args:
        train, test: at least one picture per class; `train` has none if the data set is for testing only.
        val: likewise; None: there is none.
        notes: facts about the division for the user, one line each.
        by_share: whether a share of each class was held out for testing, since nothing divides the pictures.
    """

    train: Pictures
    test: Pictures
    val: Pictures | None = None
    notes: tuple[str, ...] = ()
    by_share: bool = False

    @property
    def parts(self) -> dict[str, Pictures]:
        """Pictures by part, without missing parts."""
        return {"train": self.train, "test": self.test, **({} if self.val is None else {"val": self.val})}


def part_of(name: str) -> Part | None:
    """The part that a folder's name or a list's word means, in any case; None: none."""
    return _PARTS.get(name.strip().lower())


def divide_by_share(pictures: Pictures, share: float | None, where: str) -> Division:
    """Hold out a share of each class's pictures for testing; the choice depends on the number and order of the pictures alone.

    Args:
        pictures: at least two per class.
        share: the share, in (0, 1); None: all pictures are for testing, and one per class is enough.
        where: the folder or list, for messages.

    Raises:
        DepthubError: if a class has too few.
    """
    if share is None:
        number = sum(map(len, pictures.values()))
        return Division(
            _without_pictures(pictures), pictures, None, (f"nothing divides it: all of its {number} pictures are tested",), True
        )
    if not 0 < share < 1:
        raise DepthubError(f"test_fraction is {share}; expected a share between 0 and 1")
    train, test = {}, {}
    for name, of_class in pictures.items():
        n_test = max(1, round(share * len(of_class)))
        if n_test >= len(of_class):
            remedy = "add pictures" if len(of_class) == 1 else "add pictures or lower test_fraction"
            raise DepthubError(
                f"{where}: class {name!r} has {len(of_class)} picture(s), too few to hold out {n_test} for testing and keep one; {remedy}"
            )
        shuffled = random.Random(0).sample(of_class, len(of_class))
        test[name], train[name] = sorted(shuffled[:n_test]), sorted(shuffled[n_test:])
    return Division(train, test, by_share=True)


def divide_by_names(parts: Mapping[Part, Pictures], where: str) -> Division:
    """The division by the names of parts; without a test part, the validation part is the test set, and a note says so.

    Args:
        parts: pictures by part, accepted by `require_parts`.
        where: the folder or list, for messages.

    Raises:
        DepthubError: if the classes differ between parts.
    """
    if "train" not in parts:
        parts = {"train": _without_pictures(next(iter(parts.values()))), **parts}
    for part, pictures in parts.items():
        if in_one_only := sorted(parts["train"].keys() ^ pictures.keys()):
            raise DepthubError(
                f"{where}: train and {part} must hold the same classes; {listed(in_one_only)} is in one of them only: "
                "add its pictures to the other, or remove it from both"
            )
    if "test" in parts:
        return Division(parts["train"], parts["test"], parts.get("val"))
    return Division(parts["train"], parts["val"], None, ("there is no test part: the validation pictures are the test set",))


def require_parts(parts: Collection[Part], where: str, remedy: str, *, trained: bool = True) -> None:
    """Refuse a division without training pictures, or without test pictures.

    Args:
        parts: names of the parts.
        where: the folder or list, for the message.
        remedy: remedy if there are training pictures only.
        trained: whether a run trains on it; otherwise training pictures may be missing.

    Raises:
        DepthubError: for such a division.
    """
    if trained and "train" not in parts:
        raise DepthubError(f"{where} has {' and '.join(parts)}, but no train; call the part with the training pictures train")
    if set(parts) == {"train"}:
        raise DepthubError(f"{where} has train only, and nothing to test on; {remedy}")


def _without_pictures(pictures: Pictures) -> Pictures:
    """The same classes, without pictures."""
    return {name: [] for name in pictures}
