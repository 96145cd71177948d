"""Signals end a command as Ctrl-C does, with one line and the exit status that shells expect."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

GRACE = 1.0  # seconds from the first signal on
HANGUP = getattr(signal, "SIGHUP", None)  # Windows has none
WORDS: Mapping[int, str] = {
    signal.SIGINT: "interrupted",
    signal.SIGTERM: "terminated; the same command may be given again",
    **({HANGUP: "its terminal was closed; the same command may be given again"} if HANGUP else {}),
}


class Ended(KeyboardInterrupt):
    """A signal ends the command; a `KeyboardInterrupt`, so that the same clean-up runs as after Ctrl-C.

    Args:
        number: the number of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Within the block, the first SIGINT, SIGTERM or SIGHUP raises `Ended`; a second SIGINT or SIGTERM ends the process at once.

    "At once" is never earlier than `GRACE` after the first signal: launchers and `timeout` signal the process and its group, often right
    after the terminal did, and the clean-up needs that time. Ignored signals (`nohup`, background jobs of scripts), handlers of the caller
    and threads other than the main one, where Python accepts no handlers, are left alone. Afterwards the earlier handlers are back.

    Raises:
        Ended: also if the clean-up fails to write because the terminal is gone.
    """
    before, handler = _replaceable(), _Handler()
    try:
        for number in before:
            signal.signal(number, handler)
        yield
    except OSError as error:
        if handler.first:
            raise handler.first from error
        raise
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
        if handler.last:
            handler.last.cancel()


class _Handler:
    """The handler of all signals; remembers the first."""

    def __init__(self) -> None:
        self.first: Ended | None = None
        self.last: threading.Timer | None = None
        self.began = 0.0

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self.first is None:
            self.first, self.began = Ended(number), time.monotonic()
            raise self.first
        if self.last is None and number != HANGUP:  # a closed terminal sends SIGHUP twice, through the shell and by itself
            self.last = threading.Timer(self.began + GRACE - time.monotonic(), os._exit, (128 + number,))
            self.last.daemon = True
            self.last.start()


def _replaceable() -> dict[int, Any]:
    """The signals with Python's own handlers, and these."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    handlers = {number: signal.getsignal(number) for number in WORDS}
    return {number: handler for number, handler in handlers.items() if handler in (signal.SIG_DFL, signal.default_int_handler)}


def report(end: KeyboardInterrupt) -> int:
    """Print the end of the command, if anybody can still read it.

    Returns:
        The exit status: 128 and the signal's number.
    """
    number = end.number if isinstance(end, Ended) else signal.SIGINT
    try:
        print(f"depthub: {WORDS[number]}", file=sys.stderr, flush=True)
        sys.stdout.flush()
    except OSError:
        discard(sys.stderr.fileno(), sys.stdout.fileno())
    return 128 + number


def discard(*streams: int) -> None:
    """Redirect file descriptors to nowhere, so that Python does not complain about buffered text when it exits."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in streams:
        os.dup2(nowhere, stream)
    os.close(nowhere)
