"""One thread for everything, and the versions and libraries that figures depend on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import pytest
import torch

from depthub.compute.linear import choice


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def pytest_benchmark_update_machine_info(machine_info: dict[str, Any]) -> None:
    build = torch.__config__.show()
    mkl = re.search(r"Math Kernel Library Version ([\d.]+)", build)
    blas = re.search(r"BLAS_INFO=(\w+)", build)
    machine_info["versions"] = {name: version(name) for name in ("depthub", "torch", "open_clip_torch")}
    machine_info["linear"] = choice()
    machine_info["blas"] = f"MKL {mkl[1]}" if mkl else blas[1] if blas else "unknown"
