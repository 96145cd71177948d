"""The network, which is asked by an explicit word only."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from depthub.errors import DepthubError

ASKS = ("getaddrinfo", "create_connection")  # of the module
CONNECTS = ("connect", "connect_ex")  # of a socket
_missing = object()


class OfflineError(OSError):
    """Something asked the network without leave."""


@contextmanager
def needed(what: str, download: bool) -> Iterator[None]:
    """A block that finds `what` on this machine, or gets it if `download` says so.

    Raises:
        DepthubError: if it is not here and may not be got, or cannot be got.
    """
    try:
        if download:
            yield
        else:
            with offline():
                yield
    except DepthubError:
        raise
    except (OSError, RuntimeError, ValueError, LookupError) as error:
        if not download:
            raise DepthubError(f"{what} is not on this machine; --download gets it") from error
        raise DepthubError(f"cannot download {what}: {' '.join(str(error).split())[:120]}") from error


@contextmanager
def offline() -> Iterator[None]:
    """Whatever asks the network inside the block gets an `OfflineError`; threads that ran before it are left alone.

    Raises:
        OfflineError: where the block asks.
    """
    from huggingface_hub import constants

    others = {thread.ident for thread in threading.enumerate()} - {threading.get_ident()}
    before = constants.HF_HUB_OFFLINE
    replaced = [(owner, name, vars(owner).get(name, _missing)) for owner, names in _doors() for name in names]
    try:
        constants.HF_HUB_OFFLINE = True
        for owner, name, _ in replaced:
            setattr(owner, name, _closed(getattr(owner, name), others))
        yield
    finally:
        constants.HF_HUB_OFFLINE = before
        for owner, name, found in replaced:
            if found is _missing:
                delattr(owner, name)
            else:
                setattr(owner, name, found)


def _doors() -> list[tuple[Any, tuple[str, ...]]]:
    return [(socket, ASKS), (socket.socket, CONNECTS)]


def _closed(call: Callable[..., Any], others: set[int | None]) -> Callable[..., Any]:
    def ask(*args: Any, **more: Any) -> Any:
        local = isinstance(args[0] if args else None, socket.socket) and args[0].family == getattr(socket, "AF_UNIX", None)
        if local or threading.get_ident() in others:
            return call(*args, **more)
        raise OfflineError("the network is not asked without --download")

    return ask
