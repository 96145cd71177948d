"""Objects of foreign code, looked at without trusting what they say of themselves, and their errors in one line."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from depthub.values.text import plain

MOST_WORDS = 200  # characters of a foreign text in a message
MOST_SHOWN = 80  # characters of a foreign object in a message
_MRO, _NAME, _MODULE = (type.__dict__[name] for name in ("__mro__", "__name__", "__module__"))  # what a metaclass cannot replace


def is_class(thing: object) -> bool:
    """Whether a thing is a class, whatever it claims."""
    return issubclass(type(thing), type)


def derives(cls: Any, base: type) -> bool:
    """Whether a class inherits from another for real: registering, and what metaclasses answer, do not count."""
    return base in bases(cls)


def bases(cls: Any) -> tuple[type, ...]:
    """A class and all that it inherits from."""
    found: tuple[type, ...] = _MRO.__get__(cls)
    return found


def class_name(cls: Any) -> str:
    """The name that a class was made with."""
    return str(_NAME.__get__(cls))


def heirs(cls: type) -> Iterator[type]:
    """All classes that inherit from a class, as long as something holds them."""
    one: type
    for one in type.__subclasses__(cls):
        yield one
        yield from heirs(one)


def package_of(cls: type) -> str:
    """The outermost name of the module that a class says it is from."""
    return str(_MODULE.__get__(cls)).partition(".")[0]


def shown(thing: object) -> str:
    """A thing as a message shows it, in one line; by its type where its `repr` fails."""
    try:
        text = repr(thing)
    except Exception:
        text = f"a {class_name(type(thing))}"
    return _cut(text, MOST_SHOWN)


def described(error: BaseException, package: str = "") -> str:
    """An error in one line, with the last line of the package's own code that it came through.

    Args:
        error: as raised.
        package: the outermost name of the package's modules; empty for whatever code raised it.
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
    # a syntax error says itself where it is
    place = f" ({frames[-1][0]}, line {frames[-1][1]})" if frames and not isinstance(error, SyntaxError) else ""
    return _cut(f"{class_name(type(error))}: {text}".rstrip(": "), MOST_WORDS) + plain(place)


def place(code: Any) -> str:
    """` (file, line n)` of a function; empty where it does not tell."""
    found = getattr(code, "__code__", None)
    return f" ({plain(Path(found.co_filename).name)}, line {found.co_firstlineno})" if found else ""


def _cut(text: str, most: int) -> str:
    line = plain(text)
    return line if len(line) <= most else f"{line[: most - 3]}..."
