"""The contract's checks, as they say themselves."""

from __future__ import annotations

from depthub.testing import CHECKS


def checks(*kinds: str) -> str:
    """A section for each check of these kinds; one of several kinds stands with its first."""
    return "\n\n".join(f"### {check.id}\n\n> {check.contract}\n\n{check.explanation}" for check in CHECKS if check.kinds[0] in kinds)
