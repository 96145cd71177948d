"""Values that the runs of one packed file share, such as training samples and class lists: written once, and referred to by place.

The first run's document is changed as follows; a second run with the same samples refers to the same place:

    {"samples": [{"task": "base", ...}], "cost": {...}}   ->   {"samples": 0, "cost": {...}}   and   shared[0] = [{"task": "base", ...}]
"""

from __future__ import annotations

import base64
import bz2
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from depthub.errors import DepthubError
from depthub.records import schema
from depthub.values.canonical import text as canonical_text

MOST = 2**28  # bytes of JSON that all documents of a file may stand for
_KEYS = (("document", ("provenance", "samples", "class_sets", "stages", "summary")), ("spec", ("backbone", "training")))


class SharedValues:
    """The shared values of a file that is being written."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}

    def place(self, value: Any) -> int:
        """The place of a value, from now on among the shared ones."""
        return self._places.setdefault(compact(value), len(self._places))

    def extract(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """A copy of a run's document with places instead of values."""
        short: dict[str, Any] = json.loads(compact(document))
        for holder, key in _holders(short):
            holder[key] = self.place(holder[key])
        return short

    def dumps(self) -> str:
        """All values as text: a JSON list, compressed. bz2 gives the same bytes with every version of it."""
        return base64.b64encode(bz2.compress(f"[{','.join(self._places)}]".encode())).decode()


class StoredValues:
    """The shared values of a file that is being read.

    Args:
        text: as `SharedValues.dumps` gives it.
        source: the file's name, for messages.

    Raises:
        DepthubError: if it is not such a text, or too large.
    """

    def __init__(self, text: str, source: str) -> None:
        self._values: Sequence[Any] = schema.parse(_decompressed(text, source), f"{source}, shared values")
        if not isinstance(self._values, list):
            raise DepthubError(f"{source}: shared values are not a list; the file is damaged")
        texts = list(map(canonical_text, self._values))
        self._sizes = list(map(len, texts))
        # canonical JSON by `id`: every run of the file has them in the content that its digest is of
        self.texts = {id(value): text for value, text in zip(self._values, texts, strict=True) if isinstance(value, dict | list)}
        self._left = MOST

    def at(self, place: Any, source: str) -> Any:
        """The value at a place.

        Raises:
            DepthubError: if there is none, or the values handed out so far are together larger than any file of runs.
        """
        if type(place) is not int or not 0 <= place < len(self._values):
            raise DepthubError(f"{source}: refers to shared value {str(place)[:40]!r}, there are {len(self._values)}; the file is damaged")
        self._left -= self._sizes[place]
        if self._left < 0:
            raise DepthubError(f"{source}: the file stands for more than {MOST} bytes of JSON; no run was packed so")
        return self._values[place]

    def restore(self, document: dict[str, Any], source: str) -> dict[str, Any]:
        """Put values in place of places, within the document itself: the inverse of `SharedValues.extract`.

        Raises:
            DepthubError: as `at` does.
        """
        for holder, key in _holders(document):
            holder[key] = self.at(holder[key], source)
        return document


def compact(value: Any) -> str:
    """JSON in one line, in the order of the keys."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _holders(document: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """(object, key) of each value of a document that is shared; objects of other forms, which the schema refuses later, are passed over."""
    objects = {"document": document, "spec": document.get("spec")}
    for name, keys in _KEYS:
        holder = objects[name]
        yield from ((holder, key) for key in keys if isinstance(holder, dict) and key in holder)
    measurements = document.get("measurements")
    for measured in measurements if isinstance(measurements, list) else ():
        if isinstance(measured, dict) and "sentences" in measured:
            yield measured, "sentences"


def _decompressed(text: str, source: str) -> bytes:
    """The content, or an error after at most `schema.LARGEST` bytes of it."""
    decompressor = bz2.BZ2Decompressor()
    try:
        content = decompressor.decompress(base64.b64decode(text, validate=True), schema.LARGEST + 1)
    except (ValueError, OSError, EOFError) as error:
        raise DepthubError(f"{source}: shared values cannot be decompressed ({error}); the file is damaged") from error
    if not decompressor.eof or decompressor.unused_data:
        raise DepthubError(f"{source}: shared values are cut off, or larger than {schema.LARGEST} bytes; the file is damaged")
    return content
