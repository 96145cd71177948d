"""The examples of methods beyond prompts keep the contract."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from depthub import Method
from depthub.testing import CHECKS, Case
from depthub.testing.training import two_processes

PAGE = Path(__file__).parents[2] / "docs/add/beyond-prompts.md"


def examples() -> dict[str, Any]:
    """The methods of the page, by name."""
    *blocks, _ = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)  # the last one runs them
    names: dict[str, Any] = {"__name__": __name__}
    for block in blocks:
        exec(block, names)
    return {
        name: thing
        for name, thing in names.items()
        if isinstance(thing, type) and issubclass(thing, Method) and thing.__module__ == __name__
    }


EXAMPLES = examples()


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_keeps_the_contract(name: str) -> None:
    case = Case("methods", EXAMPLES[name])
    for check in CHECKS:
        if "methods" in check.kinds and check is not two_processes:  # it imports the class anew
            check(case)


def test_every_check_that_the_page_names_exists() -> None:
    named = {name for line in re.findall(r"Checks?: (.*)\.\n", PAGE.read_text()) for name in re.findall(r"`([a-z-]+)`", line)}
    assert named == {check.id for check in CHECKS if check.function.__module__ == "depthub.testing.abilities"}


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_short(name: str) -> None:
    block = next(block for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL) if f"class {name}(" in block)
    assert len(block.splitlines()) <= 22
