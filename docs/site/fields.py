"""The fields of a run file, as its schema describes them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any

from docs.site.tables import table

SCHEMA = "run.schema.json"


def run_fields() -> str:
    """A row for each field of `run.json` that the schema describes, or that others stand in: name, form and description."""
    schema = json.loads((files("depthub.records.schema") / SCHEMA).read_text())
    return table(("field", "form", "meaning"), _rows(schema, schema["$defs"]))


def _rows(part: Mapping[str, Any], definitions: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str, str]]:
    for name, given in part.get("properties", {}).items():
        field = _meant(given, definitions)
        inner = [*_rows(field, definitions, f"{name}."), *_rows(_meant(field.get("items", {}), definitions), definitions, f"{name}[].")]
        if field.get("description") or (inner and not above):
            optional = "" if name in part.get("required", ()) else ", may be absent"
            yield f"`{above}{name}`", f"{_form(field)}{optional}", field.get("description", "")
        yield from inner if not above else ()


def _meant(field: Mapping[str, Any], definitions: Mapping[str, Any]) -> Mapping[str, Any]:
    """A field with the definition that it refers to; what it says itself counts."""
    reference = field.get("$ref", "").rpartition("/")[2]
    return {**definitions.get(reference, {}), **field}


def _form(field: Mapping[str, Any]) -> str:
    if "const" in field:
        return f"`{field['const']}`"
    return str(field.get("type", "one of several" if "anyOf" in field else "any"))
