"""What a check is, and the error that says which part of the contract was broken and what was seen."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from unittest import SkipTest

from depthub.errors import DepthubError
from depthub.registry.foreign import described
from depthub.testing.case import Part

PAGE = "docs/contract.md"


class ContractError(AssertionError):
    """A component breaks the contract.

    Args:
        case: the component.
        check: what it was asked.
        seen: what it did instead, in one line.
        first: the check that told the same before; empty if none did.
    """

    def __init__(self, case: Part, check: Check, seen: str, first: str = "") -> None:
        told = f"Seen: {seen}" if not first else f"Seen: the same as by the check {first}"
        super().__init__(f"{case.name} breaks the contract. Expected: {check.contract} {told}. See {check.see}")
        self.case, self.check, self.seen, self.first = case, check, seen, first


class SkippedError(SkipTest):
    """A check cannot be made here, for the reason given: files that are not on this machine. Test runners take it for a skipped test."""


@dataclass(frozen=True)
class Check:
    """One part of the contract. Calling it raises `ContractError` for a component that breaks it.

    Args:
        id: its name, and the anchor of its section on the page `docs/contract.md` of the documentation, which is made from the checks.
        contract: what must hold, in one sentence.
        kinds: what it asks: "methods", "heads", "protocols" and so on.
        function: does the work; raises AssertionError with what was seen. Any other error counts as seen, too. What it returns is a note:
            what was left out, and why. Its docstring explains the part to authors of plugins.
    """

    id: str
    contract: str
    kinds: tuple[str, ...]
    function: Callable[[Any], str | None]

    @property
    def explanation(self) -> str:
        """Why this part of the contract is there and how to keep it, for authors of plugins; paragraphs in Markdown."""
        return inspect.cleandoc(self.function.__doc__ or "")

    @property
    def see(self) -> str:
        """Where the contract is explained."""
        return f"{PAGE}#{self.id}"

    def __call__(self, case: Part) -> str:
        """Make the check; returns its note.

        Raises:
            ContractError: if the component breaks this part of the contract.
            SkippedError: if that cannot be seen here.
        """
        if not __debug__:
            raise DepthubError("the checks are assertions, which `python -O` leaves out: run them without it")
        try:
            return self.function(case) or ""
        except SkippedError:
            raise
        except AssertionError as error:
            seen = str(error) or "an assertion failed"
            reason = in_words(error.__cause__, case.package) if error.__cause__ else seen
            raise self._error(case, seen, reason) from error
        except Exception as error:
            seen = in_words(error, case.package)
            raise self._error(case, seen, seen) from error

    def _error(self, case: Part, seen: str, reason: str) -> ContractError:
        first = case.told.setdefault(reason, self.id)
        return ContractError(case, self, seen, "" if first == self.id else first)


def contract(id: str, sentence: str, *kinds: str) -> Callable[[Callable[[Any], str | None]], Check]:
    """Make a function a check."""
    return lambda function: Check(id, sentence, kinds or ("methods", "heads"), function)


def tried(case: Part, do: Callable[[], Any], where: str) -> Any:
    """What it gives; an error is told with what was tried, and the plugin's own line."""
    try:
        return do()
    except (AssertionError, SkippedError):
        raise
    except Exception as error:
        raise AssertionError(f"{where} {in_words(error, case.package)}") from error


def in_words(error: BaseException, package: str) -> str:
    """An error in one line, with the plugin's own line; what depthub says itself in full."""
    return f"DepthubError: {' '.join(str(error).split())}" if isinstance(error, DepthubError) else described(error, package)
