"""Thousands of damaged and forged submissions: each is valid with the same numbers, or has a fault; nothing breaks the checks."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from depthub.records.document_checks import content_sha256
from depthub.submissions.definition import read
from depthub.submissions.files import RUNS, SUBMISSION
from depthub.submissions.validation import Verdict, validate

VALUES: Sequence[Any] = (
    None, True, False, 0, 1, -1, 1.5, 1e308, 2**53, 10**30, "", "x", "0" * 64, "../../etc/passwd", "<script>alert(1)</script>",
    "\x1b[31m", "=cmd|' /C calc'!A0", "$(\\write18{id})", "\u202e", "\ud800", "a" * 5000, [], {}, [[]], {"x_a": 1}, [1, 2, 3],
)  # fmt: skip
BATCH = 250


class Fuzz:
    """Mutations of the files of a submission.

    Args:
        generator: of random numbers.
        document, runs: contents of the two files.
    """

    def __init__(self, generator: random.Random, document: bytes, runs: bytes) -> None:
        self.random, self.document, self.runs = generator, document, runs

    def mutated(self) -> tuple[str, bytes, bytes]:
        """The kind of a mutation, and the two contents after it."""
        kinds: Sequence[Callable[[], tuple[bytes, bytes]]] = (
            self.bytes_of_document,
            self.bytes_of_runs,
            self.value_of_document,
            self.value_of_run,
            self.number_of_run,
            self.lines_of_runs,
            self.predictions,
        )
        kind = self.random.choice(kinds)
        return kind.__name__, *kind()

    def bytes_of_document(self) -> tuple[bytes, bytes]:
        return self.damaged(self.document), self.runs

    def bytes_of_runs(self) -> tuple[bytes, bytes]:
        return self.derived(json.loads(self.document), self.damaged(self.runs))

    def value_of_document(self) -> tuple[bytes, bytes]:
        fields = json.loads(self.document)
        self.changed(fields)
        return self.derived(fields, self.runs)

    def value_of_run(self) -> tuple[bytes, bytes]:
        return self.of_line(self.changed)

    def number_of_run(self) -> tuple[bytes, bytes]:
        """A count or a score a little other than it is, as a forger would."""

        def change(fields: dict[str, Any]) -> None:
            measured = self.random.choice(fields["measurements"])
            key = self.random.choice(["n_correct", "n_total", "value", "per_class", "images_sha256"])
            if key == "per_class":
                row = self.random.choice(measured[key])
                row[self.random.randrange(3)] += self.random.choice([-1, 1])
            else:
                measured[key] = "f" * 64 if key == "images_sha256" else measured[key] + self.random.choice([-1, 1, 2])

        return self.of_line(change)

    def lines_of_runs(self) -> tuple[bytes, bytes]:
        header, *lines = self.runs.splitlines()
        kind = self.random.randrange(4)
        place = self.random.randrange(len(lines))
        if kind == 0:
            del lines[place]
        elif kind == 1:
            lines.append(lines[place])
        elif kind == 2:
            lines.insert(place, b"[" * self.random.randrange(1, 5000))
        else:
            header = lines[place]
        return self.derived(json.loads(self.document), b"\n".join([header, *lines]) + b"\n")

    def predictions(self) -> tuple[bytes, bytes]:
        def change(fields: dict[str, Any]) -> None:
            top1 = fields["top1"]
            task = self.random.choice(list(top1["predicted"]))
            text = list(top1["predicted"][task])
            text[self.random.randrange(len(text))] = self.random.choice("ABCDabcd01+/=")
            top1["predicted"][task] = "".join(text)

        return self.of_line(change)

    def of_line(self, change: Callable[[dict[str, Any]], Any]) -> tuple[bytes, bytes]:
        """A run changed, its digests derived again as far as a forger without the run can."""
        header, *lines = self.runs.splitlines()
        place = self.random.randrange(len(lines))
        fields = json.loads(lines[place])
        change(fields)
        lines[place] = json.dumps(fields).encode()
        return self.derived(json.loads(self.document), b"\n".join([header, *lines]) + b"\n")

    def derived(self, fields: Any, runs: bytes) -> tuple[bytes, bytes]:
        """Half of the time with the digests of the changed files."""
        if isinstance(fields, dict) and self.random.random() < 0.5:
            fields["runs"] = {"sha256": hashlib.sha256(runs).hexdigest(), "bytes": len(runs)}
            try:
                fields["sha256"] = content_sha256(fields)
            except Exception:  # of values that JSON does not have
                fields["sha256"] = "0" * 64
        return json.dumps(fields).encode(), runs

    def damaged(self, content: bytes) -> bytes:
        start = self.random.randrange(len(content))
        end = min(len(content), start + self.random.randrange(1, 40))
        piece = self.random.choice([b"", b"\0", b"\xff\xfe", b"{", b"]", b"9", content[start:end] * 2, os.urandom(3)])
        return self.random.choice([content[:start], content[:start] + piece + content[end:], content[:start] + piece + content[start:]])

    def changed(self, fields: Any) -> None:
        """A random place of JSON gets another value, goes, or gets a neighbour."""
        while True:
            keys = list(fields) if isinstance(fields, dict) else list(range(len(fields)))
            key = self.random.choice(keys)
            inner = fields[key]
            if not isinstance(inner, dict | list) or not inner or self.random.random() < 0.2:
                break
            fields = inner
        kind = self.random.random()
        if kind < 0.15:
            del fields[key]
        elif kind < 0.25 and isinstance(fields, dict):
            fields[self.random.choice(["x_note", "extra", "__proto__", ""])] = self.random.choice(VALUES)
        elif isinstance(inner, int | float) and not isinstance(inner, bool) and kind < 0.6:
            fields[key] = inner + self.random.choice([-1, 1, 0.0001, -0.0001])
        else:
            fields[key] = self.random.choice(VALUES)


def numbers(verdict: Verdict) -> Any:
    """All that a board takes from a submission, but for free text."""
    runs = {
        run.spec.run_id: (dict(run.counts), dict(run.scores), {task: of.best.tolist() for task, of in run.predictions.items()})
        for run in verdict.results
    }
    return runs, verdict.document["aggregates"]


def fuzz(board: Path, folder: Path, seed: int, number: int) -> dict[str, list[int]]:
    """Check mutated submissions; returns how many of each kind were (refused, valid)."""
    definition, original = read(board), board / "submissions/s-0000"
    true = numbers(validate(original, definition))
    generator = random.Random(seed)
    mutations = Fuzz(generator, (original / SUBMISSION).read_bytes(), (original / RUNS).read_bytes())
    place = folder / "s-0000"
    place.mkdir()
    outcomes: dict[str, list[int]] = {}
    for _ in range(number):
        kind, document, runs = mutations.mutated()
        (place / SUBMISSION).write_bytes(document)
        (place / RUNS).write_bytes(runs)
        verdict = validate(place, definition)
        for fault in verdict.faults:
            assert "\n" not in str(fault)
            assert "\x1b" not in str(fault)
            str(fault).encode()
        outcomes.setdefault(kind, [0, 0])[verdict.valid] += 1
        if verdict.valid:
            assert numbers(verdict) == true, kind
    shutil.rmtree(place)
    return outcomes


@pytest.mark.parametrize("seed", range(4))
def test_a_thousand_mutations(made_board: Path, tmp_path: Path, seed: int) -> None:
    outcomes = fuzz(made_board, tmp_path, seed, BATCH)
    assert all(refused for refused, _ in outcomes.values()), outcomes


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 140))
def test_ten_thousand_mutations(made_board: Path, tmp_path: Path, seed: int) -> None:
    outcomes = fuzz(made_board, tmp_path, seed, BATCH)
    assert sum(map(sum, outcomes.values())) == BATCH
