"""The components of a plugin, as cases for the checks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from depthub.errors import DepthubError, UnknownNameError
from depthub.registry.plugins import installed
from depthub.testing.backbones import BackboneCase
from depthub.testing.case import Case, Part
from depthub.testing.datasets import DataSetCase
from depthub.testing.executors import ExecutorCase
from depthub.testing.protocols import ProtocolCase

CASES: Mapping[str, type[Part]] = {
    "methods": Case,
    "heads": Case,
    "protocols": ProtocolCase,
    "datasets": DataSetCase,
    "backbones": BackboneCase,
    "executors": ExecutorCase,
}


def cases(plugin: str, data_root: Path | None = None) -> list[Part]:
    """All components of an installed plugin.

    Args:
        plugin: the name of its entry point.
        data_root: the folder of data sets on this machine.

    Raises:
        DepthubError: if there is no such plugin, it is broken, or it provides nothing.
    """
    plugins = installed()
    report = next((report for report in plugins.reports if report.name == plugin), None)
    if report is None:
        raise UnknownNameError("plugin", plugin, (report.name for report in plugins.reports))
    if not report.works:
        raise DepthubError(f"{report} is left out: {report.faults[0] if report.faults else 'disabled by an environment variable'}")
    provided = [(kind, name) for kind in CASES for name in report.provides.get(kind, ())]
    components = [CASES[kind](kind, plugins.get(kind, name), data_root=data_root) for kind, name in provided]
    if not components:
        raise DepthubError(f"{report} provides nothing but {', '.join(report.provides) or 'run events'}: there is nothing to check")
    trained = [case for case in components if isinstance(case, Case)]
    for case in trained:
        case.peers = trained
    return components
