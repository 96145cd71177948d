"""Objects and errors of foreign code: their class, bases and text, without calling anything that the foreign code may have replaced."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from depthub.values.text import plain

MOST_TEXT = 200  # characters of a foreign error in a message
MOST_SHOWN = 80  # characters of a foreign object in a message
# of `type` itself: a metaclass cannot replace these
_MRO, _NAME, _MODULE = (type.__dict__[name] for name in ("__mro__", "__name__", "__module__"))


def is_class(thing: object) -> bool:
    """Whether an object is a class. A false `__class__` attribute does not count."""
    return issubclass(type(thing), type)


def derives(cls: Any, base: type) -> bool:
    """Whether a class really inherits from another: neither `register` nor the answers of a metaclass count."""
    return base in bases(cls)


def bases(cls: Any) -> tuple[type, ...]:
    """A class and all classes that it inherits from."""
    order: tuple[type, ...] = _MRO.__get__(cls)
    return order


def class_name(cls: Any) -> str:
    """The name in the class statement."""
    return str(_NAME.__get__(cls))


def subclasses(cls: type) -> Iterator[type]:
    """All direct and indirect subclasses that are in memory."""
    subclass: type
    for subclass in type.__subclasses__(cls):
        yield subclass
        yield from subclasses(subclass)


def package_of(cls: type) -> str:
    """The top-level package of a class, by its `__module__`: "mine" for `mine.heads`."""
    return str(_MODULE.__get__(cls)).partition(".")[0]


def shown(thing: object) -> str:
    """An object in one line of a message: its `repr`; its type if the `repr` fails."""
    try:
        text = repr(thing)
    except Exception:
        text = f"a {class_name(type(thing))}"
    return _cut(text, MOST_SHOWN)


def described(error: BaseException, package: str = "") -> str:
    """An error in one line, with the last place of the package in its traceback: `OSError: no disk (mine.py, line 4)`.

    Args:
        error: the error, with its traceback.
        package: the top-level package whose code counts; empty: all code counts.
    """
    try:
        text = " ".join(str(error).split())
    except Exception:
        text = ""
    frames = [
        (Path(frame.f_code.co_filename).name, line)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if not package or str(frame.f_globals.get("__name__")).partition(".")[0] == package
    ]
    # the text of a syntax error already names its place
    place = f" ({frames[-1][0]}, line {frames[-1][1]})" if frames and not isinstance(error, SyntaxError) else ""
    return _cut(f"{class_name(type(error))}: {text}".rstrip(": "), MOST_TEXT) + plain(place)


def place(code: Any) -> str:
    """` (file, line n)` of a function; empty for an object without Python code."""
    compiled = getattr(code, "__code__", None)
    return f" ({plain(Path(compiled.co_filename).name)}, line {compiled.co_firstlineno})" if compiled else ""


def _cut(text: str, most: int) -> str:
    line = plain(text)
    return line if len(line) <= most else f"{line[: most - 3]}..."
