"""`depthub leaderboard define` and `validate`: what a board asks of submissions, and whether they have it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal, get_args

from depthub.cli.options.parser import Parser
from depthub.cli.plural import counted
from depthub.errors import DepthubError
from depthub.values.text import plain

Verdicts = Literal["text", "json", "markdown"]


def define_parser() -> Parser:
    """Options of `define`."""
    define = Parser(description="Define a board by finished runs: data sets, seeds, few-shot samples and test images of every submission.")
    define.add("runs", type=Path, metavar="DIR", help="the folder of the runs of a method that trains, on every data set with every seed")
    define.add("--out", type=Path, required=True, metavar="DIR", help="the board's folder, for definition.json")
    define.add("--name", type=str, required=True, metavar="NAME", help="that submissions name: lower-case letters, digits and hyphens")
    define.add("--title", type=str, default="", metavar="TEXT", help="one line; by default the name")
    return define


def validate_parser() -> Parser:
    """Options of `validate`."""
    validate = Parser(description="Check all submissions of a board; every fault with its file and field.")
    validate.add("board", type=Path, metavar="BOARD", help="the board's folder")
    validate.add("--before", type=Path | None, default=None, metavar="DIR", help="the folder as merged before, in which nothing may change")
    validate.add("--form", type=Verdicts, default="text", metavar="|".join(get_args(Verdicts)), help="of the output; markdown: a comment")
    return validate


def define(options: Any) -> int:
    """Write a board's definition."""
    from depthub.records.document import dumps
    from depthub.records.store import Store
    from depthub.submissions import definition as definitions
    from depthub.submissions.writing import require_name
    from depthub.system.files import atomic_write

    if not options.runs.exists():
        raise DepthubError(f"no folder {options.runs}; give the folder that holds the runs")
    definition = definitions.define(Store(options.runs).results(), require_name(options.name), options.title or options.name)
    path = atomic_write(options.out / definitions.FILE, dumps(definition.document))
    print(plain(f"{path}: {counted(len(definition.cells), 'cell')}"))
    return 0


def validate(options: Any) -> int:
    """Validate; the exit status is 1 if a submission has faults."""
    from depthub.submissions.checking import verdicts

    outcomes = verdicts(options.board, before=options.before)
    if options.form == "markdown":
        from depthub.submissions.comment import comment

        print(comment(outcomes, options.board, options.before), end="")
    elif options.form == "json":
        faults = {outcome.name: [fault.as_dict() for fault in outcome.faults] for outcome in outcomes}
        print(json.dumps({"submissions": len(outcomes), "faults": {name: of for name, of in faults.items() if of}}, indent=1))
    else:
        for outcome in outcomes:
            state = "valid" if outcome.valid else counted(len(outcome.faults), "fault")
            print(plain(f"{outcome.name}: {state}"))
            for fault in outcome.faults:
                print(f"- {fault}")
        faulty = sum(not outcome.valid for outcome in outcomes)
        print(f"{counted(len(outcomes), 'submission')}, {faulty} with faults")
    return 0 if all(outcome.valid for outcome in outcomes) else 1
