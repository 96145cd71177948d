"""A limit on the hours of a command."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from depthub.errors import DepthubError


class OutOfTimeError(BaseException):
    """`--max-hours` have passed; not an `Exception`, so that no `except Exception` of a run catches it."""


@contextmanager
def time_limit(hours: float) -> Iterator[None]:
    """Stop the block after some hours; 0: never.

    Raises:
        DepthubError: on systems without such a timer.
    """
    if not hours:
        yield
        return
    if hours < 0 or not hasattr(signal, "setitimer"):
        raise DepthubError(f"--max-hours is {hours}, expected a positive number, on a system with interval timers")
    before = signal.signal(signal.SIGALRM, _raise_out_of_time)
    signal.setitimer(signal.ITIMER_REAL, 3600 * hours)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _raise_out_of_time(number: int, frame: FrameType | None) -> NoReturn:
    raise OutOfTimeError
