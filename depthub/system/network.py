"""The network, which is used on the user's explicit request only."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from depthub.errors import DepthubError

# functions that reach for the network
_FUNCTIONS: tuple[tuple[Any, str], ...] = (
    (socket, "getaddrinfo"),
    (socket, "create_connection"),
    (socket.socket, "connect"),
    (socket.socket, "connect_ex"),
)
_missing = object()


class OfflineError(OSError):
    """Code used the network without permission."""


@contextmanager
def needed(what: str, download: bool) -> Iterator[None]:
    """A block that looks `what` up on this machine, or downloads it.

    Args:
        what: in words, for messages.
        download: whether it may be downloaded.

    Raises:
        DepthubError: if it is not on this machine, and may not or cannot be downloaded.
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
    """Code in the block that uses the network gets an `OfflineError`; threads that were started before are left alone.

    Raises:
        OfflineError: in the block, at the call that uses the network.
    """
    from huggingface_hub import constants

    others = {thread.ident for thread in threading.enumerate()} - {threading.get_ident()}
    before = constants.HF_HUB_OFFLINE
    originals = [(owner, name, vars(owner).get(name, _missing)) for owner, name in _FUNCTIONS]
    try:
        constants.HF_HUB_OFFLINE = True
        for owner, name in _FUNCTIONS:
            setattr(owner, name, _closed(getattr(owner, name), others))
        yield
    finally:
        constants.HF_HUB_OFFLINE = before
        for owner, name, original in originals:
            if original is _missing:
                delattr(owner, name)
            else:
                setattr(owner, name, original)


def _closed(call: Callable[..., Any], others: set[int | None]) -> Callable[..., Any]:
    """The function for threads in `others` and for sockets within this machine; an error for everything else."""

    def ask(*args: Any, **more: Any) -> Any:
        local = isinstance(args[0] if args else None, socket.socket) and args[0].family == getattr(socket, "AF_UNIX", None)
        if local or threading.get_ident() in others:
            return call(*args, **more)
        raise OfflineError("the network is not asked without --download")

    return ask
