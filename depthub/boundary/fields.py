"""Types of the fields that data sets and protocols fill in: a list in place of a tuple would fail only later, where it is hashed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from depthub.data.dataset import Data, Examples
from depthub.errors import DepthubError
from depthub.protocol import Stage, Task
from depthub.registry.foreign import shown
from depthub.types import ClassSet


@dataclass(frozen=True)
class Field:
    """The type of a field.

    Args:
        holds: whether a value is valid.
        expected: the valid values, in words.
        items: for tuples: whether an item is valid.
    """

    holds: Callable[[Any], bool]
    expected: str
    items: Callable[[Any], bool] | None = None


def _a(kind: type, words: str, *, or_none: bool = False) -> Field:
    return Field(lambda value: isinstance(value, kind) or (or_none and value is None), words)


def _tuple(item: Callable[[Any], bool], words: str) -> Field:
    return Field(lambda value: isinstance(value, tuple), f"a tuple of {words}", item)


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _pair(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and all(map(_text, value))


_TEXTS_OF_CLASSES = _tuple(lambda value: isinstance(value, tuple) and bool(value) and all(map(_text, value)), "tuples of texts")
_TEXT, _TEXTS, _INTEGERS = Field(_text, "text"), _tuple(_text, "texts"), _tuple(_integer, "integers (int)")
_SPLIT, _CLASSES = _a(Examples, "Examples"), _a(ClassSet, "a ClassSet")
_EPOCH = Field(lambda value: value is None or (_integer(value) and value >= 1), "an epoch from 1 on, or None")
_PERHAPS = _a(Examples, "Examples or None", or_none=True)

FIELDS: Mapping[type, Mapping[str, Field]] = {
    ClassSet: {
        "space": _TEXT,
        "ids": _INTEGERS,
        "names": _TEXTS,
        "template": _TEXT,
        "templates": _tuple(_pair, "(family, template)"),
        "texts": _TEXTS_OF_CLASSES,
    },
    Examples: {"ids": _TEXTS, "labels": _INTEGERS, "read": Field(callable, "a function that gives the picture of an id"), "source": _TEXT},
    Data: {
        **{"classes": _CLASSES, "train": _SPLIT, "test": _SPLIT, "val": _PERHAPS},
        **dict.fromkeys(("notes", "targets", "variants", "homonyms"), _TEXTS),
    },
    Task: {"name": _TEXT, "examples": _SPLIT, "classes": _CLASSES, "epoch": _EPOCH},
    Stage: {"train": _a(Task, "a Task"), "tests": _tuple(lambda value: isinstance(value, Task), "Task"), "sample": _PERHAPS},
}


def check_fields(thing: Any, where: str) -> None:
    """Check the types of all fields.

    Args:
        thing: a ClassSet, Examples, Data, Task or Stage.
        where: its owner, for messages.

    Raises:
        DepthubError: for the first field of another type.
    """
    kind = next(kind for kind in FIELDS if isinstance(thing, kind))
    for name, field in FIELDS[kind].items():
        value = getattr(thing, name)
        if not field.holds(value):
            raise DepthubError(f"{where}: {kind.__name__}.{name} is {shown(value)}, expected {field.expected}")
        if field.items and not all(map(field.items, value)):
            item = next(item for item in value if not field.items(item))
            raise DepthubError(f"{where}: {kind.__name__}.{name} holds {shown(item)}, expected {field.expected}")
