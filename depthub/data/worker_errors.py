"""What goes wrong in a process that reads images for another one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from depthub.errors import DepthubError

Item = TypeVar("Item")


def in_one_line(items: Iterable[Item]) -> Iterator[Item]:
    """The items of a torch loader.

    Raises:
        DepthubError: in one line, whichever process reads the images.
    """
    left = iter(items)
    while True:
        try:
            item = next(left)
        except StopIteration:
            return
        except DepthubError as error:
            # a process that reads images gives its traceback as the message, which ends in the error's own
            _, found, said = str(error).rpartition(f"\n{type(error).__module__}.{type(error).__qualname__}: ")
            if found:
                error.args = (said.strip(),)
            raise
        yield item
