"""The pages about the mathematics name options that there are, and all methods and heads that come with depthub."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest

from depthub import Training
from depthub.registry.plugins import installed

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {"methods": "methods.md", "heads": "heads.md"}
RECIPE = {field.name for field in fields(Training)}


def sections(kind: str) -> dict[str, str]:
    """The page's sections about methods or heads, by name."""
    parts = re.split(r"^## (\w+)\n", (DOCS / PAGES[kind]).read_text(), flags=re.MULTILINE)
    return {name: text for name, text in zip(parts[1::2], parts[2::2], strict=True) if name[0].isupper() and name != "Notation"}


def built_in(kind: str) -> list[str]:
    """Names of what comes with depthub."""
    return [name for report in installed().reports if report.distribution == "depthub" for name in report.provides.get(kind, ())]


def options(cls: type) -> dict[str, Any]:
    """The options of a class with their types."""
    hints = get_type_hints(cls.__init__)
    return {one.name: hints[one.name] for one in inspect.signature(cls).parameters.values() if one.kind is one.KEYWORD_ONLY}


@pytest.mark.parametrize("kind", PAGES)
def test_everything_that_comes_with_depthub_has_a_section(kind: str) -> None:
    assert sorted(sections(kind)) == sorted(built_in(kind))


CLASSES = [(kind, name) for kind in PAGES for name in built_in(kind)]


@pytest.mark.parametrize(("kind", "name"), CLASSES)
def test_a_section_names_options_that_there_are(kind: str, name: str) -> None:
    text, known = sections(kind)[name], options(installed().get(kind, name))
    named = set(re.findall(r"`([a-z][a-z0-9_]*)`", text))
    assert named - known.keys() - RECIPE == set()
    assert f"<!-- generated: options {name} -->" in text
    assert (f"<!-- generated: presets {name} -->" in text) == bool(getattr(installed().get(kind, name), "presets", ()))


@pytest.mark.parametrize(("kind", "name"), CLASSES)
def test_a_section_names_values_that_there_are(kind: str, name: str) -> None:
    known = options(installed().get(kind, name))
    for option, values in re.findall(r"`([a-z_]+)`((?: (?:or )?\"\w+\")+)", sections(kind)[name]):
        if get_origin(known[option]) is Literal:
            assert set(re.findall(r"\"(\w+)\"", values)) <= set(get_args(known[option]))
    fusion = re.search(r"\| `(\w+)` \|[^\n]*\n\|[-| ]*\n((?:\| \"[^\n]*\n)+)", sections(kind)[name])
    if fusion:
        assert re.findall(r"^\| \"(\w+)\"", fusion[2], re.MULTILINE) == list(get_args(known[fusion[1]]))
