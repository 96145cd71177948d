"""The contract as a test class, for a plugin's own tests."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from depthub.testing.case import Part
from depthub.testing.checks import CHECKS
from depthub.testing.contract import Check
from depthub.testing.provided import cases

_cases = cache(cases)  # pytest calls this once per test, and the tests share the trainings


class ConformanceSuite:
    """One test per component of a plugin and check of the contract; checks that are impossible here are skipped.

    Subclass it in a test module, and set `plugin`; pytest needs nothing else.

    Attributes:
        plugin: the name of the plugin, that is, of its entry point.
        settings: by the name of a class, settings under which it is checked instead of its defaults.
        data_root: the folder of data sets on this machine, for data sets on disk.
    """

    plugin: ClassVar[str]
    settings: ClassVar[dict[str, dict[str, Any]]] = {}
    data_root: ClassVar[Path | None] = None

    def pytest_generate_tests(self, metafunc: Any) -> None:
        """One test per component and check; pytest calls this when it collects."""
        components = _cases(self.plugin, self.data_root)
        for case in components:
            case.settings = self.settings.get(case.name, {})
        pairs = [(case, check) for case in components for check in CHECKS if case.kind in check.kinds]
        metafunc.parametrize(("case", "check"), pairs, ids=[f"{case.name}-{check.id}" for case, check in pairs])

    def test_contract(self, case: Part, check: Check) -> None:
        """The component keeps this part of the contract."""
        check(case)
