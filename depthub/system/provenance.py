"""The origin and the cost of numbers: versions, plugins, hardware, seconds, bytes. No host, no user, no absolute path."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, Protocol
from urllib.parse import urlparse
from urllib.request import url2pathname

PACKAGES = (
    "accelerate",
    "numpy",
    "open_clip_torch",
    "pillow",
    "safetensors",
    "scikit-learn",
    "timm",
    "torch",
    "torchvision",
    "transformers",
)
# packages that compute the numbers: their versions are compared before a stored result is used
command: ContextVar[tuple[str, ...]] = ContextVar("command", default=())  # words after `depthub` that asked for the work in progress
_FOLDERS = re.compile(r"(?<![^=:,\"'\[{ ])(?:~|[A-Za-z]:)?[/\\](?:[^/\\,:\"']*[/\\])*")  # of an absolute path
COMPARED = ("depthub", "torch", "torchvision", "open_clip_torch", "timm", "pillow", "numpy")


@contextmanager
def asked_by(words: Iterable[str]) -> Iterator[None]:
    """Work in the block was asked for by a command line, without `depthub` itself."""
    before = command.set(tuple(words))
    try:
        yield
    finally:
        command.reset(before)


class Provider(Protocol):
    """A plugin, as far as provenance records it."""

    @property
    def name(self) -> str: ...
    @property
    def distribution(self) -> str: ...
    @property
    def version(self) -> str: ...


def collect(components: Iterable[tuple[str, str, Provider]], world_size: int = 1) -> dict[str, Any]:
    """A run's provenance.

    Args:
        components: (kind, name, plugin) of each component that the run uses.
        world_size: processes that share the run.
    """
    used = [
        {"kind": kind, "name": name, "plugin": p.name, "distribution": p.distribution, "version": p.version, **source(p.distribution)}
        for kind, name, p in components
    ]
    return {
        "depthub": {"version": version("depthub") or "unknown", **source("depthub")},
        "plugins": used,
        "python": platform.python_version(),
        "platform": f"{platform.system()}-{platform.machine()}",
        "packages": dict(_packages()),
        "hardware": {"cpu": _cpu(), "cores": cores(), "ram_bytes": _ram_bytes(), "accelerators": _accelerators()},
        "execution": {"world_size": world_size, **_execution()},
    }


class Stopwatch:
    """Seconds and bytes of one run.

    Args:
        train_s: seconds of training before an interruption.
        eval_s: seconds of testing before an interruption.
    """

    def __init__(self, train_s: float = 0.0, eval_s: float = 0.0) -> None:
        self.seconds = {"encode_s": 0.0, "train_s": train_s, "eval_s": eval_s}
        self.resumed = 0  # how often the run was interrupted and resumed
        cuda = _cuda()
        if cuda is not None:
            cuda.reset_peak_memory_stats()

    @contextmanager
    def measure(self, what: Literal["encode_s", "train_s", "eval_s"]) -> Iterator[None]:
        """Add the seconds that the block takes."""
        start = time.perf_counter()
        try:
            yield
        finally:
            cuda = _cuda()
            if cuda is not None:  # the device may still be computing when the last call returns
                cuda.synchronize()
            self.seconds[what] += time.perf_counter() - start

    def cost(self, params_trainable: int, params_total: int) -> dict[str, Any]:
        """The cost of a run, as its document holds it.

        Args:
            params_trainable: numbers that training changes.
            params_total: all numbers of backbone, method and head.
        """
        cuda = _cuda()
        return {
            **{name: round(seconds, 3) for name, seconds in self.seconds.items()},
            "peak_rss_bytes": peak_rss_bytes(),
            "peak_device_bytes": None if cuda is None else int(cuda.max_memory_allocated()),
            "params_trainable": params_trainable,
            "params_total": params_total,
            **({"resumed": self.resumed} if self.resumed else {}),
        }


def version(distribution: str) -> str | None:
    """The installed version, or None."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


@cache
def _packages() -> dict[str, str]:
    return {name: present for name in PACKAGES if (present := version(name)) is not None}


@cache  # one process does many runs, and asking git takes longer than all the rest
def source(distribution: str) -> dict[str, str | bool | None]:
    """The commit that a distribution was installed from, and whether its files have changed since; None where that is unknown (PEP 610)."""
    url = _direct_url(distribution)
    if "vcs_info" in url:
        return {"commit": url["vcs_info"].get("commit_id"), "dirty": False}
    if "dir_info" in url:
        return _git_state(Path(url2pathname(urlparse(url["url"]).path)))
    if distribution == "depthub" and version("depthub") is None:  # used from its checkout, without an installation
        return _git_state(Path(__file__).parents[2])
    return {"commit": None, "dirty": None}


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def machine() -> str:
    """Processor or accelerator, threads and the version of torch, in one line."""
    import torch

    device = torch.cuda.get_device_name() if torch.cuda.is_available() else _cpu()
    return f"{device}, {torch.get_num_threads()} threads, torch {version('torch')}"


def peak_rss_bytes() -> int | None:
    """Largest memory of this process since its start, or None where the system does not report it."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def direct_url(distribution: metadata.Distribution) -> dict[str, Any]:
    """pip's record of the address that a package was installed from (PEP 610); empty if there is none, or a malformed one."""
    try:
        record = json.loads(distribution.read_text("direct_url.json") or "null")
        path = url2pathname(urlparse(record["url"]).path)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return {}
    origins = [record[key] for key in ("vcs_info", "dir_info", "archive_info") if key in record]
    if "\0" in path or not all(isinstance(origin, dict) for origin in origins):
        return {}
    commit = origins[0].get("commit_id", "") if origins else ""
    return record if isinstance(commit, str) else {}


def _direct_url(distribution: str) -> dict[str, Any]:
    try:
        return direct_url(metadata.distribution(distribution))
    except (metadata.PackageNotFoundError, ValueError):  # ValueError: an empty name
        return {}


def _git_state(folder: Path) -> dict[str, str | bool | None]:
    commit = _git(folder, "rev-parse", "HEAD")
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no", "--", ".")
    return {"commit": commit or None, "dirty": None if changes is None or not commit else bool(changes)}


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=600, check=True)
    except (OSError, subprocess.SubprocessError):  # no git, or no checkout
        return None
    return done.stdout.strip()


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, "") or platform.processor() or platform.machine()


def _ram_bytes() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows
        return None


def _cuda() -> Any:
    """torch.cuda if this process has used it, else None; never the first to import torch or to wake a device."""
    torch = sys.modules.get("torch")
    return torch.cuda if torch is not None and torch.cuda.is_initialized() else None


def _accelerators() -> list[dict[str, Any]]:
    cuda = _cuda()
    if cuda is None:
        return []
    import torch

    runtime = f"CUDA {torch.version.cuda}" if torch.version.cuda else f"ROCm {torch.version.hip}"
    devices = [cuda.get_device_properties(i) for i in range(cuda.device_count())]
    return [{"name": device.name, "memory_bytes": int(device.total_memory), "runtime": runtime} for device in devices]


def _execution() -> dict[str, Any]:
    execution: dict[str, Any] = {}
    if words := command.get():
        execution["command"] = [_FOLDERS.sub("", word) for word in ("depthub", *words)]
    torch = sys.modules.get("torch")
    if torch is None:
        return execution
    execution |= {
        "threads": torch.get_num_threads(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "tf32": bool(torch.backends.cuda.matmul.allow_tf32),
    }
    if linear := sys.modules.get("depthub.compute.linear"):
        execution["linear"] = linear.used()
    if cbwr := os.environ.get("MKL_CBWR"):
        execution["mkl_cbwr"] = cbwr
    return execution
