"""Checks of loaded data sets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from depthub.boundary.fields import check_fields
from depthub.boundary.owner import brief, origin, refuse
from depthub.data.dataset import Data, Examples
from depthub.errors import DepthubError
from depthub.registry.foreign import class_name
from depthub.types import ClassSet, filled


def check_data(data: Data, name: str, provider: object = None) -> None:
    """Check a loaded data set.

    Args:
        data: the value of its `load`.
        name: name of the data set.
        provider: the data set itself, for messages.

    Raises:
        DepthubError: for fields of other types, labels without a class, ids that repeat, classes without a name or with the same words,
            templates that do not name the class, or texts of classes.
    """
    where = f"data set {name!r}{origin(type(provider))}"
    if not isinstance(data, Data):
        refuse(where, getattr(type(provider), "load", None), f"load() gives {brief(data)}", "Data")
    check_fields(data, where)
    check_classes(data.classes, where, data.homonyms)
    if data.classes.texts:
        raise DepthubError(f"{where}: its classes have texts, which no digest of it shows; a run takes them from a file (--texts)")
    for split in ("train", "val", "test"):
        if (examples := getattr(data, split)) is not None:
            check_examples(examples, data.classes, f"{where}, {split}")


def check_classes(classes: ClassSet, where: str, homonyms: Sequence[str] = ()) -> None:
    """Check a class set.

    Args:
        classes: M classes.
        where: their owner, for messages.
        homonyms: words that several classes share already in the published list.

    Raises:
        DepthubError: as `check_data`.
    """
    if not isinstance(classes, ClassSet):
        raise DepthubError(f"{where}: the classes are a {class_name(type(classes))}, expected a ClassSet")
    check_fields(classes, where)
    if not len(classes) == len(classes.names) == len(set(classes.ids)):
        raise DepthubError(f"{where}: the classes must be a ClassSet with as many different ids as names")
    if len(classes.texts) not in (0, len(classes)):
        raise DepthubError(f"{where}: {len(classes.texts)} lists of texts for {len(classes)} classes; use ClassSet.take to choose some")
    if not classes.names:
        raise DepthubError(f"{where}: there are no classes")
    words = [" ".join(word.lower().split()) for word in classes.words]
    if "" in words:
        raise DepthubError(f"{where}: class {classes.ids[words.index('')]} has an empty name; give it one")
    shared = next((word for word, n in Counter(words).items() if n > 1 and word not in homonyms), None)
    if shared is not None:
        names = [name for name, word in zip(classes.names, words, strict=True) if word == shared]
        raise DepthubError(f"{where}: classes {' and '.join(map(repr, names))} have the same words: no text tells them apart; rename one")
    for template in (classes.template, *(template for _, template in classes.templates)):
        filled(template, "")


def check_examples(examples: Examples, classes: ClassSet, where: str) -> None:
    """Check labelled images.

    Args:
        examples: N images.
        classes: the classes that the labels index.
        where: their owner, for messages.

    Raises:
        DepthubError: as `check_data`.
    """
    check_fields(examples, where)
    ids, labels = examples.ids, examples.labels
    if len(ids) != len(labels):
        raise DepthubError(f"{where}: {len(ids)} ids, but {len(labels)} labels")
    if wrong := [label for label in set(labels) if not 0 <= label < len(classes)]:
        raise DepthubError(f"{where}: label {wrong[0]!r} is not one of 0 to {len(classes) - 1}")
    if len(set(ids)) < len(ids):
        twice = next(name for name, n in Counter(ids).items() if n > 1)
        raise DepthubError(f"{where}: the image {twice!r} is there twice; ids must be unique")
