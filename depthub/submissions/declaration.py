"""What a submitter says about a row: a YAML file to fill in."""

from __future__ import annotations

from importlib.resources import files as resources
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from depthub.errors import DepthubError, hint
from depthub.records.run_files import content
from depthub.submissions.rows import DISCLOSURES
from depthub.values.text import listed

LARGEST = 2**18  # bytes of a declaration
KEYS = ("submitter", "method", "disclosures", "claims", "supersedes")


def template(name: str, board: str) -> str:
    """A declaration to fill in.

    Args:
        name: of the submission.
        board: its name.
    """
    text = resources("depthub.submissions").joinpath("declaration.yaml").read_text(encoding="utf-8")
    return text.replace("NAME", name).replace("BOARD", board)


def read(path: Path) -> dict[str, Any]:
    """The fields of a declaration, with what is left out filled in.

    Raises:
        DepthubError: if it is not YAML, or has unknown keys.
    """
    try:
        fields = yaml.safe_load(content(path, LARGEST))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise DepthubError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(fields, dict):
        raise DepthubError(f"{path} is not a declaration; `depthub submit new NAME` writes one to fill in")
    for key in fields:
        if key not in KEYS:
            raise DepthubError(f"{path}: unknown key {key!r}{hint(str(key), KEYS)}")
    disclosures = fields.get("disclosures") or {}
    if not isinstance(disclosures, dict) or not isinstance(fields.get("method"), dict):
        raise DepthubError(f"{path}: method and disclosures hold keys with values; `depthub submit new NAME` shows which")
    missing = [name for name in DISCLOSURES if not isinstance(disclosures.get(name), bool)]
    if missing:
        raise DepthubError(f"{path}: disclosures lacks {listed(missing)}; say true or false for each")
    method = {"commit": "", "paper": None, **fields["method"]}
    if isinstance(method["paper"], dict):
        method["paper"] = {key: value for key, value in method["paper"].items() if value not in (None, "")}
    return {
        "submitter": fields.get("submitter"),
        "method": method,
        "disclosures": {"notes": "", **disclosures},
        "claims": fields.get("claims") or [],
        "supersedes": fields.get("supersedes") or None,
    }
