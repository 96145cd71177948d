"""Finished requests, so that stored results are found without loading plugins, data or torch.

A request (a command line, a list of specs) is stored with its runs and with the state of every file that the answer depends on: code, data,
weights, settings. It is answered from here only while all of these are unchanged, the versions of packages and the environment included.
Otherwise, and where the files are not known, the specs are resolved.
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
from depthub.system.provenance import COMPARED, version

FRESH = 2 * 10**9  # nanoseconds: a file that has just changed may change again without another time of change
OURS = ("MKL_CBWR", "AUTO,STRICT")  # depthub sets this variable itself, in processes that compute
_PACKAGES = (*COMPARED, "accelerate")
_VARIABLES = ("DEPTHUB_", "ACCELERATE_", "OMP_", "MKL_", "WORLD_SIZE", "RANK")


def answer(request: Mapping[str, Any]) -> list[RunResult] | None:
    """The results of a stored request; None if it is not stored, or if any file has changed.

    Args:
        request: plain data, as given to `keep`.
    """
    try:
        entry = json.loads(_path(request).read_bytes())
        if entry["state"] != _state(map(Path, entry["places"])):
            return None
        return [read(Path(folder), recount=False) for folder in entry["runs"]]
    except (OSError, ValueError, KeyError, TypeError, DepthubError):  # doing the runs reports whatever is wrong
        return None


def keep(request: Mapping[str, Any], results: Sequence[RunResult], places: Iterable[Path] | None) -> None:
    """Store a request with its finished runs.

    Args:
        request: plain data; equal for equal requests.
        results: its runs, on disk.
        places: files and folders that their numbers depend on; None: not known, then the request is not stored.
    """
    folders = [str(result.folder.absolute()) for result in results if result.folder]
    if places is None or len(folders) < len(results):
        return
    names = sorted({str(place.absolute()) for place in places})
    state = _state(map(Path, names))
    if state:
        with suppress(DepthubError):  # without it only time is lost
            atomic_write(_path(request), json.dumps({"places": names, "state": state, "runs": folders}).encode())


def _path(request: Mapping[str, Any]) -> Path:
    """The file of a request: named by the request and by whatever can be looked up without loading anything."""
    variables = ((name, value) for name, value in sorted(os.environ.items()) if name.startswith(_VARIABLES))
    environment = {name: value for name, value in variables if (name, value) != OURS}
    plugins = [(entry.name, entry.value, *((entry.dist and (entry.dist.name, entry.dist.version)) or ())) for entry in _entries()]
    versions = {name: version(name) for name in _PACKAGES}
    key = [request, str(Path.cwd()), environment, plugins, versions, sys.version, sys.prefix]
    return cache_folder() / "recall" / f"{hashlib.sha256(json.dumps(key, sort_keys=True, default=str).encode()).hexdigest()}.json"


def _entries() -> list[EntryPoint]:
    return sorted(entry_points(group=GROUP), key=lambda entry: (entry.name, entry.value))


def _state(places: Iterable[Path]) -> str:
    """SHA-256 over sizes and times of files and folders, those of the code included; empty if one is missing or has just changed."""
    total = hashlib.sha256()
    now = time.time_ns()
    try:
        code = [file for path in _code() for file in _files(path)]
        for file in (*code, *places):
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
    """The path itself, and for a folder all files and folders in it, without Python's caches."""
    yield path
    if path.is_dir():
        for folder, folders, names in os.walk(path):
            folders[:] = sorted(name for name in folders if name != "__pycache__")
            yield from (Path(folder, name) for name in (*folders, *sorted(names)))
