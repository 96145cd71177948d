"""Leases: who works on what, among processes and machines that share a file system and nothing else.

A lease on NAME is the file `NAME.<generation>`, made exclusively, so that of several who want it one gets it. Its owner renews it by
its modification time. A lease that nobody renewed for long is lost: whoever makes the file of the next generation owns NAME from then on,
and of several who try, again one succeeds. The former owner sees the newer generation, should it still live.

    cat.0   made by A, who is killed; its time stands still
    cat.1   made by B after `seconds`; C, who tried too, found it there and does something else
"""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from depthub.errors import DepthubError

RENEWALS = 4  # of a lease in the time after which it is lost


class Lease:
    """The right to work on a name, until it is released or lost.

    Args:
        path: its file.
        token: what the owner wrote into the file; nobody else knows it.
    """

    def __init__(self, path: Path, token: str) -> None:
        self.path, self._token = path, token

    @property
    def held(self) -> bool:
        """Whether nobody took the name over."""
        try:
            return self.path.read_text() == self._token and not _file(self.path, _generation(self.path) + 1).exists()
        except OSError:
            return False

    def renew(self) -> None:
        """Keep the lease for as long again, if it is not lost already."""
        with suppress(OSError):  # a file system that does not answer now may do so before the lease is lost
            if self.held:
                os.utime(self.path)

    def release(self) -> None:
        """Give the name back."""
        if self.held:
            for older in range(_generation(self.path) + 1):
                _file(self.path, older).unlink(missing_ok=True)


class Leases:
    """Leases on names, as files of one folder.

    Args:
        folder: on the file system that all workers share; made when it is needed.
        seconds: without renewal, after which a lease is lost.
    """

    def __init__(self, folder: Path, seconds: float = 120.0) -> None:
        self.folder, self.seconds = folder, seconds
        self._token = secrets.token_hex(8)

    def take(self, name: str) -> Lease | None:
        """The lease on a name, or None if somebody else works on it.

        Args:
            name: fit for a file's name, without a full stop.

        Raises:
            DepthubError: if the folder cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            newest = max(map(_generation, filter(_is_lease, self.folder.glob(f"{name}.*"))), default=None)
            if newest is None:
                return self._made(self.folder / f"{name}.0")
            path = self.folder / f"{name}.{newest}"
            return self._made(_file(path, newest + 1)) if self._lost(path) else None
        except OSError as error:
            raise DepthubError(f"cannot write to {self.folder}: {error.strerror or error}") from error

    @contextmanager
    def kept(self, lease: Lease) -> Iterator[Lease]:
        """Renew a lease from a thread meanwhile, and release it then."""
        ended = threading.Event()

        def renew() -> None:
            while not ended.wait(self.seconds / RENEWALS):
                lease.renew()

        thread = threading.Thread(target=renew, daemon=True)
        thread.start()
        try:
            yield lease
        finally:
            ended.set()
            thread.join()
            lease.release()

    def names(self) -> dict[str, bool]:
        """Every name with a lease, and whether it is lost."""
        newest: dict[str, Path] = {}
        for path in sorted(filter(_is_lease, self.folder.glob("*.*")), key=_generation):
            newest[path.stem] = path
        return {name: self._lost(path) for name, path in newest.items()}

    def remove_lost(self) -> int:
        """Remove the files of lost leases; returns how many names they were on."""
        lost = [name for name, is_lost in self.names().items() if is_lost]
        for name in lost:
            if lease := self.take(name):
                lease.release()
        with suppress(OSError):
            self.folder.rmdir()  # if nothing is left in it
        return len(lost)

    def _made(self, path: Path) -> Lease | None:
        """The lease whose file this becomes, unless another has just made it."""
        try:
            with path.open("x") as file:
                file.write(self._token)
        except FileExistsError:
            return None
        return Lease(path, self._token)

    def _lost(self, path: Path) -> bool:
        """Whether nobody renewed a lease for long, by the clock of the file system: those of the machines may differ."""
        probe = self.folder / f"{self._token}.now"
        probe.touch()
        now = probe.stat().st_mtime
        probe.unlink()
        try:
            return now - path.stat().st_mtime > self.seconds
        except FileNotFoundError:  # released meanwhile
            return False


def _is_lease(path: Path) -> bool:
    return path.suffix[1:].isdecimal()


def _generation(path: Path) -> int:
    return int(path.suffix[1:])


def _file(path: Path, generation: int) -> Path:
    return path.with_suffix(f".{generation}")
