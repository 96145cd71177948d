"""Files of class texts: what a person or a language model wrote about the classes of data sets. `docs/class-texts.md` shows the format."""

from __future__ import annotations

import datetime
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

from depthub.data.class_names import require_distinct, words
from depthub.errors import DepthubError, hint, nearest
from depthub.spec import digest
from depthub.types import ClassSet
from depthub.values.text import listed, plain, short

KIND, ID = "class_texts", "urn:depthub:schema:class_texts:1"
KEYS = ("$schema", "kind", "schema_version", "source", "model", "date", "licence", "texts", "sha256")
LARGEST = 64 * 2**20  # bytes of a file
VERSION, OWN_KEY = re.compile(r"1(\.[0-9]+)*"), re.compile(r"x_[a-z0-9_]+")  # as in the schema


@dataclass(frozen=True)
class NamedTexts:
    """A file of class texts that a plugin provides under a name of its own. Nothing is read before a run uses it.

    Args:
        name: its public name: letters, digits, `_`, `-` and `.`.
        path: of the file.
        summary: one line for the list of plugins.
    """

    name: str
    path: str
    summary: str = ""


@dataclass(frozen=True, eq=False)
class ClassTexts:
    """The content of a file, checked.

    Args:
        path: of the file.
        document: the value of its JSON.
    """

    path: Path
    document: Mapping[str, Any]

    @property
    def sha256(self) -> str:
        """Digest of the content."""
        return str(self.document["sha256"])

    @cached_property
    def _by_words(self) -> dict[str, dict[str, tuple[str, ...]]]:
        """Texts by label space, then the words of the class."""
        texts: Mapping[str, Mapping[str, list[str]]] = self.document["texts"]
        return {space: {words(name): tuple(of_class) for name, of_class in of.items()} for space, of in texts.items()}

    def has(self, classes: ClassSet) -> bool:
        """Whether the file has texts for the label space of these classes."""
        return classes.space in self._by_words

    def of(self, classes: ClassSet) -> ClassSet:
        """The classes with their texts; the words of a class's name count, not their case or underscores.

        Args:
            classes: M classes.

        Raises:
            DepthubError: if the file does not have their label space, or has no texts for one of them.
        """
        if not self.has(classes):
            raise DepthubError(f"{self.path}: has no texts for label space {classes.space!r}{hint(classes.space, self._by_words)}")
        of_space = self._by_words[classes.space]
        if missing := [name for name in classes.names if words(name) not in of_space]:
            near = nearest(words(missing[0]), of_space.keys() - {*map(words, classes.names)})
            raise DepthubError(
                f"{self.path}: texts.{classes.space}: no text for class {listed(list(map(repr, missing)))}, expected one at least{near}"
            )
        return replace(classes, texts=tuple(of_space[words(name)] for name in classes.names))


def read(path: Path) -> ClassTexts:
    """The class texts in a file.

    Raises:
        DepthubError: in one line, with the place in the file, for anything but the format.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise DepthubError(f"cannot read the class texts in {path}: {error.strerror or error}") from error
    try:
        if len(content) > LARGEST:
            raise ValueError(f"more than {LARGEST} bytes")
        document = json.loads(content.decode("utf-8"), parse_constant=_refuse, object_pairs_hook=_distinct)
        json.dumps(document, ensure_ascii=False).encode()  # half a character, as "\ud800" alone, has no digest
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else plain(str(error))
        raise DepthubError(f"{path}: not the JSON of class texts ({short(reason, 140)}); docs/class-texts.md shows the format") from error
    for fault in _faults(document):
        raise DepthubError(plain(f"{path}: {fault}"))
    return ClassTexts(path, document)


def content_sha256(document: Mapping[str, Any]) -> str:
    """The digest of a document without its own key `sha256` and without `x_` keys."""
    return digest({key: value for key, value in document.items() if key != "sha256" and not key.startswith("x_")})


def _faults(document: Any) -> Iterator[str]:
    """What is wrong with a document, each in the words of a message behind the file's name."""
    if not isinstance(document, dict) or document.get("kind") != KIND:
        yield f'not a file of class texts; expected an object with "kind": "{KIND}", as docs/class-texts.md shows'
        return
    keys = [key for key in document if not OWN_KEY.fullmatch(key)]
    yield from (f"unknown key {key!r}{nearest(key, KEYS)}; keys of your own are x_ and small letters" for key in keys if key not in KEYS)
    yield from (f"{key}: is missing" for key in KEYS if key not in document and key != "sha256")
    if set(keys) >= set(KEYS) - {"sha256"}:
        yield from _of_header(document)
        yield from _of_texts(document["texts"])
        expected = content_sha256(document)
        if document.get("sha256") != expected:
            yield f"sha256: is {document.get('sha256', 'missing')}, the content's is {expected}; if the content is right, write that"


def _of_header(document: Mapping[str, Any]) -> Iterator[str]:
    if document["$schema"] != ID:
        yield f"$schema: is {document['$schema']!r}, expected {ID!r}"
    version = document["schema_version"]
    if not isinstance(version, str) or not VERSION.fullmatch(version):
        yield f"schema_version: is {version!r}, expected 1 and further numbers, as '1.0.0'"
    for key in ("source", "licence", *(("model",) if document["model"] is not None else ())):
        if fault := _text_fault(document[key]):
            yield f"{key}: {fault}{', or null if no model wrote the texts' if key == 'model' else ''}"
    day = document["date"]
    with suppress(ValueError, TypeError):
        if datetime.date.fromisoformat(day).isoformat() == day:
            return
    yield f"date: is {day!r}, expected the day on which the texts were written, as '2025-01-31'"


def _of_texts(spaces: Any) -> Iterator[str]:
    if not isinstance(spaces, dict) or not spaces:
        yield "texts: expected label spaces, each with texts by class name"
        return
    for space, classes in spaces.items():
        if not isinstance(classes, dict) or not classes:
            yield f"texts.{space}: expected lists of texts by class name"
            continue
        try:
            require_distinct(classes, f"texts.{space}")
        except DepthubError as error:
            yield str(error)
        for name, texts in classes.items():
            if not isinstance(texts, list) or not texts:
                yield f"texts.{space}.{name}: is {short(repr(texts))}, expected a list of one text at least"
                continue
            places = ((place, _text_fault(text)) for place, text in enumerate(texts))
            yield from (f"texts.{space}.{name}[{place}]: {fault}" for place, fault in places if fault)


def _text_fault(value: Any) -> str:
    """What is wrong with a text; empty if nothing is."""
    if not isinstance(value, str):
        return f"is {short(repr(value))}, expected text"
    is_line = value and plain(value).strip() == value
    return "" if is_line else f"is {short(repr(value))}, expected one line of visible characters, without blanks around it"


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    if twice := next((key for key, number in Counter(keys).items() if number > 1), None):
        raise ValueError(f"key {twice!r} stands twice")
    return dict(pairs)
