"""A plugin whose parts each hand over something else than they should: what somebody might install. Nothing here is installed by itself."""

# ruff: noqa: ANN001, ANN201, ANN202, ANN204 - as somebody may write it
# mypy: ignore-errors

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn
from torch.nn import functional as F

from depthub import (
    ITM,
    Features,
    Head,
    Method,
    PromptMethod,
    Prompts,
    Protocol,
    Stage,
    Task,
    few_shot,
    hookimpl,
)


class Plain(PromptMethod):
    """Nothing is wrong with it."""

    def __init__(self, backbone, classes):
        super().__init__(backbone, classes)
        self.context = nn.Parameter(0.02 * torch.randn(2, backbone.text_width))

    def prompts(self, classes, image):
        return Prompts(text=[self.context])


class NoList(Plain):
    def prompts(self, classes, image):
        return Prompts(text=self.context)


class NoPrompts(Plain):
    def prompts(self, classes, image):
        return None


class TensorPrompts(Plain):
    def prompts(self, classes, image):
        return self.context


class Returning(Plain):
    def after_epoch(self, epoch, epochs):
        return self.context


class Stumbling(Plain):
    def after_epoch(self, epoch, epochs):
        raise OSError("in an epoch")


class NoToken(Plain):
    def prompts(self, classes, image):
        return Prompts(text=[self.context[:0]])


class Narrow(Plain):
    def prompts(self, classes, image):
        return Prompts(text=[self.context[:, 1:]])


class FewClasses(Plain):
    def prompts(self, classes, image):
        return Prompts(text=[self.context.expand(len(classes) - 1, -1, -1)])


class Uneven(Plain):
    def prompts(self, classes, image):
        return Prompts(text=[self.context, self.context[:1]])


class Integers(Plain):
    def prompts(self, classes, image):
        return Prompts(text=[self.context.long()])


class Nowhere(Plain):
    def prompts(self, classes, image):
        return Prompts(text=[self.context], position="back")


class ImageUnsaid(Plain):
    def __init__(self, backbone, classes):
        super().__init__(backbone, classes)
        self.tokens = nn.Parameter(0.02 * torch.randn(2, backbone.image_width))

    def prompts(self, classes, image):
        return Prompts(text=[self.context], image=[self.tokens])


class Tall(Plain):
    tunes_image = True

    def prompts(self, classes, image):
        return Prompts(text=[self.context], image=[self.context[None, None]])


class WordLosses(Plain):
    def losses(self, features):
        return {1: self.context.sum()}


class IntegerLoss(Plain):
    def losses(self, features):
        return {"own": torch.tensor(1)}


class Answering(Plain):
    def check(self, classes):
        return False


class Failing(Plain):
    def check(self, classes):
        return {}["classes"]


class Unready(Method):
    def __init__(self, backbone, classes):
        self.backbone = None

    def features(self, backbone, images, classes):
        raise NotImplementedError


class Early(Unready):
    def __init__(self, backbone, classes):
        self.context = nn.Parameter(torch.zeros(2, backbone.text_width))


class Crashing(Plain):
    def losses(self, features):
        return {"own": self.missing}


class Made(Method):
    """Makes features; the others here change them."""

    def __init__(self, backbone, classes):
        super().__init__(backbone, classes)
        self.context = nn.Parameter(0.02 * torch.randn(2, backbone.text_width))

    def features(self, backbone, images, classes):
        text = backbone.encode_text(classes, Prompts(text=[self.context]))
        return self.changed(Features(backbone.encode_image(images), text, backbone.scale, classes))

    def changed(self, features):
        return features


class NoFeatures(Made):
    def changed(self, features):
        return features.image, features.text


class OneImage(Made):
    def changed(self, features):
        return replace(features, image=features.image[:1])


class HalfText(Made):
    def changed(self, features):
        return replace(features, text=features.text[:, 1:])


class FewTexts(Made):
    def changed(self, features):
        return replace(features, text=features.text[1:])


class ManyScales(Made):
    def changed(self, features):
        return replace(features, scale=features.scale.expand(3))


class NumberScale(Made):
    def changed(self, features):
        return replace(features, scale=100.0)


class OtherClasses(Made):
    def changed(self, features):
        return replace(features, classes=replace(features.classes, space="mine"))


class WholeImage(Made):
    def changed(self, features):
        return replace(features, image=features.image.long())


class Hooking(Plain):
    def __init__(self, backbone, classes):
        super().__init__(backbone, classes)
        backbone.text.transformer.resblocks[0].register_forward_hook(lambda layer, args, out: 2 * out)


class ImageHooking(Plain):
    def __init__(self, backbone, classes):
        super().__init__(backbone, classes)
        backbone.encoding = "reference"
        backbone.clip.visual.transformer.resblocks[0].register_forward_pre_hook(lambda layer, args: None)


class Holding(Plain):
    """Hooks what holds the layers, which prompts pass by."""

    def __init__(self, backbone, classes):
        super().__init__(backbone, classes)
        backbone.encoding = "reference"
        backbone.text.transformer.register_forward_hook(lambda layer, args, out: out)


class PlainHooking(Plain):
    """A right one: its hook scales what the first layer gives, and is trained."""

    def __init__(self, backbone, classes):
        super().__init__(backbone, classes)
        backbone.encoding = "reference"
        self.gain = nn.Parameter(torch.ones(()))
        backbone.text.transformer.resblocks[0].register_forward_hook(lambda layer, args, out: self.gain * out)


class Writing(Plain):
    def losses(self, features):
        with torch.no_grad():
            self.embedding[0] += 1
        return {}

    def __init__(self, backbone, classes):
        super().__init__(backbone, classes)
        object.__setattr__(self, "embedding", backbone.text.token_embedding.weight)


class Unlocking(Plain):
    def __init__(self, backbone, classes):
        super().__init__(backbone, classes)
        backbone.requires_grad_(True)


class Adapting(Plain):
    def __init__(self, backbone, classes):
        super().__init__(backbone, classes)
        backbone.clip.visual.transformer.resblocks[0].mlp.c_fc = nn.Linear(48, 192)


class Few(Head):
    """A head with a score too few; the others here change it."""

    def __init__(self, dim, classes):
        super().__init__(dim, classes)
        self.itm, self.weight = ITM(dim, classes), nn.Parameter(torch.ones(()))

    def loss(self, features, labels):
        return F.cross_entropy(self.weight * self.itm(features), labels)

    def forward(self, features):
        return self.itm(features)[:, 1:]


class Whole(Few):
    def forward(self, features):
        return self.itm(features).long()


class EachLoss(Few):
    def loss(self, features, labels):
        return F.cross_entropy(self.itm(features), labels, reduction="none")


class Certain(Few):
    def forward(self, features):
        return self.itm(features)

    def gives_probabilities(self, classes):
        return True


class Vague(Certain):
    def gives_probabilities(self, classes):
        return None


class EarlyHead(Few):
    def __init__(self, dim, classes):
        self.weight = nn.Parameter(torch.ones(()))


class AllOf(Protocol):
    """Nothing is wrong with it."""

    def stages(self, source, load, shots, seed):
        return [Stage(Task("all", few_shot(source, shots, seed), source.classes), (Task("all", source.test, source.classes),))]

    def scores(self, counts):
        return {"accuracy": counts["all"].percent}


class Listing(AllOf):
    def stages(self, source, load, shots, seed):
        return [replace(stage, tests=[*stage.tests]) for stage in super().stages(source, load, shots, seed)]


class Nameless(AllOf):
    def stages(self, source, load, shots, seed):
        return [replace(stage, train=replace(stage.train, name=None)) for stage in super().stages(source, load, shots, seed)]


class Untrained(AllOf):
    def stages(self, source, load, shots, seed):
        return [replace(stage, train=None) for stage in super().stages(source, load, shots, seed)]


class NoStages(AllOf):
    def stages(self, source, load, shots, seed):
        return None


class Breaking(AllOf):
    def stages(self, source, load, shots, seed):
        raise OSError("in stages")


class Fraction(AllOf):
    def scores(self, counts):
        return {"accuracy": 1e3}


class NoScores(AllOf):
    def scores(self, counts):
        return None


class Undefined(AllOf):
    def scores(self, counts):
        return {"accuracy": float("nan")}


def _parts(base):
    return [thing for thing in globals().values() if isinstance(thing, type) and issubclass(thing, base) and thing.__module__ == __name__]


@hookimpl
def depthub_methods():
    return _parts(Method)


@hookimpl
def depthub_heads():
    return _parts(Head)


@hookimpl
def depthub_protocols():
    return _parts(Protocol)
