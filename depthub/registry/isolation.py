"""The process as it was: what foreign code changes of it while it is imported or called is put back."""

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
    """Put back what numbers depend on, warning filters, environment, working folder, search path, locale and signal handlers.

    Args:
        quiet: what the block prints goes to stderr, also from other languages and child processes, and there is nothing to read.
    """
    with ExitStack() as stack:
        stack.enter_context(numerics.kept())
        stack.enter_context(warnings.catch_warnings())
        stack.enter_context(_environment())
        stack.enter_context(_interpreter())
        stack.enter_context(_signals())
        if quiet:
            stack.enter_context(_to_stderr())
        yield


def forget(package: str, known: Collection[str]) -> None:
    """Drop the modules of a package that were imported since, so that their classes are no longer among the subclasses of others.

    There they would be asked in every `isinstance` of an abstract class, and be offered by the command line.

    Args:
        package: the outermost name.
        known: names of modules that stay.
    """
    found = [name for name in sys.modules if name.partition(".")[0] == package and name not in known]
    for name in found:
        del sys.modules[name]
    if found:
        gc.collect()  # classes hold on to themselves


@contextmanager
def _environment() -> Iterator[None]:
    variables, place, words = dict(os.environ), Path.cwd(), locale.setlocale(locale.LC_ALL)
    try:
        yield
    finally:
        for name in os.environ.keys() - variables.keys():
            del os.environ[name]
        os.environ.update({name: value for name, value in variables.items() if os.environ.get(name) != value})
        with suppress(OSError):  # a working folder that is gone
            os.chdir(place)
        locale.setlocale(locale.LC_ALL, words)


@contextmanager
def _interpreter() -> Iterator[None]:
    path, hooks, depth = [*sys.path], (sys.excepthook, sys.displayhook, sys.stdin, sys.stdout, sys.stderr), sys.getrecursionlimit()
    try:
        yield
    finally:
        sys.path[:] = path
        sys.excepthook, sys.displayhook, sys.stdin, sys.stdout, sys.stderr = hooks
        sys.setrecursionlimit(depth)


@contextmanager
def _signals() -> Iterator[None]:
    """Only the main thread may set them."""
    mine = threading.current_thread() is threading.main_thread()
    before = {number: signal.getsignal(number) for number in signal.valid_signals()} if mine else {}
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
        with suppress(OSError):  # a process without one of the two
            held = os.dup(1)
            stack.callback(os.close, held)
            os.dup2(2, 1)
            stack.callback(os.dup2, held, 1)
        stack.enter_context(redirect_stdout(sys.stderr))
        sys.stdin = stack.enter_context(Path(os.devnull).open())  # asking a question ends at once; `_interpreter` puts it back
        yield
