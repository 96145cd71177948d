"""Comparison of the code that a run was made with and the code that is installed."""

from __future__ import annotations

from depthub.errors import DepthubError
from depthub.identity.inputs import code_digests, differences
from depthub.records.result import RunResult
from depthub.registry.plugins import Plugins
from depthub.running.components import Components


def require_code(result: RunResult, plugins: Plugins) -> None:
    """Refuse a run with a method or head of other code than the installed one.

    Raises:
        DepthubError: if the code differs, or is not installed at all.
    """
    present = Components(plugins).code_of(result.spec)
    recorded = {part: code for part, code in result.provenance["inputs"]["code"].items() if part.startswith(("methods", "heads"))}
    if differing := differences(code_digests(recorded), code_digests({part: present.get(part) for part in recorded})):
        raise DepthubError(
            f"this run cannot be used with the code that is installed: {'; '.join(differing)}; install that version, or run it again"
        )
