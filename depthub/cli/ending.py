"""How signals end a command: all as Ctrl-C does, with one line and the exit status that shells expect."""

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
    """A signal ends the command. Whatever cleans up after Ctrl-C cleans up after this.

    Args:
        number: the signal's.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Within, the first SIGINT, SIGTERM or SIGHUP raises `Ended`; with a second SIGINT or SIGTERM the process ends without its clean-up.

    A second one that comes with the first still leaves the clean-up `GRACE`: launchers and `timeout` send their signal to the process and
    to its group, or after the terminal did. What is ignored (by `nohup`, or in the background of a script) or has a handler of the
    caller's stays as it is, and so does everything outside the main thread, where Python takes no handlers. Afterwards the handlers are
    the ones from before.

    Raises:
        Ended: also where the clean-up fails to write, as it does once the terminal is gone.
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
        for number, found in before.items():
            signal.signal(number, found)
        if handler.last:
            handler.last.cancel()


class _Handler:
    """Of all signals; knows what came before."""

    def __init__(self) -> None:
        self.first: Ended | None = None
        self.last: threading.Timer | None = None
        self.began = 0.0

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self.first is None:
            self.first, self.began = Ended(number), time.monotonic()
            raise self.first
        if self.last is None and number != HANGUP:  # a closed terminal says so twice, through the shell and by itself
            self.last = threading.Timer(self.began + GRACE - time.monotonic(), os._exit, (128 + number,))
            self.last.daemon = True
            self.last.start()


def _replaceable() -> dict[int, Any]:
    """The handlers of the signals that do what they do in any Python program."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    handlers = {number: signal.getsignal(number) for number in WORDS}
    return {number: handler for number, handler in handlers.items() if handler in (signal.SIG_DFL, signal.default_int_handler)}


def report(end: KeyboardInterrupt) -> int:
    """Say what ended the command, if anybody can still read it.

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
    """Send what Python still writes to these file descriptors nowhere, so that it does not complain when it exits."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in streams:
        os.dup2(nowhere, stream)
    os.close(nowhere)
