"""Which of a user's own pictures are for training, validation and testing."""

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
    """Pictures by class, in parts; every part holds the same classes.

    Args:
        train, test: at least one picture a class each; of data that is for testing only, `train` has none of each class.
        val: likewise; None: there is none.
        notes: what to know of it, one line each.
        by_fraction: whether nothing said which pictures are for what, so that a share of each class was held out for testing.
    """

    train: Pictures
    test: Pictures
    val: Pictures | None = None
    notes: tuple[str, ...] = ()
    by_fraction: bool = False

    @property
    def parts(self) -> dict[str, Pictures]:
        """Pictures by part, without a part that there is none of."""
        return {"train": self.train, "test": self.test, **({} if self.val is None else {"val": self.val})}


def part_of(name: str) -> Part | None:
    """The part that a folder, or a list's word, names in any case; None if it names none."""
    return _PARTS.get(name.strip().lower())


def divided(pictures: Pictures, fraction: float | None, where: str) -> Division:
    """A share of each class's pictures held out for testing: which ones depends on the numbers of pictures and their order alone.

    Args:
        pictures: at least two a class.
        fraction: the share, in (0, 1); None: all are for testing, and one a class is enough.
        where: what holds them, for messages.

    Raises:
        DepthubError: if a class has too few.
    """
    if fraction is None:
        number = sum(map(len, pictures.values()))
        return Division(_none(pictures), pictures, None, (f"nothing divides it: all of its {number} pictures are tested",), True)
    if not 0 < fraction < 1:
        raise DepthubError(f"test_fraction is {fraction}; expected a share between 0 and 1")
    train, test = {}, {}
    for name, own in pictures.items():
        held = max(1, round(fraction * len(own)))
        if held >= len(own):
            remedy = "add pictures" if len(own) == 1 else "add pictures or lower test_fraction"
            raise DepthubError(
                f"{where}: class {name!r} has {len(own)} picture(s), too few to hold out {held} for testing and keep one; {remedy}"
            )
        mixed = random.Random(0).sample(own, len(own))
        test[name], train[name] = sorted(mixed[:held]), sorted(mixed[held:])
    return Division(train, test, by_fraction=True)


def _none(pictures: Pictures) -> Pictures:
    """No picture of each class."""
    return {name: [] for name in pictures}


def require_parts(parts: Collection[Part], where: str, remedy: str, *, trained: bool = True) -> None:
    """Refuse a division without training pictures, or with nothing to test on.

    Args:
        parts: that there are.
        where: what has them, for the message.
        remedy: what to do where there are training pictures only.
        trained: whether it is trained on; otherwise there need be no training pictures.

    Raises:
        DepthubError: for these.
    """
    if trained and "train" not in parts:
        raise DepthubError(f"{where} has {' and '.join(parts)}, but no train; call the part with the training pictures train")
    if set(parts) == {"train"}:
        raise DepthubError(f"{where} has train only, and nothing to test on; {remedy}")


def named(parts: Mapping[Part, Pictures], where: str) -> Division:
    """The division that the names of parts say; without a test part, the validation part is the test set, and a note says so.

    Args:
        parts: pictures by part; as `require_parts` wants them.
        where: what holds them, for messages.

    Raises:
        DepthubError: if the classes differ between parts.
    """
    if "train" not in parts:
        parts = {"train": _none(next(iter(parts.values()))), **parts}
    for part, pictures in parts.items():
        if strangers := sorted(parts["train"].keys() ^ pictures.keys()):
            raise DepthubError(
                f"{where}: train and {part} must hold the same classes; {listed(strangers)} is in one of them only: "
                "add its pictures to the other, or remove it from both"
            )
    if "test" in parts:
        return Division(parts["train"], parts["test"], parts.get("val"))
    return Division(parts["train"], parts["val"], None, ("there is no test part: the validation pictures are the test set",))
