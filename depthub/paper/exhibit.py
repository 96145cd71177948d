"""Exhibits: the tables and figures of the paper as data, with those that depthub adds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from depthub.errors import UnknownNameError
from depthub.literature.printed import Printed, published
from depthub.spec import BackboneSpec, RunSpec
from depthub.values import configuration
from depthub.values.flat import flat

ALL = "all"  # stands for every exhibit of the paper


@dataclass(frozen=True)
class ExhibitRow:
    """Runs that are one row, or one line, of an exhibit.

    Args:
        label: for readers; the same label may stand again below another host.
        where: settings of these runs, by dotted names as on the command line: `head.balance`.
        printed: the row's name in the publication; empty: it is not in print.
        host: label of the row that its gain is over; empty: none.
    """

    label: str
    where: Mapping[str, Any]
    printed: str = ""
    host: str = ""

    def holds(self, spec: RunSpec) -> bool:
        """Whether a run belongs to the row.

        Args:
            spec: of the run, resolved, so that it states every setting.
        """
        settings = flat(spec.as_dict())
        return all(settings.get(name) == value for name, value in self.where.items())


@dataclass(frozen=True)
class SuitePart:
    """A suite of an exhibit.

    Args:
        name: of the suite.
        controls: whether its rows have their controls beside them; None: as the suite says.
    """

    name: str
    controls: bool | None = None


@dataclass(frozen=True)
class Exhibit:
    """A table or a figure.

    Args:
        name: "table2", for example.
        title: one line.
        kind: of its layout, a key of `layouts.LAYOUTS`.
        suites: that hold its runs.
        rows: in order.
        publication: whose numbers stand beside the measured ones.
        table: of the publication; empty: none.
        along: a setting whose values are the horizontal axis; empty: none.
        data: data sets to which it is confined, as far as a board has them; empty: all.
        notes: for readers.
    """

    name: str
    title: str
    kind: str
    suites: Sequence[SuitePart]
    rows: Sequence[ExhibitRow] = ()
    publication: str = ""
    table: str = ""
    along: str = ""
    data: Sequence[str] = ()
    notes: Sequence[str] = ()

    @property
    def has_runs(self) -> bool:
        """Whether it shows runs, and not only what methods are."""
        return bool(self.rows)

    @property
    def printed(self) -> list[Printed]:
        """The numbers of its table in print; none where it has no table."""
        return [number for number in published(self.publication) if number.table == self.table] if self.table else []


@dataclass(frozen=True)
class Paper:
    """All exhibits.

    Args:
        exhibits: of the paper, by name.
        beyond: what depthub adds, by name.
        seeds: as many as the paper's runs.
        backbone: of the numbers in print.
        data: data sets of the averages in print.
    """

    exhibits: Mapping[str, Exhibit]
    beyond: Mapping[str, Exhibit]
    seeds: Sequence[int]
    backbone: BackboneSpec
    data: Sequence[str]

    def named(self, names: Iterable[str]) -> list[Exhibit]:
        """Exhibits by name, each once, in the order of the names; "all" stands for those of the paper.

        Raises:
            UnknownNameError: for a name that is none.
        """
        every = {**self.exhibits, **self.beyond}
        expanded = [one for name in names for one in (self.exhibits if name == ALL else [name])]
        for name in expanded:
            if name not in every:
                raise UnknownNameError("exhibit", name, [*every, ALL])
        return [every[name] for name in dict.fromkeys(expanded)]


@cache
def paper() -> Paper:
    """The exhibits that come with depthub."""
    source = files(__package__).joinpath("exhibits.yaml")
    values = configuration.parsed(source.read_text(encoding="utf-8"), "exhibits.yaml")
    default = values["publication"]
    return Paper(
        MappingProxyType(dict(_exhibits(values["exhibits"], default))),
        MappingProxyType(dict(_exhibits(values["beyond"], default))),
        tuple(values["seeds"]),
        BackboneSpec(**values["backbone"]),
        tuple(values["data"]),
    )


def _exhibits(entries: Mapping[str, Mapping[str, Any]], publication: str) -> Iterator[tuple[str, Exhibit]]:
    for name, entry in entries.items():
        rows = tuple(ExhibitRow(row["label"], row["where"], row.get("print", ""), row.get("host", "")) for row in entry.get("rows", ()))
        suites = tuple(SuitePart(**part) for part in entry["suites"])
        others = {key: value for key, value in entry.items() if key not in ("rows", "suites")}
        exhibit = Exhibit(name, suites=suites, rows=rows, **{"publication": publication, **others})
        yield name, replace(exhibit, data=tuple(exhibit.data), notes=tuple(exhibit.notes))
