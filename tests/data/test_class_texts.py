"""Files of class texts: the format, every refusal in one line, and the digest."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from depthub.data.class_texts import LARGEST, content_sha256, read
from depthub.errors import DepthubError
from depthub.records import schema
from depthub.registry.plugins import installed
from depthub.types import ClassSet
from tests.class_texts import document, write

Change = Callable[[dict[str, Any]], None]
PETS = ClassSet("pets", (7, 3, 5), ("Polka_dot cat", "dog", "owl"))


def test_classes_get_their_texts_in_their_order(tmp_path: Path) -> None:
    texts = read(write(tmp_path / "pets.json"))
    classes = texts.of(PETS)
    assert classes.texts == (("a spotted cat.", "it purrs."), ("it barks.",), ("it sees at night.",))
    assert classes.take([2, 0]).texts == (classes.texts[2], classes.texts[0])
    assert PETS.take([1]).texts == ()
    assert (classes, hash(classes)) == (PETS, hash(PETS)), "a class is what it is with or without texts"
    assert classes.take([1, 0]).rows_in(PETS) == [1, 0]


def test_names_of_the_file_that_the_classes_lack_are_left_out(tmp_path: Path) -> None:
    assert read(write(tmp_path / "pets.json")).of(PETS.take([1])).texts == (("it barks.",),)


def test_a_class_without_a_text_is_named_with_the_nearest(tmp_path: Path) -> None:
    path = write(tmp_path / "pets.json", texts={"pets": {"polka dot cat": ["a"], "dogs": ["b"], "owl": ["c"]}})
    with pytest.raises(DepthubError, match=r"json: texts\.pets: no text for class 'dog', expected one at least; did you mean 'dogs'\?$"):
        read(path).of(PETS)


def test_a_label_space_that_is_not_there_is_named_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(DepthubError, match=r"pets\.json: has no texts for label space 'pet'; did you mean 'pets'\? known: pets$"):
        read(write(tmp_path / "pets.json")).of(ClassSet("pet", (0,), ("dog",)))


CHANGES: dict[str, tuple[Change, str]] = {
    "kind": (lambda d: d.update(kind="run"), 'not a file of class texts; expected an object with "kind": "class_texts"'),
    "unknown key": (lambda d: d.update(license="MIT"), "unknown key 'license'; did you mean 'licence'?"),
    "missing key": (lambda d: d.pop("licence"), "licence: is missing"),
    "schema": (lambda d: d.update({"$schema": "urn:x"}), "$schema: is 'urn:x', expected 'urn:depthub:schema:class_texts:1'"),
    "version": (lambda d: d.update(schema_version="2.0.0"), "schema_version: is '2.0.0', expected 1 and further numbers"),
    "version of dots": (lambda d: d.update(schema_version="1..0"), "schema_version: is '1..0', expected 1 and further numbers"),
    "key of one's own": (lambda d: d.update({"x_Bad Key": 1}), "unknown key 'x_Bad Key'"),
    "source": (lambda d: d.update(source=""), "source: is '', expected one line of visible characters"),
    "model": (lambda d: d.update(model=3), "model: is 3, expected text, or null if no model wrote the texts"),
    "date": (lambda d: d.update(date="20250131"), "date: is '20250131', expected the day on which the texts were written, as '2025-01-31'"),
    "no date": (lambda d: d.update(date=None), "date: is None, expected the day"),
    "texts": (lambda d: d.update(texts=[]), "texts: expected label spaces, each with texts by class name"),
    "space": (lambda d: d.update(texts={"pets": {}}), "texts.pets: expected lists of texts by class name"),
    "no text": (lambda d: d["texts"]["pets"].update(owl=[]), "texts.pets.owl: is [], expected a list of one text at least"),
    "one text": (lambda d: d["texts"]["pets"].update(owl="x"), "texts.pets.owl: is 'x', expected a list of one text at least"),
    "number": (lambda d: d["texts"]["pets"].update(owl=["x", 3]), "texts.pets.owl[1]: is 3, expected text"),
    "lines": (lambda d: d["texts"]["pets"].update(owl=["x\ny"]), r"texts.pets.owl[0]: is 'x\ny', expected one line of visible characters"),
    "blanks": (lambda d: d["texts"]["pets"].update(owl=[" x"]), "texts.pets.owl[0]: is ' x', expected one line of visible characters"),
    "escape": (lambda d: d["texts"]["pets"].update(owl=["\x1b[31m"]), r"texts.pets.owl[0]: is '\x1b[31m', expected one line"),
    "same words": (lambda d: d["texts"]["pets"].update(OWL=["x"]), "texts.pets: classes 'owl' and 'OWL' are the same words, 'owl'"),
}


@pytest.mark.parametrize(("change", "reason"), CHANGES.values(), ids=CHANGES)
def test_everything_but_the_format_is_refused_in_one_line(change: Change, reason: str, tmp_path: Path) -> None:
    content = document()
    change(content)
    path = tmp_path / "pets.json"
    path.write_text(json.dumps(content | {"sha256": content_sha256(content)}))
    with pytest.raises(DepthubError) as error:
        read(path)
    assert str(error.value).startswith(f"{path}: {reason}")
    assert str(error.value).isprintable()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\xff", "not the JSON of class texts ("),
        (b'{"kind": "class_texts", "kind": "run"}', "not the JSON of class texts (key 'kind' stands twice)"),
        (b'{"kind": NaN}', "not the JSON of class texts (NaN is not a JSON number)"),
        (b"[" * 100_000, "not the JSON of class texts ("),
        (b'{"kind": "class_texts", "x_a": "\\ud800"}', "not the JSON of class texts ('utf-8' codec can't encode"),
        (b"[]", "not a file of class texts"),
    ],
)
def test_what_is_not_json_is_refused(content: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "pets.json"
    path.write_bytes(content)
    with pytest.raises(DepthubError) as error:
        read(path)
    assert str(error.value).startswith(f"{path}: {reason}")
    assert "\n" not in str(error.value)


def test_of_a_huge_file_no_more_than_the_limit_is_read(tmp_path: Path) -> None:
    path = tmp_path / "pets.json"
    with path.open("wb") as file:
        file.truncate(2**43)  # holds nothing; more than any memory
    with pytest.raises(DepthubError, match=rf"^{path}: not the JSON of class texts \(more than {LARGEST} bytes\)"):
        read(path)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(DepthubError, match=r"^cannot read the class texts in .*pets\.json: No such file"):
        read(tmp_path / "pets.json")


@pytest.mark.parametrize("stated", [None, "0" * 64])
def test_a_wrong_digest_is_refused_with_the_right_one(stated: str | None, tmp_path: Path) -> None:
    path, content = tmp_path / "pets.json", document()
    path.write_text(json.dumps(content if stated is None else {**content, "sha256": stated}))
    with pytest.raises(DepthubError, match=f"sha256: is {stated or 'missing'}, the content's is {content_sha256(content)}; ") as error:
        read(path)
    right = str(error.value).partition("the content's is ")[2][:64]
    path.write_text(json.dumps({**content, "sha256": right}, indent=4, sort_keys=True))
    assert read(path).sha256 == right, "neither the order of keys nor blanks count"


def test_every_word_but_those_under_keys_of_ones_own_counts() -> None:
    changes: list[dict[str, Any]] = [{"source": "y"}, {"model": "m"}, {"licence": "y"}, {"texts": {"pets": {"owl": ["y"]}}}]
    assert len({content_sha256(document(**change)) for change in ({}, *changes)}) == 5
    assert content_sha256(document(x_note="y")) == content_sha256(document())


def test_the_schema_knows_the_same_files(tmp_path: Path) -> None:
    validator = jsonschema_rs.Draft202012Validator(schema.load("class_texts"))
    assert validator.is_valid(read(write(tmp_path / "pets.json")).document)
    by_reader_only = {"lines", "blanks", "escape", "same words"}
    for name in CHANGES.keys() - by_reader_only:
        content = document()
        CHANGES[name][0](content)
        assert not validator.is_valid(content | {"sha256": "0" * 64}), name


def test_the_embedded_data_sets_have_texts_that_the_model_knows_the_words_of() -> None:
    from depthub_shapes.captions import words
    from depthub_shapes.datasets import Digits, Rendered, kinds

    shipped = read(Path(installed().get("texts", "shapes").path))
    pytest.importorskip("sklearn")
    for data_set in (*(Rendered(name) for name in kinds()), Digits()):
        assert all(len(texts) == 3 for texts in shipped.of(data_set.load().classes).texts)
    texts = shipped.document["texts"]
    assert texts["mnist"] == texts["digits"]
    assert {word for of in texts.values() for of_class in of.values() for text in of_class for word in text[:-1].split()} <= words()
