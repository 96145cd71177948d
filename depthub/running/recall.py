"""Requests whose runs were done, so that a finished run is found without loading plugins, data or torch.

A request (a command line, a spec) is kept with its runs and with the state of every file that the answer depends on: code, data, weights,
settings. It is answered again only while all of these are as they were, the versions of packages and the environment included. Otherwise
the long way decides, as it does where the files are not known.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from depthub.errors import DepthubError
from depthub.records.document import read
from depthub.records.result import RunResult
from depthub.registry.hookspecs import GROUP
from depthub.system.files import atomic_write, cache_folder
from depthub.system.provenance import version

FRESH = 2 * 10**9  # nanoseconds: what changed a moment ago may change again unseen
OURS = ("MKL_CBWR", "AUTO,STRICT")  # set in the process that computes, not yet in one that asks
_PACKAGES = ("depthub", "torch", "torchvision", "open_clip_torch", "timm", "pillow", "numpy", "accelerate")
_VARIABLES = ("DEPTHUB_", "ACCELERATE_", "OMP_", "MKL_", "WORLD_SIZE", "RANK")


def answer(request: Mapping[str, Any]) -> list[RunResult] | None:
    """The runs of a request that was kept, if everything is as it was; else None.

    Args:
        request: plain data, as it was kept.
    """
    try:
        kept = json.loads(_path(request).read_bytes())
        if kept["state"] != _state(map(Path, kept["places"])):
            return None
        return [read(Path(folder), recount=False) for folder in kept["runs"]]
    except (OSError, ValueError, KeyError, TypeError, DepthubError):  # the long way says what is wrong
        return None


def keep(request: Mapping[str, Any], results: Sequence[RunResult], places: Iterable[Path] | None) -> None:
    """Keep a request with its finished runs.

    Args:
        request: plain data that says all that was asked.
        results: its runs, on disk.
        places: files and folders that their numbers depend on; None: not known, so that nothing is kept.
    """
    folders = [str(result.folder.absolute()) for result in results if result.folder]
    if places is None or len(folders) < len(results):
        return
    names = sorted({str(place.absolute()) for place in places})
    state = _state(map(Path, names))
    if state:
        with suppress(DepthubError):  # it only saves time
            atomic_write(_path(request), json.dumps({"places": names, "state": state, "runs": folders}).encode())


def _path(request: Mapping[str, Any]) -> Path:
    """Where a request is kept: named by all that is known without loading anything."""
    variables = ((name, value) for name, value in sorted(os.environ.items()) if name.startswith(_VARIABLES))
    environment = {name: value for name, value in variables if (name, value) != OURS}
    plugins = [(entry.name, entry.value, *((entry.dist and (entry.dist.name, entry.dist.version)) or ())) for entry in _entries()]
    versions = {name: version(name) for name in _PACKAGES}
    asked = [request, str(Path.cwd()), environment, plugins, versions, sys.version, sys.prefix]
    return cache_folder() / "recall" / f"{hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()}.json"


def _entries() -> list[EntryPoint]:
    return sorted(entry_points(group=GROUP), key=lambda entry: (entry.name, entry.value))


def _state(places: Iterable[Path]) -> str:
    """SHA-256 over sizes and times of files and folders, and of the code; empty if one is missing or has just changed."""
    total = hashlib.sha256()
    now = time.time_ns()
    try:
        for file in (*(file for path in _code() for file in _files(path)), *places):
            stat = file.stat()
            if now - max(stat.st_mtime_ns, stat.st_ctime_ns) < FRESH:
                return ""
            total.update(f"{file} {stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns} {stat.st_ino}\n".encode(errors="surrogatepass"))
    except OSError:
        return ""
    return total.hexdigest()


def _code() -> Iterator[Path]:
    """The folders or files of depthub's core and of every plugin."""
    for name in sorted({"depthub", *(entry.value.partition(":")[0].partition(".")[0] for entry in _entries())}):
        with suppress(ImportError, ValueError):
            spec = find_spec(name)
            if spec and spec.origin:
                yield Path(spec.origin).parent if spec.submodule_search_locations else Path(spec.origin)


def _files(path: Path) -> Iterator[Path]:
    """A file; of a folder all files and folders in it, Python's caches left out."""
    yield path
    if path.is_dir():
        for folder, folders, names in os.walk(path):
            folders[:] = sorted(name for name in folders if name != "__pycache__")
            yield from (Path(folder, name) for name in (*folders, *sorted(names)))
