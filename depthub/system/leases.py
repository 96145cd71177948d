"""Leases: who works on what, among processes and machines that share a file system and nothing else.

A lease on NAME is the file `NAME.<generation>`, made exclusively, so that of several who want it one gets it. Its owner renews it by
its modification time. A lease is lost when nobody renewed it for long, or at once when its owner's process on this machine has ended:
whoever makes the file of the next generation owns NAME from then on, and of several who try, again one succeeds. The former owner sees the
newer generation, should it still live.

    cat.0   made by A, who is killed; its time stands still
    cat.1   made by B; C, who tried too, found it there and does something else
"""

from __future__ import annotations

import json
import os
import platform
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import psutil

from depthub.errors import DepthubError

RENEWALS = 4  # of a lease in the time after which it is lost
SHORT_LIVED = (".new", ".now")  # files that exist for a moment, unless their process is killed in it
MOMENT = 1.0  # seconds
ATTEMPTS = 100  # to make a file in a folder that others remove when it is empty


class Lease:
    """The right to work on a name, until it is released or lost.

    Args:
        path: its file.
        token: the content of the file; nobody else has the same.
    """

    def __init__(self, path: Path, token: str) -> None:
        self.path, self._token = path, token

    @property
    def name(self) -> str:
        """What it is a lease on."""
        return self.path.stem

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
            for generation in range(_generation(self.path) + 1):
                with suppress(OSError):  # a disk that has become read-only: the lease ends with this process
                    _file(self.path, generation).unlink(missing_ok=True)
            with suppress(OSError):
                self.path.parent.rmdir()  # if nothing is left in it


class Leases:
    """Leases on names, as files of one folder.

    Args:
        folder: on the file system that all workers share; made when it is needed.
        seconds: without renewal, after which a lease is lost.
    """

    def __init__(self, folder: Path, seconds: float = 120.0) -> None:
        self.folder, self.seconds = folder, seconds
        self._secret = secrets.token_hex(8)

    def take(self, name: str) -> Lease | None:
        """The lease on a name, or None if somebody else works on it.

        Args:
            name: fit for a file's name, without a full stop.

        Raises:
            DepthubError: if the folder cannot be written.
        """
        for attempts_left in reversed(range(ATTEMPTS)):
            try:
                return self._taken(name)
            except OSError as error:
                # another process may have released the last lease of the folder, and removed it
                if not (isinstance(error, FileNotFoundError) and attempts_left):
                    raise DepthubError(f"cannot write to {self.folder}: {error.strerror or error}") from error
        raise AssertionError("unreachable")

    @contextmanager
    def kept(self, *leases: Lease) -> Iterator[None]:
        """Renew leases from a thread meanwhile, and release them then."""
        ended = threading.Event()

        def renew() -> None:
            while not ended.wait(self.seconds / RENEWALS):
                for lease in leases:
                    lease.renew()

        thread = threading.Thread(target=renew, name="depthub-leases", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            for lease in leases:
                lease.release()

    def names(self) -> dict[str, bool]:
        """Every name with a lease, and whether it is lost."""
        newest: dict[str, Path] = {}
        for path in sorted(filter(_is_lease, self.folder.glob("*.*")), key=_generation):
            newest[path.stem] = path
        return {name: self._lost(path) for name, path in newest.items()}

    def remove_lost(self) -> int:
        """Remove the files that lost leases and killed processes have left; returns the number of names with a lost lease."""
        lost = [name for name, is_lost in self.names().items() if is_lost]
        for name in lost:
            if lease := self.take(name):
                lease.release()
        for path in [path for path in self.folder.glob("*.*") if path.suffix in SHORT_LIVED]:
            if self._age(path) > MOMENT:
                path.unlink(missing_ok=True)
        with suppress(OSError):
            self.folder.rmdir()  # if nothing is left in it
        return len(lost)

    def _taken(self, name: str) -> Lease | None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if lease := self._made(self.folder / f"{name}.0"):
            return self._without_newer(lease)
        newest = self._newest(name)
        return self._made(_file(newest, _generation(newest) + 1)) if newest and self._lost(newest) else None

    def _newest(self, name: str) -> Path | None:
        """The file of the last generation of a name."""
        return max(filter(_is_lease, self.folder.glob(f"{name}.*")), key=_generation, default=None)

    def _without_newer(self, lease: Lease) -> Lease | None:
        """The lease on a name's first generation, unless it was made while somebody released or took over a later one."""
        newest = self._newest(lease.name)
        if newest is None or newest == lease.path:
            return lease
        lease.path.unlink(missing_ok=True)
        return None

    def _made(self, path: Path) -> Lease | None:
        """The lease whose file this becomes, whole from the first moment, unless another has just made it."""
        token = json.dumps({**_this_process(), "secret": self._secret})
        whole = self.folder / f"{secrets.token_hex(8)}.new"
        whole.write_text(token)
        try:
            os.link(whole, path)
        except FileExistsError:
            return None
        finally:
            whole.unlink(missing_ok=True)
        return Lease(path, token)

    def _lost(self, path: Path) -> bool:
        """Whether the owner of a lease has ended, or nobody renewed it for long."""
        try:
            return _has_ended(path.read_text()) or self._age(path) > self.seconds
        except FileNotFoundError:  # released meanwhile
            return False

    def _age(self, path: Path) -> float:
        """Seconds since a file was changed, by the clock of the file system: those of the machines may differ."""
        probe = self.folder / f"{secrets.token_hex(8)}.now"
        probe.touch()
        now = probe.stat().st_mtime
        probe.unlink()
        try:
            return now - path.stat().st_mtime
        except FileNotFoundError:
            return 0.0


@cache
def _machine() -> str:
    """This machine since its start, and its space of process numbers: containers on one machine have several."""
    parts = [platform.node()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        parts.append(str(Path("/proc/self/ns/pid").stat().st_ino))
    return ":".join(parts)


def _this_process() -> dict[str, str | int | float]:
    return {"machine": _machine(), "pid": os.getpid(), "started": psutil.Process().create_time()}


def _has_ended(token: str) -> bool:
    """Whether the process behind a token ran on this machine and runs no more."""
    try:
        owner = json.loads(token)
        if owner["machine"] != _machine():
            return False
        process = psutil.Process(owner["pid"])
        return bool(process.create_time() != owner["started"] or process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True
    except (ValueError, KeyError, TypeError, psutil.Error):
        return False


def _is_lease(path: Path) -> bool:
    return path.suffix[1:].isdecimal()


def _generation(path: Path) -> int:
    return int(path.suffix[1:])


def _file(path: Path, generation: int) -> Path:
    return path.with_suffix(f".{generation}")
