"""The contract as a test class, for a plugin's own tests."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from depthub.testing.case import Part
from depthub.testing.checks import CHECKS
from depthub.testing.contract import Check
from depthub.testing.provided import cases

_cases = cache(cases)  # pytest asks once a test, and the trainings are to be shared


class ConformanceSuite:
    """One test for each part of a plugin and each part of the contract; one that cannot be made here is skipped.

    Subclass it in a test module, and set `plugin`; pytest needs nothing else.

    Attributes:
        plugin: the name of the plugin, that is, of its entry point.
        settings: by the name of a class, settings under which it is checked instead of its defaults.
        data_root: the folder that holds data sets on this machine, for those that live on disk.
    """

    plugin: ClassVar[str]
    settings: ClassVar[dict[str, dict[str, Any]]] = {}
    data_root: ClassVar[Path | None] = None

    def pytest_generate_tests(self, metafunc: Any) -> None:
        """One test a component and check; pytest calls this when it collects."""
        found = _cases(self.plugin, self.data_root)
        for case in found:
            case.settings = self.settings.get(case.name, {})
        pairs = [(case, check) for case in found for check in CHECKS if case.kind in check.kinds]
        metafunc.parametrize(("case", "check"), pairs, ids=[f"{case.name}-{check.id}" for case, check in pairs])

    def test_contract(self, case: Part, check: Check) -> None:
        """The component keeps this part of the contract."""
        check(case)
