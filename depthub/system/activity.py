"""The current activity of this process: long work reports it here, and progress bars or lines show it elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Listener = Callable[[str, int, int], None]
_listeners: list[Listener] = []


def tell(what: str, done: int = 0, total: int = 0) -> None:
    """Report an activity to all listeners.

    Args:
        what: a phrase, for example "encoding images".
        done: number of items done.
        total: number of items in all; 0 where it is not known.
    """
    for listener in _listeners:
        listener(what, done, total)


@contextmanager
def heard_by(listener: Listener) -> Iterator[None]:
    """Within the block, `listener` is called with every reported activity: what, done, total."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)
