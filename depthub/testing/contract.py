"""What a check is, and the error that says which part of the contract was broken and what was seen."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from depthub.errors import DepthubError
from depthub.testing.case import Case

PAGE = "docs/contract.md"


class ContractError(AssertionError):
    """A component breaks the contract.

    Args:
        case: the component.
        check: what it was asked.
        seen: what it did instead, in one line.
    """

    def __init__(self, case: Case, check: Check, seen: str) -> None:
        super().__init__(f"{case.name} breaks the contract. Expected: {check.contract} Seen: {seen}. See {check.see}")
        self.case, self.check, self.seen = case, check, seen


@dataclass(frozen=True)
class Check:
    """One part of the contract. Calling it raises `ContractError` for a component that breaks it.

    Args:
        id: its name, and the anchor of its section in docs/contract.md.
        contract: what must hold, in one sentence.
        kinds: what it asks: "methods", "heads" or both.
        function: does the work; raises AssertionError with what was seen. Any other error counts as seen, too.
    """

    id: str
    contract: str
    kinds: tuple[str, ...]
    function: Callable[[Case], None]

    @property
    def see(self) -> str:
        """Where the contract is explained."""
        return f"{PAGE}#{self.id}"

    def __call__(self, case: Case) -> None:
        if not __debug__:
            raise DepthubError("the checks are assertions, which `python -O` leaves out: run them without it")
        try:
            self.function(case)
        except AssertionError as error:
            raise ContractError(case, self, str(error) or "an assertion failed") from error
        except Exception as error:
            raise ContractError(case, self, described(error)) from error


def contract(id: str, sentence: str, *kinds: str) -> Callable[[Callable[[Case], None]], Check]:
    """Make a function a check."""
    return lambda function: Check(id, sentence, kinds or ("methods", "heads"), function)


def described(error: Exception) -> str:
    """An error in one line, with the place it came from."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {' '.join(str(error).split())}{place}"
