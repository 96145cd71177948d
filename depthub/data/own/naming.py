"""What a user calls the classes of pictures of their own: names by folder or label, and the sentence that they stand in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from depthub.data.class_names import require_distinct
from depthub.data.tables import Form
from depthub.errors import DepthubError, nearest
from depthub.types import ClassSet
from depthub.values.text import listed

FORM = Form(
    "class_names",
    'expected CSV with the columns label and name, or name alone; or JSON, {"label": "name"} or, in the order of the labels, ["name"]',
    ("name",),
    ("label",),
)


@dataclass(frozen=True)
class Naming:
    """Names of classes and the template.

    Args:
        names: name by label (the name of a class's folder, or what a list has as label), or names in the sorted order of the labels;
            empty: the labels are the names.
        template: `{}` stands for the class name; empty: that of `ClassSet`.
    """

    names: Mapping[str, str] | Sequence[str] = field(default_factory=dict)
    template: str = ""

    def classes(self, space: str, labels: Sequence[str], where: str) -> ClassSet:
        """The classes of these labels.

        Args:
            space: name of their label space.
            labels: sorted.
            where: what holds them, for messages.

        Raises:
            DepthubError: for a label that has no name, a name for no label, names without words, and labels of the same words.
        """
        names = self._by_label(labels, where)
        _require_different(names)
        require_distinct(names.values(), where)
        called = self._spelt(names) or labels
        return ClassSet(space, tuple(range(len(labels))), tuple(called), self.template or ClassSet.template)

    def canonical(self, labels: Sequence[str], where: str) -> Naming:
        """The naming in the one spelling that equal runs share: nothing where it says what holds without it.

        Raises:
            DepthubError: for a label that has no name, and a name for no label.
        """
        names = self._spelt(self._by_label(labels, where))
        return Naming(dict(zip(labels, names, strict=bool(names))), "" if self.template == ClassSet.template else self.template)

    def _spelt(self, names: Mapping[str, str]) -> list[str]:
        """The names in one spelling, in the order of the labels; none where all say what the labels say."""
        same = all(_spoken(label) == _spoken(name) for label, name in names.items())
        return [] if same else [_spoken(name) for name in names.values()]

    def _by_label(self, labels: Sequence[str], where: str) -> dict[str, str]:
        if not self.names:
            return {label: label for label in labels}
        if not isinstance(self.names, Mapping):
            if len(self.names) != len(labels):
                raise DepthubError(
                    f"class_names has {len(self.names)} names, but {where} has {len(labels)} classes; "
                    f"expected one name for each, in the order {listed(list(labels))}"
                )
            return dict(zip(labels, self.names, strict=True))
        for label in self.names:
            if label not in labels:
                raise DepthubError(f"class_names has {label!r}, which is no class of {where}{nearest(label, labels)}; remove it")
        if unnamed := [label for label in labels if label not in self.names]:
            raise DepthubError(
                f"class_names does not name {listed(unnamed)} of {where}; add what {'it' if len(unnamed) == 1 else 'they'} show"
            )
        return {label: self.names[label] for label in labels}


LABELS = Naming()  # the labels are the names


def read_names(path: Path) -> dict[str, str] | list[str]:
    """Class names from a file: by label, or in the order of the labels where it has none.

    Raises:
        DepthubError: if it is no such file; the message names the row.
    """
    names = _of_csv(path) if FORM.require_suffix(path) == ".csv" else FORM.json(path)
    texts = list(names.values()) if isinstance(names, dict) else names
    if not isinstance(texts, list) or not texts or not all(isinstance(name, str) for name in texts):
        raise DepthubError(f"class_names {path} holds no names; {FORM.expected}")
    return names


def _of_csv(path: Path) -> dict[str, str] | list[str]:
    names, in_order = dict[str, str](), list[str]()
    for where, row in FORM.csv_rows(path):
        label, name = row.get("label"), row["name"]
        if label in names:
            raise DepthubError(f"{where}: the label {label!r} is named before; name each once")
        if label is None:
            in_order.append(name.strip())
        else:
            names[label.strip()] = name.strip()
    return names or in_order


def _require_different(names: Mapping[str, str]) -> None:
    """Refuse one name for two labels, in words that say which; `require_distinct` knows the names alone."""
    first: dict[str, str] = {}
    for label, name in names.items():
        if name in first:
            raise DepthubError(f"class_names calls {first[name]!r} and {label!r} the same, {name!r}; give each class a name of its own")
        first[name] = label


def _spoken(name: str) -> str:
    """A name as it enters a sentence; its case stays."""
    return " ".join(name.replace("_", " ").split())
