"""The rows that `depthub cost` measures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonargparse import Namespace

from depthub import boards
from depthub.boards.costs import row_spec
from depthub.boards.labels import distinct, row_label
from depthub.errors import DepthubError
from depthub.registry import settings
from depthub.registry.plugins import installed
from depthub.spec import Component, DataSpec, RunSpec
from depthub.suites.reading import SUFFIXES, read_board, read_suite, shipped
from depthub.suites.suite import Row, Suite
from depthub.system.files import is_folder
from depthub.values.flat import flat
from depthub.values.text import plain

if TYPE_CHECKING:
    from depthub.running.resolved import Resolved
    from depthub.running.resolving import Resolver

PARTS = {"method": "methods", "head": "heads", "protocol": "protocols"}  # of a spec, with the kinds of plugins that provide them
PER_DATA = "per_data_settings"  # what a submission says whose settings differ between data sets
REMEDY = "name a suite or a leaderboard's folder, or --method with --board"


@dataclass(frozen=True)
class _Row:
    """A row on one data set.

    Args:
        data: name of the data set.
        label: of a leaderboard's row; empty: that of its spec.
        stated: the row's spec as plain data, as far as it is known before it is resolved.
        spec: gives that of one of its runs; a row that cannot be measured raises a DepthubError, which matters only if it is chosen.
        has_texts: whether it reads class texts.
    """

    data: str
    label: str
    stated: Mapping[str, Any]
    spec: Callable[[], RunSpec]
    has_texts: bool


def chosen_rows(config: Namespace, resolver: Resolver) -> dict[str, Resolved]:
    """One run of each row that a command line chooses, on one data set, by the row's label.

    Args:
        config: with `suite`, `method`, `head`, `board`, `data`, `only` and `texts`.
        resolver: of the runs.

    Raises:
        DepthubError: unless a suite or a leaderboard is named, or methods and their board, and the board has the data set; and for a
            chosen row that cannot be measured.
    """
    rows = _on_one_data_set(_rows(config), config.data)
    if config.texts and not any(row.has_texts for row in rows):
        raise DepthubError(f"no row reads class texts; leave --texts {config.texts} out")
    outcomes = _outcomes(rows, resolver)
    specs = [spec for _, spec, _ in outcomes]
    labels = distinct([label for label, _, _ in outcomes], specs)
    found = {label: run for label, (_, _, run) in zip(labels, outcomes, strict=True)}
    chosen = {label: run for label, run in found.items() if not config.only or any(text in label for text in config.only)}
    if not chosen:
        raise DepthubError(f"no row has {' or '.join(config.only)} in its label; the rows are {', '.join(labels)}")
    return {label: _run(run) for label, run in chosen.items()}


def _on_one_data_set(rows: Sequence[_Row], name: str) -> list[_Row]:
    """The rows on a data set; by default on the first that there is."""
    names = list(dict.fromkeys(row.data for row in rows))
    name = name or names[0]
    if name not in names:
        raise DepthubError(f"the board has no data set {name!r}; its data sets are {', '.join(names)}")
    return list({(row.label, repr(row.stated)): row for row in rows if row.data == name}.values())


def _outcomes(rows: Sequence[_Row], resolver: Resolver) -> list[tuple[str, Mapping[str, Any], Resolved | DepthubError]]:
    """Label, spec and resolved run of each row, or the reason why there is none; rows that are the same once resolved are one."""
    outcomes: dict[tuple[str, str], tuple[str, Mapping[str, Any], Resolved | DepthubError]] = {}
    for row in rows:
        label, spec, run = _outcome(row, resolver)
        outcomes.setdefault((label, repr(spec)), (label, spec, run))
    return [*outcomes.values()]


def _outcome(row: _Row, resolver: Resolver) -> tuple[str, Mapping[str, Any], Resolved | DepthubError]:
    try:
        run = resolver(row.spec())
    except DepthubError as error:  # of a row that --only may leave out
        return row.label or row_label(row.stated), row.stated, error
    spec = row_spec(run.spec)
    return row_label(spec), spec, run


def _run(outcome: Resolved | DepthubError) -> Resolved:
    if isinstance(outcome, DepthubError):
        raise outcome
    return outcome


def _rows(config: Namespace) -> list[_Row]:
    """The rows of a suite, of a leaderboard, or of methods on a board, on all data sets."""
    _require_one(config)
    if config.method:
        heads = config.head or [RunSpec().head.name]
        rows = [Row(Component(method), Component(head), texts=config.texts) for method in config.method for head in heads]
        suite = Suite("methods", read_board(config.board), rows, installed())
        return [_of_spec(spec) for row in rows for spec in suite.specs_of(row)]
    if _is_leaderboard(config.suite):
        document = _leaderboard(config.suite)
        return [_of_row(row, run, config.texts) for row in document["rows"] for run in row["runs"]]
    return [_of_spec(_with_texts(spec, config.texts)) for spec in read_suite(config.suite, config.board).specs()]


def _require_one(config: Namespace) -> None:
    """Refuse a command line that names nothing to measure, or two things."""
    if config.suite and config.method:
        raise DepthubError(f"suite {config.suite} and --method {config.method[0]} are two things to measure; leave one of them out")
    if config.head and not config.method:
        raise DepthubError(f"--head {config.head[0]} is a head of methods, and none is named; name them with --method, and their --board")
    if config.method and not config.board:
        raise DepthubError(f"--method {config.method[0]} is measured on a board, and none is named; name it with --board")
    if not config.suite and not config.method:
        raise DepthubError(f"nothing to measure: neither a suite nor a method is named; {REMEDY}")


def _is_leaderboard(name: str) -> bool:
    """Whether a name is a leaderboard's file or folder, or that of a board that comes with depthub; a suite's name comes first."""
    if is_folder(Path(name)) or name.endswith(".json"):
        return True
    places = (files("depthub.boards") / "shipped").iterdir()
    return not name.endswith(SUFFIXES) and name not in shipped("suites") and f"{name}.json" in {place.name for place in places}


def _leaderboard(name: str) -> dict[str, Any]:
    try:
        return boards.load_board(name)
    except OSError as error:  # a name that no file can have
        raise DepthubError(f"cannot read {name!r:.80}: {error.strerror}; {REMEDY}") from error


def _of_spec(spec: RunSpec) -> _Row:
    return _Row(spec.data.name, "", _without_cell(replace(spec, sample=None)), lambda: spec, spec.texts is not None)


def _of_row(row: Mapping[str, Any], run: Mapping[str, Any], texts: str) -> _Row:
    """A run of a leaderboard's row."""
    return _Row(run["data"], row["label"], row["spec"], partial(_spec, row, run, texts), "texts" in row["spec"])


def _spec(row: Mapping[str, Any], run: Mapping[str, Any], texts: str) -> RunSpec:
    """The spec of a run of a leaderboard's row.

    Raises:
        DepthubError: for the row of a submission whose runs differ: it has only what they share.
    """
    if lacking := _lacking(row):
        raise DepthubError(
            f"row {plain(row['label'])} differs in {lacking} between data sets, so that it has no one cost: leave it out with --only, or "
            "measure it with --method"
        )
    return _with_texts(RunSpec.of({**row["spec"], "data": DataSpec(run["data"]), "seed": run["seed"]}), texts)


def _lacking(row: Mapping[str, Any]) -> str:
    """The first setting of a leaderboard's row that its runs do not share; empty if there is none."""
    stated = row["spec"]
    for name in (*PARTS, "backbone", "training", "shots"):
        if name not in stated or (name in PARTS and "name" not in stated[name]):
            return name
    if "texts" in stated and stated["texts"].keys() != {"name", "sha256"}:
        return "texts"
    spec = RunSpec.of(stated)
    parts = {part: settings.complete(getattr(spec, part), kind, installed()).as_dict() for part, kind in PARTS.items()}
    whole, present = flat({**_without_cell(spec), **parts}), flat(stated)
    lacking = [name for name in whole if name not in present]
    # settings that runs omit at their defaults leave no gap in what they share
    return lacking[0] if lacking else "a setting" if PER_DATA in row.get("disclosures", ()) else ""


def _without_cell(spec: RunSpec) -> dict[str, Any]:
    """A spec without its data set and seed."""
    return {key: value for key, value in spec.as_dict().items() if key not in ("data", "seed")}


def _with_texts(spec: RunSpec, place: str) -> RunSpec:
    """The spec with the place of its class texts on this machine, if it has texts."""
    return replace(spec, texts=replace(spec.texts, name=place)) if place and spec.texts else spec
