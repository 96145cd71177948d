"""The component that a message or an error is about: its kind, name, distribution and version."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from inspect import unwrap
from typing import Any, NoReturn

from torch import Tensor

from depthub.errors import DepthubError
from depthub.registry.distributions import normalized, plugin_entries
from depthub.registry.foreign import class_name, is_class, package_of, place, shown
from depthub.values.text import plain

BUILT_IN = "depthub"  # the distribution that messages do not name


def owner_name(kind: str, thing: object, name: str = "") -> str:
    """`method Mine of mine 1.0`; only kind and name for components of depthub itself and for those of no distribution.

    Args:
        kind: the word for the kind, for example "method".
        thing: the component, or its class.
        name: its public name; empty: that of its class.
    """
    cls: Any = thing if is_class(thing) else type(thing)
    return plain(f"{kind} {name or class_name(cls)}{origin(cls)}")


def origin(cls: type) -> str:
    """` of mine 1.0`: distribution and version of a class; empty for depthub itself and for no distribution."""
    return _origin(package_of(cls))


def refuse(owner: str, call: Callable[..., Any] | None, gives: str, expected: str, remedy: str = "") -> NoReturn:
    """Refuse a value from a component, in one line.

    Args:
        owner: see `owner_name`.
        call: the plugin's function; the message names its place.
        gives: the call and its value: "losses() gives 3".
        expected: the valid values.
        remedy: the correction, if `expected` does not imply it.

    Raises:
        DepthubError: always.
    """
    where = place(unwrap(call)) if callable(call) else ""
    raise DepthubError(f"{owner}: {gives}, expected {expected}{where}{remedy and '; '}{remedy}")


def brief(value: object) -> str:
    """A value in a message: a tensor by its shape, short values as they are, others by their type."""
    if isinstance(value, Tensor):
        kind = "" if value.is_floating_point() else f" and the type {str(value.dtype).removeprefix('torch.')}"
        return f"a tensor of the shape {tuple(value.shape)}{kind}"
    return shown(value) if isinstance(value, bool | int | str) else f"a {class_name(type(value))}"


@contextmanager
def within(kind: str, thing: object, name: str = "") -> Iterator[None]:
    """Add a note with the component's name to every error of the block; the traceback stays."""
    try:
        yield
    except DepthubError:
        raise
    except Exception as error:
        note = f"in {owner_name(kind, thing, name)}"
        if note not in getattr(error, "__notes__", ()):  # blocks may be nested
            error.add_note(note)
        raise


@lru_cache(maxsize=64)
def _origin(package: str) -> str:
    for one in plugin_entries():
        if one.entry and one.entry.value.strip().partition(":")[0].partition(".")[0] == package:
            return "" if normalized(one.distribution) == BUILT_IN else f" of {one.distribution} {one.version}"
    return ""
