"""A check of the contract, and its error: the broken part of the contract, and the observed fault."""

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
        check: the failed check.
        seen: the observed fault, in one line.
        first: id of an earlier check that failed for the same reason; empty if none did.
    """

    def __init__(self, case: Part, check: Check, seen: str, first: str = "") -> None:
        observation = f"Seen: the same as by the check {first}" if first else f"Seen: {seen}"
        super().__init__(f"{case.name} breaks the contract. Expected: {check.contract} {observation}. See {check.see}")
        self.case, self.check, self.seen, self.first = case, check, seen, first


class SkippedError(SkipTest):
    """A check is impossible here, for example without files of a data set. Test runners count it as a skipped test."""


@dataclass(frozen=True)
class Check:
    """One part of the contract. Calling it raises `ContractError` for a component that breaks it.

    Args:
        id: its name, and the anchor of its section in `docs/contract.md`, which is generated from the checks.
        contract: the rule, in one sentence.
        kinds: the kinds of components that it examines: "methods", "heads", "protocols" and so on.
        function: examines a component; raises AssertionError with the observed fault. Any other error is a fault, too. It returns a note
            on omitted parts of the check, with the reason. Its docstring explains the rule to authors of plugins.
    """

    id: str
    contract: str
    kinds: tuple[str, ...]
    function: Callable[[Any], str | None]

    @property
    def explanation(self) -> str:
        """The reason for the rule and how to keep it, for authors of plugins; paragraphs in Markdown."""
        return inspect.cleandoc(self.function.__doc__ or "")

    @property
    def see(self) -> str:
        """The place of the explanation in the documentation."""
        return f"{PAGE}#{self.id}"

    def __call__(self, case: Part) -> str:
        """Make the check; returns its note.

        Raises:
            ContractError: if the component breaks this part of the contract.
            SkippedError: if the check is impossible here.
        """
        if not __debug__:
            raise DepthubError("the checks are assertions, which `python -O` leaves out: run them without it")
        try:
            return self.function(case) or ""
        except SkippedError:
            raise
        except AssertionError as error:
            fault = str(error) or "an assertion failed"
            reason = in_words(error.__cause__, case.package) if error.__cause__ else fault
            raise self._error(case, fault, reason) from error
        except Exception as error:
            fault = in_words(error, case.package)
            raise self._error(case, fault, fault) from error

    def _error(self, case: Part, fault: str, reason: str) -> ContractError:
        first = case.failures.setdefault(reason, self.id)
        return ContractError(case, self, fault, "" if first == self.id else first)


def contract(id: str, sentence: str, *kinds: str) -> Callable[[Callable[[Any], str | None]], Check]:
    """A decorator that makes a function a check; without kinds, a check of methods and heads."""
    return lambda function: Check(id, sentence, kinds or ("methods", "heads"), function)


def attempt(case: Part, function: Callable[[], Any], where: str) -> Any:
    """Call a function of the component; the message of an error begins with `where` and names the plugin's own line."""
    try:
        return function()
    except (AssertionError, SkippedError):
        raise
    except Exception as error:
        raise AssertionError(f"{where} {in_words(error, case.package)}") from error


def in_words(error: BaseException, package: str) -> str:
    """An error in one line, with the plugin's own line; depthub's own errors in full."""
    return f"DepthubError: {' '.join(str(error).split())}" if isinstance(error, DepthubError) else described(error, package)
