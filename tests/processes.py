"""Processes that a test starts: it waits for their events, never for a clock, and ends them with all their children."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

LIMIT = 300.0  # seconds: only a process that hangs takes so long, on any machine
PAUSE = 0.02  # seconds between two looks
needs_proc = pytest.mark.skipif(not Path("/proc").exists(), reason="looks at processes in /proc")

# Under nohup, or in the background of a script, signals are ignored, and children inherit that. The child resets its signals as a terminal
# does, and then becomes the command, with the same process id.
AS_FROM_A_TERMINAL = """
import os, signal, sys
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN if number.name in sys.argv[1].split() else signal.SIG_DFL)
signal.pthread_sigmask(signal.SIG_SETMASK, [])
os.execvp(sys.argv[2], sys.argv[2:])
"""


def wait_until(condition: Callable[[], object], what: str, so_far: Callable[[], str] = str, limit: float = LIMIT) -> None:
    """Wait for an event.

    Args:
        condition: true once it has happened.
        what: the event, for the message.
        so_far: details for the message.
        limit: seconds.

    Raises:
        AssertionError: if it does not happen within the limit.
    """
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end, f"waited {limit:.0f} s in vain for {what}; so far: {so_far()}"
        time.sleep(PAUSE)


class Child:
    """A running command, first of a process group of its own.

    Args:
        process: the command.
        folder: with its standard streams, in files "out" and "err".
    """

    def __init__(self, process: subprocess.Popen[bytes], folder: Path) -> None:
        self.process, self.folder = process, folder

    @property
    def out(self) -> str:
        """Its standard output so far."""
        return (self.folder / "out").read_text(errors="backslashreplace")

    @property
    def err(self) -> str:
        """Its standard error so far."""
        return (self.folder / "err").read_text(errors="backslashreplace")

    def wait_until(self, condition: Callable[[], object], what: str) -> None:
        """Wait for an event that only this process brings about.

        Raises:
            AssertionError: if the process ends without it, or it does not happen within `LIMIT`.
        """
        wait_until(lambda: condition() or self.process.poll() is not None, what, self._output)
        assert condition(), f"ended with {self.process.returncode} before {what}: {self._output()}"

    def status(self, limit: float = LIMIT) -> int:
        """Wait for its end, at most `limit` seconds.

        Returns:
            The exit status, or the negative number of the signal that killed it.
        """
        wait_until(lambda: self.process.poll() is not None, "the end", self._output, limit)
        return int(self.process.returncode)

    def _output(self) -> str:
        return self.out + self.err

    def members(self) -> list[int]:
        """The live processes of its group, itself included. Looks into /proc."""
        pids = [int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdecimal()]
        return [pid for pid in pids if alive(pid) and _group(pid) == self.process.pid]

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process alone, as `kill` does."""
        self.process.send_signal(number)

    def send_all(self, number: signal.Signals) -> None:
        """Send a signal to the process and its children, as a terminal does."""
        os.killpg(self.process.pid, number)


@contextmanager
def started(
    *command: str, cwd: Path | None = None, environ: Mapping[str, str] | None = None, ignored: tuple[signal.Signals, ...] = ()
) -> Iterator[Child]:
    """A running command. After the block, it and all processes of its group are gone.

    Args:
        command: the program and its arguments.
        cwd: its working folder; by default that of this process.
        environ: added to this process's environment.
        ignored: those of SIGINT, SIGTERM and SIGHUP that it ignores; no others, whatever this process ignores.
    """
    names = " ".join(number.name for number in ignored)
    with TemporaryDirectory() as name, (Path(name) / "out").open("wb") as out, (Path(name) / "err").open("wb") as err:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", AS_FROM_A_TERMINAL, names, *command],
            cwd=cwd,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(environ or {})},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
        try:
            yield Child(process, Path(name))
        finally:
            _end_group(process)


def _end_group(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:  # all of them ended by themselves
        pass
    finally:
        process.wait()


def _group(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return 0


def alive(pid: int) -> bool:
    """Whether a process runs; not if it has ended and its parent has not noticed yet. Looks into /proc."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
