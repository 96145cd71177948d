"""Errors from processes that read images for another process."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from depthub.errors import DepthubError

Item = TypeVar("Item")


def in_one_line(items: Iterable[Item]) -> Iterator[Item]:
    """The items of a torch loader.

    Raises:
        DepthubError: in one line, also from a process that reads images.
    """
    iterator = iter(items)
    while True:
        try:
            item = next(iterator)
        except StopIteration:
            return
        except DepthubError as error:
            error.args = (_own_message(error),)
            if stop_processes := getattr(iterator, "_shutdown_workers", None):  # else their queues report errors of their own at the end
                stop_processes()
            raise
        yield item


def _own_message(error: DepthubError) -> str:
    """The message of the error itself.

    torch raises a worker's error again with the worker's traceback as its message; the last line names class and message:

        Caught DepthubError in DataLoader worker process 0.
        Original Traceback (most recent call last):
          ...
        depthub.errors.DepthubError: cannot read image cat/1.jpg: ...
    """
    _, _, message = str(error).rpartition(f"\n{type(error).__module__}.{type(error).__qualname__}: ")
    return message.strip()
