"""PromptSRC: prompts in both towers, regularised towards the frozen model and averaged over epochs. https://arxiv.org/abs/2307.06948"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from depthub import Backbone, ClassSet, DepthubError, Features, Method, Preset, Prompts, deep_prompts, hookimpl, start_words, trained_rows
from depthub_promptsrc.average import fill, flat, share
from depthub_promptsrc.templates import TEMPLATES

OTHER_DATA, FEW_SHOT = {"depth": 3, "mean": 6.0, "std": 10.0}, {"mean": 30.0, "std": 30.0}
LATE, LATE_DATA = {"mean": 45.0, "std": 5.0}, ("stanford_cars", "oxford_flowers", "fgvc_aircraft", "dtd", "eurosat")


class PromptSRC(Method):
    """Independent prompts at several layers of both towers. Three losses hold the prompted features and scores near the frozen ones; the
    final prompts are an average of every epoch's, weighted by a normal density over the epochs.

    Args:
        n_text: text tokens per layer.
        n_image: image tokens per layer.
        depth: number of layers with prompts in each tower, the input included.
        ctx_init: words in front of the class name; the first `n_text` start the input's context. Empty: normal, standard deviation 0.02.
        text_weight: weight of the mean absolute difference between the normalised text features and the frozen ones.
        image_weight: weight of the same for image features.
        mean: epoch of the largest weight in the average, counted from 1. For few shots published as 30, for five data sets as 45.
        std: width of the weights in epochs; 30, and 5 for those five.
        templates: sentences with `{}` for the class name; a frozen text feature is their average. Empty: the published code's 60.
    """

    tunes_image = True
    presets = (
        Preset("original", OTHER_DATA, {"lr": 0.0025, "epochs": 20}, protocols=("CrossDataset", "DomainGeneralization")),
        Preset("original", LATE, {"lr": 0.0025, "epochs": 50}, protocols=("FewShot",), data=LATE_DATA),
        Preset("original", FEW_SHOT, {"lr": 0.0025, "epochs": 50}, protocols=("FewShot",)),
        Preset("original", {}, {"lr": 0.0025, "epochs": 20}),
    )
    anchors: Tensor  # (M, d), normalised
    average: Tensor  # of all parameters so far, one after the other

    def __init__(
        self,
        backbone: Backbone,
        classes: ClassSet,
        *,
        n_text: int = 4,
        n_image: int = 4,
        depth: int = 9,
        ctx_init: str = "a photo of a",
        text_weight: float = 25.0,
        image_weight: float = 10.0,
        mean: float = 15.0,
        std: float = 1.0,
        templates: list[str] | None = None,
    ) -> None:
        super().__init__(backbone, classes)
        if std <= 0:
            raise DepthubError(f"PromptSRC: std is {std}, expected a positive number of epochs")
        self.text_weight, self.image_weight, self.mean, self.std = text_weight, image_weight, mean, std
        self.words, self.classes = start_words(ctx_init), classes
        start, layers = backbone.embed(self.words) if self.words else None, min(backbone.text_depth, backbone.image_depth)
        self.text = deep_prompts(self, depth, layers, n_text, backbone.text_width, start)
        self.image = deep_prompts(self, depth, layers, n_image, backbone.image_width)
        each = [backbone.encode_sentences(classes.sentences(template)) for template in templates or TEMPLATES]
        self.register_buffer("anchors", F.normalize(torch.stack(each).mean(dim=0), dim=-1), persistent=False)
        self.register_buffer("average", torch.zeros(sum(p.numel() for p in self.parameters())))

    def features(self, backbone: Backbone, images: Tensor, classes: ClassSet) -> Features:
        text = backbone.encode_text(classes, Prompts(text=list(self.text), words=self.words))
        frozen = backbone.encode_image(images) if self.training else None
        return Features(backbone.encode_image(images, list(self.image)), text, backbone.scale, classes, frozen)

    def losses(self, features: Features) -> dict[str, Tensor]:
        if features.reference is None:
            return {}
        old_text = self.anchors[trained_rows(features.classes, self.classes)]
        text, image, old_image = (F.normalize(x, dim=-1) for x in (features.text, features.image, features.reference))
        scores, old_scores = ((features.scale * x @ y.T).log_softmax(dim=-1) for x, y in ((image, text), (old_image, old_text)))
        return {
            "text": self.text_weight * F.l1_loss(text, old_text),
            "image": self.image_weight * F.l1_loss(image, old_image),
            "scores": F.kl_div(scores, old_scores, reduction="sum", log_target=True) / scores.numel(),  # not by images, as published
        }

    @torch.no_grad()
    def after_epoch(self, epoch: int, epochs: int) -> None:
        self.average += share(epoch, epochs, self.mean, self.std) * flat(self)
        if epoch == epochs:
            fill(self, self.average)


@hookimpl
def depthub_methods() -> list[type[Method]]:
    return [PromptSRC]
