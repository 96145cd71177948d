"""Names for the classes of a user's own pictures, by folder or label, and the template around them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from depthub.data.class_names import require_distinct
from depthub.data.tables import TableFormat
from depthub.errors import DepthubError, nearest
from depthub.types import ClassSet
from depthub.values.text import listed

FORMAT = TableFormat(
    "class_names",
    'expected CSV with the columns label and name, or name alone; or JSON, {"label": "name"} or, in the order of the labels, ["name"]',
    ("name",),
    ("label",),
)


@dataclass(frozen=True)
class Naming:
    """Names of classes and the template.

    Args:
        names: name by label (the name of a class's folder, or the label in a list), or names in the sorted order of the labels;
            empty: the labels are the names.
        template: `{}` stands for the class name; empty: the default of `ClassSet`.
    """

    names: Mapping[str, str] | Sequence[str] = field(default_factory=dict)
    template: str = ""

    def classes(self, space: str, labels: Sequence[str], where: str) -> ClassSet:
        """The classes of these labels.

        Args:
            space: name of their label space.
            labels: the labels, sorted.
            where: the data set, for messages.

        Raises:
            DepthubError: for a label without a name, a name without a label, names without words, and names with the same words.
        """
        names = self._by_label(labels, where)
        _require_different(names)
        require_distinct(names.values(), where)
        class_names = self._in_one_form(names) or labels
        return ClassSet(space, tuple(range(len(labels))), tuple(class_names), self.template or ClassSet.template)

    def canonical(self, labels: Sequence[str], where: str) -> Naming:
        """The naming in the one form that equal runs share: empty if it makes no difference.

        Raises:
            DepthubError: for a label without a name, and a name without a label.
        """
        names = self._in_one_form(self._by_label(labels, where))
        return Naming(dict(zip(labels, names, strict=bool(names))), "" if self.template == ClassSet.template else self.template)

    def _in_one_form(self, names: Mapping[str, str]) -> list[str]:
        """The names with plain blanks, in the order of the labels; none if every name equals its label."""
        same = all(_with_blanks(label) == _with_blanks(name) for label, name in names.items())
        return [] if same else [_with_blanks(name) for name in names.values()]

    def _by_label(self, labels: Sequence[str], where: str) -> dict[str, str]:
        if not self.names:
            return {label: label for label in labels}
        if not isinstance(self.names, Mapping):
            if len(self.names) != len(labels):
                raise DepthubError(
                    f"class_names has {len(self.names)} names, but {where} has {len(labels)} classes; "
                    f"expected one name for each, in the order {listed(labels)}"
                )
            return dict(zip(labels, self.names, strict=True))
        for label in self.names:
            if label not in labels:
                raise DepthubError(f"class_names has {label!r}, which is not a class of {where}{nearest(label, labels)}; remove it")
        if unnamed := [label for label in labels if label not in self.names]:
            name = "its name" if len(unnamed) == 1 else "their names"
            raise DepthubError(f"class_names does not name {listed(unnamed)} of {where}; add {name}")
        return {label: self.names[label] for label in labels}


LABELS = Naming()  # the labels are the names


def read_names(path: Path) -> dict[str, str] | list[str]:
    """Class names from a file: by label, or in the order of the labels if it has no labels.

    Raises:
        DepthubError: if it is another file; the message names the row.
    """
    names = _of_csv(path) if FORMAT.require_suffix(path) == ".csv" else FORMAT.json(path)
    texts = list(names.values()) if isinstance(names, dict) else names
    if not isinstance(texts, list) or not texts or not all(isinstance(name, str) for name in texts):
        raise DepthubError(f"class_names {path} holds no names; {FORMAT.expected}")
    return names


def _of_csv(path: Path) -> dict[str, str] | list[str]:
    names, in_order = dict[str, str](), list[str]()
    for where, row in FORMAT.csv_rows(path):
        label, name = row.get("label"), row["name"]
        if label in names:
            raise DepthubError(f"{where}: the label {label!r} has a name already; name each label once")
        if label is None:
            in_order.append(name.strip())
        else:
            names[label.strip()] = name.strip()
    return names or in_order


def _require_different(names: Mapping[str, str]) -> None:
    """Refuse one name for two labels; unlike `require_distinct`, the message names the labels."""
    first: dict[str, str] = {}
    for label, name in names.items():
        if name in first:
            raise DepthubError(f"class_names calls {first[name]!r} and {label!r} the same, {name!r}; give each class a name of its own")
        first[name] = label


def _with_blanks(name: str) -> str:
    """A name as in a sentence: "Polka_dot" becomes "Polka dot"."""
    return " ".join(name.replace("_", " ").split())
