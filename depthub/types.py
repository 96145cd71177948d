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
        names: M class names; underscores stand for blanks.
        template: the space's own hand-written prompt, `{}` standing for the class name.
        templates: (family, template) pairs: the prompt that a family of methods was published with, where it is another one.
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
        """Class names as they enter a sentence."""
        return tuple(name.replace("_", " ") for name in self.names)

    def template_of(self, family: str) -> str:
        """The hand-written prompt that a family of methods was published with; without one of its own, the space's."""
        return dict(self.templates).get(family, self.template)

    def sentences(self, template: str = "") -> list[str]:
        """One sentence a class, from `template` or the space's own.

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
        DepthubError: if it has no `{}`, or anything else in braces.
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
        position: where the class token stands: after the context, in its middle, or in front of it.
        words: frozen words that hold the context's place in the sentence. The context overwrites their first n tokens;
            tokens beyond those stay as they are. Empty: n placeholders, nothing stays.
    """

    text: list[Tensor] = field(default_factory=list)
    image: list[Tensor] = field(default_factory=list)
    position: Literal["end", "middle", "front"] = "end"
    words: str = ""


@dataclass(frozen=True)
class Features:
    """Features in the joint space, **not** normalised, and what is needed to read them.

    Image and text features share device and precision. Whoever reads them must not change them in place: they may be shared by batches,
    and kept for later runs.

    Args:
        image: of B images, (B, d).
        text: of M classes, (M, d), or (B, M, d) when the prompts depend on the image.
        scale: exp of CLIP's logit scale, (): `backbone.scale`, which is not tuned.
        classes: the M classes of `text`, in its order: as the method was given them.
        reference: what the method's own losses compare with, of any shape; heads do not read it.
    """

    image: Tensor
    text: Tensor
    scale: Tensor
    classes: ClassSet
    reference: Tensor | None = None

    def own_text(self, labels: Tensor) -> Tensor:
        """Each image's own class feature, (B, d); labels (B,) index `classes`."""
        return self.text[labels] if self.text.ndim == 2 else self.text.take_along_dim(labels[:, None, None], dim=1)[:, 0]
