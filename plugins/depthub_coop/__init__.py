"""CoOp: learned words around the class name. https://arxiv.org/abs/2109.01134"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from torch import Tensor, nn

from depthub import (
    Backbone,
    ClassSet,
    DepthubError,
    Preset,
    PromptMethod,
    Prompts,
    canonical_context,
    hookimpl,
    start_context,
    start_words,
    trained_rows,
)

WORDS = {"n_ctx": 4, "ctx_init": "a photo of a"}
RECIPE = {"lr": 0.002, "batch_size": 32}


class CoOp(PromptMethod):
    """A context shared by all classes, or one for each.

    Args:
        n_ctx: number of learned tokens; ignored when ctx_init is given (its words set the number).
        ctx_init: words whose embeddings start the context, one token for each word; empty: normal, standard deviation 0.02.
        class_specific: a context for each training class; cannot be evaluated on other classes.
        position: place of the class name: after the context, in its middle, or in front of it.
    """

    presets = (
        Preset("original", WORDS, {**RECIPE, "epochs": 50}, protocols=("BaseToNew",), data=("imagenet",)),
        Preset("original", WORDS, {**RECIPE, "epochs": 200}, protocols=("BaseToNew",)),
        Preset("original", WORDS, {**RECIPE, "epochs": 50}, protocols=("CrossDataset", "DomainGeneralization")),
        Preset("original", {}, {**RECIPE, "epochs": 50}, data=("imagenet",)),
        Preset("original", {}, {**RECIPE, "epochs": 50}, shots=(1,)),
        Preset("original", {}, {**RECIPE, "epochs": 100}, shots=(2, 4)),
        Preset("original", {}, {**RECIPE, "epochs": 200}),
    )

    def __init__(
        self,
        backbone: Backbone,
        classes: ClassSet,
        *,
        n_ctx: int = 16,
        ctx_init: str = "",
        class_specific: bool = False,
        position: Literal["end", "middle", "front"] = "end",
    ) -> None:
        super().__init__(backbone, classes)
        if class_specific and ctx_init:
            raise DepthubError("CoOp: class_specific contexts start at random; leave ctx_init empty")
        if n_ctx < 1:
            raise DepthubError(f"CoOp: n_ctx is {n_ctx}, expected at least 1")
        self.words = start_words(ctx_init)
        self.classes, self.class_specific, self.position = classes, class_specific, position
        shape = (len(classes), n_ctx) if class_specific else (n_ctx,)
        self.context = nn.Parameter(start_context(backbone, self.words, *shape))  # (n, w), or (M, n, w)

    @classmethod
    def canonical(cls, settings: Mapping[str, Any]) -> Mapping[str, Any]:
        return canonical_context(settings)

    def prompts(self, classes: ClassSet, image: Tensor | None) -> Prompts:
        context = self.context[trained_rows(classes, self.classes)] if self.class_specific else self.context
        return Prompts(text=[context], position=self.position, words=self.words)

    def check(self, classes: ClassSet) -> None:
        if self.class_specific and classes.rows_in(self.classes) is None:
            raise DepthubError(
                "CoOp: class-specific contexts exist for the training classes only; set class_specific to false to test on new classes"
            )


@hookimpl
def depthub_methods() -> list[type[PromptMethod]]:
    return [CoOp]
