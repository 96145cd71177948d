"""A submission from finished runs and a declaration: what its submitter says in a YAML file."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from depthub.errors import DepthubError
from depthub.literature.leagues import implied
from depthub.records.packed import pack
from depthub.submissions import declaration as declarations
from depthub.submissions.choosing import chosen_runs
from depthub.submissions.definition import Definition
from depthub.submissions.rows import aggregates
from depthub.submissions.validation import validate
from depthub.submissions.verdict import Verdict
from depthub.submissions.writing import write
from depthub.system.files import atomic_write


def packed(declaration: Path, runs: Path, definition: Definition, out: Path, row: str = "") -> Verdict:
    """Write a submission, and check it as a board checks it; nothing is written that a board would refuse.

    Args:
        declaration: the YAML file; its name is the submission's id.
        runs: the folder of the runs, or another place that `Store` reads; runs of other boards and methods may be there, too.
        definition: of the board.
        out: the folder that the submission's folder is written into.
        row: method and head, as on a board, if there are runs of several.

    Returns:
        The verdict, with faults or without.

    Raises:
        DepthubError: if the declaration or the runs cannot be used, or the place is taken.
    """
    fields = declarations.read(declaration)
    folder = out / declaration.stem
    if folder.exists():
        raise DepthubError(f"{folder} is there already; remove it, or name the declaration otherwise")
    per_data_settings = fields["disclosures"]["per_data_settings"]
    chosen = chosen_runs(runs, definition, row, per_data_settings=per_data_settings)
    document = {
        **{"id": declaration.stem, "created": datetime.now(UTC).date().isoformat(), "licence": "CC-BY-4.0", "board": definition.name},
        **{"submitter": fields["submitter"], "method": fields["method"], "league": implied(fields["disclosures"])},
        **{"disclosures": fields["disclosures"], "claims": fields["claims"], "supersedes": fields["supersedes"], "withdrawn": None},
        "aggregates": aggregates([run.result for run in chosen]),
    }
    contents = write(folder, document, pack(chosen))
    return _written(folder, contents, definition)


def _written(folder: Path, contents: Mapping[str, bytes], definition: Definition) -> Verdict:
    """Write the files beside their place, check them there, and move the folder into place if they are right."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".", dir=folder.parent) as temporary:
        draft = Path(temporary) / folder.name
        for name, text in contents.items():
            atomic_write(draft / name, text)
        verdict = validate(draft, definition)
        if verdict.valid:
            shutil.move(draft, folder)
    return verdict
