"""Whose a component is, as a message says it, and whose code an error came out of."""

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

BUILT_IN = "depthub"  # the distribution that needs no naming


def whose(kind: str, thing: object, name: str = "") -> str:
    """`method Mine of mine 1.0`; without distribution and version for what comes with depthub, or with none.

    Args:
        kind: what a message calls it, "method" for example.
        thing: the component, or its class.
        name: its public name; empty: its class's.
    """
    cls: Any = thing if is_class(thing) else type(thing)
    return plain(f"{kind} {name or class_name(cls)}{origin(cls)}")


def origin(cls: type) -> str:
    """` of mine 1.0`: distribution and version of the plugin that a class is from; empty where `whose` leaves it out."""
    return _origin(package_of(cls))


def refuse(owner: str, call: Callable[..., Any] | None, gives: str, expected: str, remedy: str = "") -> NoReturn:
    """Say in one line what a component gave.

    Args:
        owner: see `whose`.
        call: the plugin's own function, whose place is named.
        gives: the call and what it gave.
        expected: what it should have given.
        remedy: what to do, where that does not follow.

    Raises:
        DepthubError: always.
    """
    where = place(unwrap(call)) if callable(call) else ""
    raise DepthubError(f"{owner}: {gives}, expected {expected}{where}{remedy and '; '}{remedy}")


def told(value: object) -> str:
    """A value as a message tells of it: a tensor by its shape, anything else by its type."""
    if isinstance(value, Tensor):
        kind = "" if value.is_floating_point() else f" and the type {str(value.dtype).removeprefix('torch.')}"
        return f"a tensor of the shape {tuple(value.shape)}{kind}"
    return shown(value) if isinstance(value, bool | int | str) else f"a {class_name(type(value))}"


@contextmanager
def within(kind: str, thing: object, name: str = "") -> Iterator[None]:
    """A call of a component's code: an error that comes out of it keeps its traceback and gets a note that says whose code it was."""
    try:
        yield
    except DepthubError:
        raise
    except Exception as error:
        note = f"in {whose(kind, thing, name)}"
        if note not in getattr(error, "__notes__", ()):  # one call may stand within another
            error.add_note(note)
        raise


@lru_cache(maxsize=64)
def _origin(package: str) -> str:
    for one in plugin_entries():
        if one.entry and one.entry.value.strip().partition(":")[0].partition(".")[0] == package:
            return "" if normalized(one.distribution) == BUILT_IN else f" of {one.distribution} {one.version}"
    return ""
