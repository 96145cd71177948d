"""Foreign code is imported and called with the state of the process saved before and restored afterwards."""

from __future__ import annotations

import gc
import locale
import os
import signal
import sys
import threading
import warnings
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from pathlib import Path

from depthub.compute import numerics


@contextmanager
def isolated(*, quiet: bool) -> Iterator[None]:
    """Restore on exit: settings that numbers depend on, warning filters, environment, working folder, search path, locale, signal handlers.

    Args:
        quiet: send all output of the block to stderr, that of other languages and child processes included, and make stdin empty.
    """
    with ExitStack() as stack:
        stack.enter_context(numerics.restored())
        stack.enter_context(warnings.catch_warnings())
        stack.enter_context(_environment())
        stack.enter_context(_interpreter())
        stack.enter_context(_signals())
        if quiet:
            stack.enter_context(_to_stderr())
        yield


def forget(package: str, earlier: Collection[str]) -> None:
    """Remove the newly imported modules of a package, so that their classes are no longer subclasses of depthub's.

    Otherwise every `isinstance` of an abstract class would call their metaclasses, and the command line would offer them.

    Args:
        package: the top-level package.
        earlier: names of modules that were imported earlier and stay.
    """
    names = [name for name in sys.modules if name.partition(".")[0] == package and name not in earlier]
    for name in names:
        del sys.modules[name]
    if names:
        gc.collect()  # a class is part of a reference cycle


@contextmanager
def _environment() -> Iterator[None]:
    variables, folder, language = dict(os.environ), Path.cwd(), locale.setlocale(locale.LC_ALL)
    try:
        yield
    finally:
        for name in os.environ.keys() - variables.keys():
            del os.environ[name]
        os.environ.update({name: value for name, value in variables.items() if os.environ.get(name) != value})
        with suppress(OSError):  # the working folder was deleted
            os.chdir(folder)
        locale.setlocale(locale.LC_ALL, language)


@contextmanager
def _interpreter() -> Iterator[None]:
    path, depth = [*sys.path], sys.getrecursionlimit()
    hooks = (sys.excepthook, sys.displayhook, sys.stdin, sys.stdout, sys.stderr)
    try:
        yield
    finally:
        sys.path[:] = path
        sys.excepthook, sys.displayhook, sys.stdin, sys.stdout, sys.stderr = hooks
        sys.setrecursionlimit(depth)


@contextmanager
def _signals() -> Iterator[None]:
    """Only the main thread may set signal handlers."""
    is_main = threading.current_thread() is threading.main_thread()
    before = {number: signal.getsignal(number) for number in signal.valid_signals()} if is_main else {}
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)


@contextmanager
def _to_stderr() -> Iterator[None]:
    with ExitStack() as stack:
        if sys.stdout is not None:
            sys.stdout.flush()
        with suppress(OSError):  # a process without stdout or stderr
            stdout = os.dup(1)
            stack.callback(os.close, stdout)
            os.dup2(2, 1)
            stack.callback(os.dup2, stdout, 1)
        stack.enter_context(redirect_stdout(sys.stderr))
        sys.stdin = stack.enter_context(Path(os.devnull).open())  # `input()` fails at once; `_interpreter` restores stdin
        yield
