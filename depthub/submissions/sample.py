"""Runs of a submission, chosen at random to be done again, and whose code that needs."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass

from depthub.errors import DepthubError
from depthub.records.result import RunResult
from depthub.registry.distributions import normalized
from depthub.submissions.verdict import Verdict
from depthub.values.text import listed


@dataclass(frozen=True)
class Sample:
    """Runs of a submission to be done again.

    Args:
        verdict: of the submission, which is valid.
        runs: the chosen ones.
        seed: that chose them.
    """

    verdict: Verdict
    runs: tuple[RunResult, ...]
    seed: int

    @classmethod
    def draw(cls, verdict: Verdict, number: int, seed: int) -> Sample:
        """Choose runs at random.

        Args:
            verdict: of a submission.
            number: of runs, at most all.
            seed: of the choice.

        Raises:
            DepthubError: if the submission has faults.
        """
        if not verdict.valid:
            raise DepthubError(f"{verdict.name} is not valid, so that there is nothing to verify; the first fault: {verdict.faults[0]}")
        runs = sorted(verdict.results, key=lambda run: run.spec.run_id)
        return cls(verdict, tuple(random.Random(seed).sample(runs, min(number, len(runs)))), seed)

    def require_allowed(self, distributions: Iterable[str]) -> None:
        """Refuse to run code that nobody named.

        Args:
            distributions: whose code may run.

        Raises:
            DepthubError: naming the others.
        """
        allowed = {*map(normalized, distributions)}
        needed = {normalized(str(plugin["distribution"])) for run in self.runs for plugin in run.provenance.get("plugins", ())}
        if others := sorted(needed - allowed):
            flags = " ".join(f"--allow {name}" for name in others)
            raise DepthubError(f"the submission needs code of {listed(others)}; read it, install it and allow it: {flags}")
