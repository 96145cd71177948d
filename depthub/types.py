"""The values that travel between backbone, method, head and protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
        texts: the texts of each class, at least one, in the order of `names`, in runs with a file of class texts; else empty. They do not
            count when class sets are compared.
    """

    space: str
    ids: tuple[int, ...]
    names: tuple[str, ...]
    template: str = "a photo of a {}."
    templates: tuple[tuple[str, str], ...] = ()
    texts: tuple[tuple[str, ...], ...] = field(default=(), compare=False, repr=False)

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
        texts = tuple(self.texts[r] for r in rows) if self.texts else ()
        return replace(self, ids=tuple(self.ids[r] for r in rows), names=tuple(self.names[r] for r in rows), texts=texts)

    def places_in(self, other: ClassSet) -> list[int]:
        """The row of each of these classes within `other`; -1 for a class that `other` lacks."""
        row = {i: r for r, i in enumerate(other.ids)} if self.space == other.space else {}
        return [row.get(i, -1) for i in self.ids]

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

    None in the place of a layer's tokens leaves those of the layer before; tokens of a tower that has None from the input on join its
    sequence before the first layer that has some: behind the start token of the classes' own sentences, or behind the patch tokens.

    Args:
        text: text[l] is (n, w) shared by all classes, or (M, n, w) per class; or (G, 1, n, w) or (G, M, n, w) for G groups: the images
            of a batch, several prompts a class, or runs that train together. w is the text width.
        image: image[l] is (n, w_v), placed after the patch tokens; w_v is the image tower's width.
        position: of the class token: after the context, in its middle, or in front of it.
        words: frozen words in place of the context in the sentence. The context overwrites their first n tokens; further tokens stay. If
            empty: n placeholders, all overwritten.
        behind: frozen words behind the class name, before the full stop, such as ", a type of pet".
    """

    text: Sequence[Tensor | None] = field(default_factory=list)
    image: Sequence[Tensor | None] = field(default_factory=list)
    position: Literal["end", "middle", "front"] = "end"
    words: str = ""
    behind: str = ""

    @property
    def wording(self) -> tuple[int, str, str, str]:
        """Everything about the sentences but the classes: n, position, words, and the words behind the name."""
        return self.n, self.position, self.words, self.behind

    @property
    def n(self) -> int:
        """Learned tokens of a sentence."""
        return next(tokens.shape[-2] for tokens in self.text if tokens is not None)

    @property
    def groups(self) -> bool:
        """Whether its text tokens are in groups."""
        return any(tokens is not None and tokens.ndim == 4 for tokens in self.text)


@dataclass(frozen=True)
class LayerOverlay:
    """A method's changes to one layer of a frozen tower; the layer itself stays as it is. Parts and weights have open_clip's names.

    Args:
        weights: tensors in the place of the layer's own: "ln_1.weight", "attn.in_proj_weight", "mlp.c_fc.bias" and so on.
        added: functions of the input of a part, whose values are added to the part's output: "attn.in_proj" (its output has queries, keys
            and values, 3w), "attn.out_proj", "mlp.c_fc" (before the activation), "mlp.c_proj"; "attn" and "mlp", whose input is the
            layer's own, or that of its second half, before the normalisation, (B, T, w); and "layer", the layer as a whole.
    """

    weights: Mapping[str, Tensor] = field(default_factory=dict)
    added: Mapping[str, Callable[[Tensor], Tensor]] = field(default_factory=dict)


@dataclass(frozen=True)
class Overlay:
    """A method's changes to one tower. They apply for one call: the backbone stays bit-identical, and other runs share it.

    Args:
        layers: by number, from 0. What comes before the first of them is the frozen model's, without gradients.
        end: tensors in the place of those behind the last layer: "ln_final.weight", "ln_final.bias" and "text_projection" of the text
            tower, "ln_post.weight", "ln_post.bias" and "proj" of the image tower.
    """

    layers: Mapping[int, LayerOverlay] = field(default_factory=dict)
    end: Mapping[str, Tensor] = field(default_factory=dict)


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
        added: logits that the method adds to those of image-text matching, (B, M).
        readouts: further features of the images by name, (B, ...), for heads that ask for them and for the method's own losses.
        labels: of the images, (B,), indices into `classes`: there in training, when the method's own losses are called.
    """

    image: Tensor
    text: Tensor
    scale: Tensor
    classes: ClassSet
    reference: Tensor | None = None
    added: Tensor | None = None
    readouts: Mapping[str, Tensor] = field(default_factory=dict)
    labels: Tensor | None = None

    def own_text(self, labels: Tensor) -> Tensor:
        """Each image's own class feature, (B, d); labels (B,) index `classes`."""
        return self.text[labels] if self.text.ndim == 2 else self.text.take_along_dim(labels[:, None, None], dim=1)[:, 0]
