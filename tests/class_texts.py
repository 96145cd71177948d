"""Small files of class texts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from depthub.data.class_texts import content_sha256

PETS = {"polka dot cat": ["a spotted cat.", "it purrs."], "dog": ["it barks."], "owl": ["it sees at night."]}


def document(**changes: Any) -> dict[str, Any]:
    """The content of a file without its digest, about three pets."""
    return {
        **{"$schema": "urn:depthub:schema:class_texts:1", "kind": "class_texts", "schema_version": "1.0.0"},
        **{"source": "a test", "model": None, "date": "2025-01-31", "licence": "CC0-1.0"},
        "texts": {"pets": {name: list(texts) for name, texts in PETS.items()}},
        **changes,
    }


def write(path: Path, **changes: Any) -> Path:
    """A file with its digest."""
    content = document(**changes)
    path.write_text(json.dumps({**content, "sha256": content_sha256(content)}))
    return path
