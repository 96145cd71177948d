"""What a reader of a report has to know before its numbers: computed from the runs, in plain sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from depthub.records.result import RunResult
from depthub.site.reports.gap import UNITS, Gap, gap
from depthub.site.reports.part import Part
from depthub.site.reports.phrases import DIGEST, cells, counted, points, shares
from depthub.site.reports.traits import Trait, fingerprints, silent, traits
from depthub.statistics.answers import Answer
from depthub.values.text import listed

KINDS = {
    "apart": "Rows that these runs cannot separate",
    "controls": "Gains without a host or a control",
    "missing": "Missing runs",
    "mixed": "Runs that were not done alike",
    "unreadable": "Runs that cannot be used",
    "stored": "Said by the runs themselves",
    "notes": "Not checked",
}


@dataclass(frozen=True)
class Caution:
    """A warning of a report.

    Args:
        kind: one of `KINDS`.
        text: a sentence.
    """

    kind: str
    text: str


def cautions(
    parts: Sequence[Part], remarks: Mapping[str, Sequence[str]], left_out: Iterable[Mapping[str, str]], runs: Sequence[RunResult]
) -> list[Caution]:
    """All warnings, by kind in the order of `KINDS`.

    Args:
        parts: the settings.
        remarks: of `boards.measured` on the rows of each setting, by its name.
        left_out: of the leaderboard document.
        runs: all of them.
    """
    several = len(parts) > 1
    of_parts = [
        Caution(caution.kind, f"{part.name}: {caution.text}" if several else caution.text)
        for part in parts
        for caution in (*_apart(part), *(Caution("controls", f"{line}.") for line in remarks[part.name]), *_missing(part), *_mixed(part))
    ]
    others = [Caution("unreadable", entry["reason"]) for entry in left_out]
    others += [Caution("stored", line) for line in _grouped(text for run in runs for text in run.warnings)]
    others += [Caution("notes", line) for line in _grouped(text for run in runs for text in run.notes)]
    return sorted([*of_parts, *others], key=lambda caution: list(KINDS).index(caution.kind))


def _apart(part: Part) -> Iterator[Caution]:
    """Neighbours in the ranking whose distance may be chance."""
    ranked = [row for row in part.rows if part.headline in (row["average"] or {})]
    unknown: list[Gap] = []
    if len(part.rows) == 1 and len(part.setting["seeds"]) == 1:
        yield Caution("apart", f"{part.rows[0]['label']} has one seed: how far another would differ is unknown.")
    for row, other in pairwise(ranked):
        between = gap(part, row, other, part.headline, part.setting["common_data"])
        if between is None:
            yield Caution("apart", f"{row['label']} and {other['label']} have no seed in common on all data sets: nothing pairs them.")
        elif not between.answers:
            unknown.append(between)
        elif sentence := _distance(between):
            yield Caution("apart", sentence)
    if unknown:
        where = f"One seed on one data set says nothing about chance: how far {counted(len(unknown) + 1, 'row')} are apart is unknown"
        first = unknown[0]
        yield Caution("apart", f"{where} (the first two by {first.difference:+.2f} points of {first.score}).")


def _distance(between: Gap) -> str:
    """Why two neighbours are not apart; empty if they are."""
    seeds, sets = (between.answers.get(question) for question in UNITS)
    names = f"{between.row} from {between.other}"
    if all((answer.low, answer.high) == (0, 0) for answer in between.answers.values()):
        return f"{between.row} and {between.other} have the same {between.score} in every run that both have."
    differs = f"{between.score} differs by {between.difference:.2f}, interval "
    if seeds and not seeds.is_settled:
        also = f" (on new data sets {points(sets.low, sets.high)})" if sets else ""
        return f"{counted(between.seeds, 'seed')} cannot separate {names}: {differs}{points(seeds.low, seeds.high)}{also}{_needed(seeds)}."
    if sets and not sets.is_settled:
        which = " on these data sets other seeds would order them alike." if seeds else " one seed says nothing about other seeds."
        distance = f"{differs}{points(sets.low, sets.high)}{_needed(sets)};{which}"
        return f"{counted(between.sets, 'data set')} cannot separate {names} on new data sets: {distance}"
    return ""


def _needed(answer: Answer) -> str:
    """How many units would show the difference, if that is known."""
    unit = UNITS[answer.question]
    return f"; about {counted(answer.needed, unit)}{' of each data set' if unit == 'seed' else ''} would" if answer.needed else ""


def _missing(part: Part) -> Iterator[Caution]:
    """Data sets and seeds that a row lacks and others have."""
    for row in part.rows:
        if row["missing"]:
            yield Caution("missing", f"{row['label']} lacks {cells(row['missing'])}.")
    outside = [data for data in part.setting["data"] if data not in part.setting["common_data"]]
    if outside and part.setting["common_data"]:
        yield Caution("missing", f"Averages leave out {listed(outside, 12)}, which not every row has.")
    elif outside:
        yield Caution("missing", "No data set is in every row: there are no averages, and the order of the rows means nothing.")


def _mixed(part: Part) -> Iterator[Caution]:
    """Differences between runs of one setting in what the numbers, or the seconds, depend on."""
    runs = list(part.runs.values())
    for trait in traits(runs):
        if trait.is_mixed:
            yield Caution("mixed", _in_words(trait))
    if number := silent(runs):
        yield Caution("mixed", f"{counted(number, 'run')} of {len(runs)} do not say with which versions, and where, they were done.")
    yield from _samples(part)


def _in_words(trait: Trait) -> str:
    values = shares(trait.counts)
    sentences = {
        "versions": f"Runs were done with several versions of {trait.name}: {values}.",
        "machines": f"Runs were done with several kinds of {trait.name}, so that their seconds do not compare: {values}.",
        "numerics": f"Runs differ in the numerical setting {trait.name}: {values}.",
        "code": f"Runs were done with several states of the code of {trait.name}: {values}.",
        "data": f"Runs read several states of the data set {trait.name}: {values}.",
        "weights": f"Runs used several weights of the {trait.name}: {values}.",
    }
    return sentences[trait.kind]


def _samples(part: Part) -> Iterator[Caution]:
    """Runs of one data set, seed and number of shots that were trained on other images: nothing pairs them."""
    rows = {run["run_id"]: str(row["label"]) for row in part.rows for run in row["runs"]}
    for (data, seed, shots, task), drawn in sorted(fingerprints(part.runs.values()).items()):
        if len(drawn) > 1:
            labels = {sha256[:DIGEST]: listed(_labels(runs, rows)) for sha256, runs in sorted(drawn.items())}
            which = "; ".join(f"{sha256} ({names})" for sha256, names in labels.items())
            yield Caution("mixed", f"{data}, seed {seed}, {counted(shots, 'shot')}, task {task}: the training images differ: {which}.")


def _labels(runs: Iterable[RunResult], rows: Mapping[str, str]) -> list[str]:
    return sorted({rows[run.spec.run_id] for run in runs})


def _grouped(lines: Iterable[str]) -> list[str]:
    """Lines with the number of runs that say each, the most frequent first."""
    ordered = sorted(Counter(lines).items(), key=lambda entry: (-entry[1], entry[0]))
    return [f"{text} ({counted(number, 'run')})" for text, number in ordered]
