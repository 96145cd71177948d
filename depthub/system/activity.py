"""What this process is doing, for whoever shows it: long work says so here, and knows nothing of bars and lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Listener = Callable[[str, int, int], None]
_listeners: list[Listener] = []


def tell(what: str, done: int = 0, total: int = 0) -> None:
    """Say what is being done.

    Args:
        what: a phrase, for example "encoding images".
        done: how much of it is done.
        total: how much there is; 0 where that is not known.
    """
    for listener in _listeners:
        listener(what, done, total)


@contextmanager
def heard_by(listener: Listener) -> Iterator[None]:
    """Within the block, `listener` is called with what is told."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)
