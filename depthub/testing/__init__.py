"""For authors of plugins: the contract of methods and heads, as checks that run in seconds on a CPU.

`depthub check PLUGIN` runs them, or one class in the plugin's own tests:

    from depthub.testing import ConformanceSuite

    class TestMine(ConformanceSuite):
        plugin = "my_plugin"

What each check asks, and why, is in docs/contract.md.
"""

from __future__ import annotations

from depthub.testing.case import Case, cases
from depthub.testing.checks import CHECKS
from depthub.testing.contract import Check, ContractError
from depthub.testing.golden import replay
from depthub.testing.suite import ConformanceSuite

__all__ = ["CHECKS", "Case", "Check", "ConformanceSuite", "ContractError", "cases", "replay"]
