"""The values that travel between backbone, method, head and protocol."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from depthub.errors import DepthubError

if TYPE_CHECKING:  # data sets and the command line read class sets without paying for torch
    from torch import Tensor


@dataclass(frozen=True)
class ClassSet:
    """M classes of one label space.

    Args:
        space: name of the label space; `ids` identify classes within it, so that two sets are compared without relying on class names.
        ids: M distinct integers.
        names: M class names, with underscores for blanks.
        template: the space's own hand-written prompt, with `{}` for the class name.
        templates: (family, template) pairs: the published prompt of a family of methods, if it is another one.
    """

    space: str
    ids: tuple[int, ...]
    names: tuple[str, ...]
    template: str = "a photo of a {}."
    templates: tuple[tuple[str, str], ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def words(self) -> tuple[str, ...]:
        """Class names with blanks, as in a sentence."""
        return tuple(name.replace("_", " ") for name in self.names)

    def template_of(self, family: str) -> str:
        """The published prompt of a family of methods; the space's own, if the family has none."""
        return dict(self.templates).get(family, self.template)

    def sentences(self, template: str = "") -> list[str]:
        """One sentence per class, from `template` or the space's own.

        Raises:
            DepthubError: if the template does not name the class.
        """
        return [filled(template or self.template, name) for name in self.words]

    def take(self, rows: list[int]) -> ClassSet:
        """The classes in these rows, in that order."""
        return replace(self, ids=tuple(self.ids[r] for r in rows), names=tuple(self.names[r] for r in rows))

    def rows_in(self, other: ClassSet) -> list[int] | None:
        """Rows of these classes within `other`, or None if `other` lacks one of them."""
        row = {i: r for r, i in enumerate(other.ids)}
        if self.space != other.space or not row.keys() >= set(self.ids):
            return None
        return [row[i] for i in self.ids]


def filled(template: str, name: str) -> str:
    """A template with a class name in place of `{}`.

    Raises:
        DepthubError: if it has no `{}`, or other braces.
    """
    around = template.replace("{}", "") if isinstance(template, str) else "{"
    if around == template or "{" in around or "}" in around:
        raise DepthubError(
            f"the template {template!r} does not name the class; expected {{}} where the name stands, for example 'a photo of a {{}}.'"
        )
    return template.replace("{}", name)


@dataclass(frozen=True)
class Prompts:
    """Learned tokens per transformer layer; index 0 enters at the input, index l before layer l.

    Args:
        text: text[l] is (n, w) shared by all classes, or (M, n, w) per class; or (G, 1, n, w) or (G, M, n, w) for G groups: the images
            of a batch, or runs that train together. w is the text width.
        image: image[l] is (n, w_v), placed after the patch tokens; w_v is the image tower's width.
        position: of the class token: after the context, in its middle, or in front of it.
        words: frozen words in place of the context in the sentence. The context overwrites their first n tokens; further tokens stay. If
            empty: n placeholders, all overwritten.
    """

    text: list[Tensor] = field(default_factory=list)
    image: list[Tensor] = field(default_factory=list)
    position: Literal["end", "middle", "front"] = "end"
    words: str = ""


@dataclass(frozen=True)
class Features:
    """Features in the joint space, **not** normalised, with the scale and the classes that a head needs.

    Image and text features share device and precision. They must not be changed in place: batches, and later runs, may share them.

    Args:
        image: of B images, (B, d).
        text: of M classes, (M, d), or (B, M, d) when the prompts depend on the image.
        scale: exp of CLIP's logit scale, (): `backbone.scale`, which is not tuned.
        classes: the M classes of `text`, in its order: those that the method was called with.
        reference: for the method's own losses, of any shape; heads do not read it.
    """

    image: Tensor
    text: Tensor
    scale: Tensor
    classes: ClassSet
    reference: Tensor | None = None

    def own_text(self, labels: Tensor) -> Tensor:
        """Each image's own class feature, (B, d); labels (B,) index `classes`."""
        return self.text[labels] if self.text.ndim == 2 else self.text.take_along_dim(labels[:, None, None], dim=1)[:, 0]
