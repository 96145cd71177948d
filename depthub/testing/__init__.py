"""For authors of plugins: the contract of plugins as checks that run in seconds on a CPU.

`depthub check PLUGIN` runs them, or one class in the plugin's own tests:

    from depthub.testing import ConformanceSuite

    class TestMine(ConformanceSuite):
        plugin = "my_plugin"

docs/contract.md explains each check.
"""

from __future__ import annotations

from depthub.testing.backbones import BackboneCase
from depthub.testing.case import Case, Part
from depthub.testing.checks import CHECKS
from depthub.testing.contract import Check, ContractError, SkippedError
from depthub.testing.datasets import DataSetCase
from depthub.testing.executors import ExecutorCase
from depthub.testing.golden import replay
from depthub.testing.protocols import ProtocolCase
from depthub.testing.provided import cases
from depthub.testing.suite import ConformanceSuite

__all__ = [
    "CHECKS",
    "BackboneCase",
    "Case",
    "Check",
    "ConformanceSuite",
    "ContractError",
    "DataSetCase",
    "ExecutorCase",
    "Part",
    "ProtocolCase",
    "SkippedError",
    "cases",
    "replay",
]
