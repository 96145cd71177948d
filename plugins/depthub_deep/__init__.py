"""Deep prompts in one tower or in both: VPT (https://arxiv.org/abs/2203.12119) and two baselines of the MaPLe paper."""

from __future__ import annotations

from torch import Tensor

from depthub import Backbone, ClassSet, Features, Method, Preset, PromptMethod, Prompts, deep_prompts, hookimpl, start_words


class VPT(Method):
    """Visual prompts; the text is a hand-written prompt.

    Args:
        n_ctx: tokens per layer.
        depth: number of layers with prompts, the input included.
        template: the prompt, with `{}` for the class name; the same for all data sets as published. Empty: the data set's own.
    """

    tunes_image = True
    presets = (Preset("original", {}, {"lr": 0.0025, "epochs": 5}),)

    def __init__(
        self, backbone: Backbone, classes: ClassSet, *, n_ctx: int = 8, depth: int = 12, template: str = "a photo of a {}."
    ) -> None:
        super().__init__(backbone, classes)
        self.image = deep_prompts(self, depth, backbone.image_depth, n_ctx, backbone.image_width)
        self.template = template

    def features(self, backbone: Backbone, images: Tensor, classes: ClassSet) -> Features:
        text = backbone.encode_sentences(classes.sentences(self.template))
        return Features(backbone.encode_image(images, list(self.image)), text, backbone.scale, classes)


class DeepLanguage(PromptMethod):
    """Text prompts at several layers.

    Args:
        n_ctx: tokens per layer.
        depth: number of layers with prompts, the input included.
        ctx_init: words in front of the class name; the first `n_ctx` start the input's context. Empty: normal.
    """

    presets = (Preset("original", {}, {"lr": 0.0025, "epochs": 5}),)

    def __init__(self, backbone: Backbone, classes: ClassSet, *, n_ctx: int = 4, depth: int = 12, ctx_init: str = "a photo of a") -> None:
        super().__init__(backbone, classes)
        self.words = start_words(ctx_init)
        start = backbone.embed(self.words) if self.words else None
        self.text = deep_prompts(self, depth, backbone.text_depth, n_ctx, backbone.text_width, start)

    def prompts(self, classes: ClassSet, image: Tensor | None) -> Prompts:
        return Prompts(text=list(self.text), words=self.words)


class IndependentVL(PromptMethod):
    """Prompts at several layers of both towers, independent of each other (IVLP).

    Args:
        n_text: text tokens per layer.
        n_image: image tokens per layer.
        depth: number of layers with prompts in each tower, the input included.
        ctx_init: words in front of the class name; the first `n_text` start the input's context. Empty: normal.
    """

    tunes_image = True
    presets = (Preset("original", {}, {"epochs": 5}),)

    def __init__(
        self, backbone: Backbone, classes: ClassSet, *, n_text: int = 2, n_image: int = 2, depth: int = 12, ctx_init: str = "a photo of a"
    ) -> None:
        super().__init__(backbone, classes)
        self.words = start_words(ctx_init)
        start = backbone.embed(self.words) if self.words else None
        self.text = deep_prompts(self, depth, backbone.text_depth, n_text, backbone.text_width, start)
        self.image = deep_prompts(self, depth, backbone.image_depth, n_image, backbone.image_width)

    def prompts(self, classes: ClassSet, image: Tensor | None) -> Prompts:
        return Prompts(text=list(self.text), image=list(self.image), words=self.words)


@hookimpl
def depthub_methods() -> list[type[Method]]:
    return [VPT, DeepLanguage, IndependentVL]
