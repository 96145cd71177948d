"""Executors: the processes of this machine, jobs of a Slurm cluster, tasks of a Ray cluster."""

from __future__ import annotations

from depthub import Executor, hookimpl
from depthub_executors.local import Local
from depthub_executors.ray import Ray
from depthub_executors.slurm import Slurm

__all__ = ["Local", "Ray", "Slurm"]


@hookimpl
def depthub_executors() -> list[type[Executor]]:
    return [Local, Ray, Slurm]
