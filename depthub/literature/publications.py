"""Publications whose printed numbers come with depthub: where each was read, and the protocol of each of its tables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType


@dataclass(frozen=True)
class Publication:
    """A paper or a repository; what is not known about it is empty.

    Args:
        name: of its file of numbers, without ".csv".
        title, year, venue: of the paper.
        url: of its repository.
        version: commit of the repository, or version of the paper.
        source: files or tables that the numbers were read from.
        tables: the protocol of each table: "base-to-new", "cross-dataset", "domain-generalization" or "few-shot".
    """

    name: str
    title: str
    year: str
    venue: str
    url: str
    version: str
    source: str
    tables: Mapping[str, str]


@cache
def publications() -> Mapping[str, Publication]:
    """Every publication by name."""
    index = json.loads(files("depthub.literature").joinpath("published", "index.json").read_text(encoding="utf-8"))
    return MappingProxyType({name: Publication(name, **entry) for name, entry in index.items()})
