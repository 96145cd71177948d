"""The encoders against open_clip's own, and their refusals."""

from __future__ import annotations

import pytest
import torch

from depthub.encoding.backbone import Backbone
from depthub.encoding.image_tower import ImageTower
from depthub.errors import DepthubError
from depthub.types import ClassSet, Prompts
from tests.models import CLASSES, random_backbone

TOWERS = {
    "CLIP": {},
    "CustomTextCLIP": {"custom_text": True},
    "linear projection": {"proj_bias": True},
    "no causal mask": {"custom_text": True, "no_causal_mask": True},
}


@pytest.fixture(scope="module", params=TOWERS)
def backbone(request: pytest.FixtureRequest) -> Backbone:
    return random_backbone(**TOWERS[request.param])


@pytest.mark.parametrize("words", ["a photo of a", "itap of", "X"])
def test_prompts_of_real_words_equal_encode_text(backbone: Backbone, words: str) -> None:
    expected = backbone.encode_sentences([f"{words} {name}." for name in CLASSES.words])
    features = backbone.encode_text(CLASSES, Prompts([backbone.embed(words)]))
    torch.testing.assert_close(features, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("position", "sentence"), [("middle", "a photo {} of a ."), ("front", "{} a photo of a .")])
def test_class_token_in_the_middle_and_in_front(backbone: Backbone, position: str, sentence: str) -> None:
    prompts = Prompts([backbone.embed("a photo of a")], position=position)
    expected = backbone.encode_sentences([sentence.format(name) for name in CLASSES.words])
    torch.testing.assert_close(backbone.encode_text(CLASSES, prompts), expected, rtol=1e-12, atol=1e-12)


def test_an_odd_context_has_its_smaller_half_before_the_class(backbone: Backbone) -> None:
    prompts = Prompts([backbone.embed("a photo of")], position="middle")
    expected = backbone.encode_sentences([f"a {name} photo of ." for name in CLASSES.words])
    torch.testing.assert_close(backbone.encode_text(CLASSES, prompts), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("position", ["middle", "front"])
def test_names_that_end_in_punctuation_are_counted_as_they_stand_alone(position: str) -> None:
    """As in the published code: the class token's length is that of the name, though its last sign merges with the full stop."""
    backbone = random_backbone()
    classes = ClassSet("odd", (0, 1), ("Mr. Fox!", "what?!"))
    generator = torch.Generator().manual_seed(0)
    context = torch.randn(3, backbone.text_width, dtype=torch.float64, generator=generator)
    features = backbone.encode_text(classes, Prompts([context], position=position))
    for row, name in enumerate(classes.names):
        ids = backbone.tokenizer([f"X X X {name}."])
        length = len(backbone.tokenizer.encode(name))
        tokens = backbone.text.token_embedding(ids)[0]
        before = {"middle": 1, "front": 0}[position]
        rest = tokens[4:]
        written = torch.cat([tokens[:1], context[:before], rest[:length], context[before:], rest[length:]])
        written = written + backbone.text.positional_embedding
        x = backbone.text.transformer(written[None], attn_mask=backbone.text.attn_mask)
        expected = backbone.text.ln_final(x)[0, ids[0].argmax()] @ backbone.text.text_projection
        torch.testing.assert_close(features[row], expected, rtol=1e-11, atol=1e-11)


def test_frozen_words_stay_behind_the_context(backbone: Backbone) -> None:
    prompts = Prompts([backbone.embed("the picture")], words="a photo of a")
    expected = backbone.encode_sentences([f"the picture of a {name}." for name in CLASSES.words])
    torch.testing.assert_close(backbone.encode_text(CLASSES, prompts), expected, rtol=1e-12, atol=1e-12)


def test_contexts_per_class_per_image_and_per_run_are_those_of_each_alone(backbone: Backbone) -> None:
    generator = torch.Generator().manual_seed(1)
    contexts = torch.randn(len(CLASSES), 4, backbone.text_width, dtype=torch.float64, generator=generator)
    together = backbone.encode_text(CLASSES, Prompts([contexts]))
    alone = [backbone.encode_text(CLASSES.take([i]), Prompts([contexts[i]]))[0] for i in range(len(CLASSES))]
    torch.testing.assert_close(together, torch.stack(alone), rtol=1e-11, atol=1e-11)
    images = torch.randn(3, 1, 4, backbone.text_width, dtype=torch.float64, generator=generator)
    per_image = backbone.encode_text(CLASSES, Prompts([images]))
    assert per_image.shape == (3, len(CLASSES), backbone.dim)
    for i in range(3):
        torch.testing.assert_close(per_image[i], backbone.encode_text(CLASSES, Prompts([images[i, 0]])), rtol=1e-11, atol=1e-11)
    runs = torch.randn(3, len(CLASSES), 4, backbone.text_width, dtype=torch.float64, generator=generator)
    together = backbone.encode_text(CLASSES, Prompts([runs]))
    torch.testing.assert_close(
        together, torch.stack([backbone.encode_text(CLASSES, Prompts([run])) for run in runs]), rtol=1e-11, atol=1e-11
    )


def test_deep_text_prompts_enter_at_their_layer(backbone: Backbone) -> None:
    """Overwriting a layer's context with its own values changes nothing; with other values, everything."""
    backbone.encoding = "reference"  # its layers see whole sentences
    context = backbone.embed("a photo of a")
    plain = backbone.encode_text(CLASSES, Prompts([context]))
    states: list[torch.Tensor] = []
    layer = backbone.text.transformer.resblocks[1]
    hook = layer.register_forward_pre_hook(lambda _, inputs: states.append(inputs[0][:, 1:5].clone()))
    backbone.encode_text(CLASSES, Prompts([context]))
    hook.remove()
    torch.testing.assert_close(backbone.encode_text(CLASSES, Prompts([context, states[0]])), plain, rtol=1e-12, atol=1e-12)
    assert not torch.allclose(backbone.encode_text(CLASSES, Prompts([context, -states[0]])), plain)
    backbone.encoding = "fast"


def test_deep_image_prompts_enter_at_their_layer() -> None:
    backbone = random_backbone()
    backbone.encoding = "reference"  # its layers are called whole
    images = torch.randn(2, 3, 32, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    first = torch.randn(3, backbone.image_width, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    shallow = backbone.encode_image(images, [first])
    states: list[torch.Tensor] = []
    hook = backbone.clip.visual.transformer.resblocks[1].register_forward_pre_hook(lambda _, inputs: states.append(inputs[0].clone()))
    backbone.encode_image(images, [first])
    hook.remove()
    assert states[0].shape[1] == 1 + 4 + 3  # class token, patches, prompts at the end
    assert not torch.allclose(shallow, backbone.encode_image(images))
    deep = torch.stack([backbone.encode_image(images[i : i + 1], [first, states[0][i, -3:]])[0] for i in range(2)])
    torch.testing.assert_close(deep, shallow, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("vision", [{}, {"pool_type": "avg"}, {"final_ln_after_pool": True}, {"no_ln_pre": True}])
def test_pooling_never_reads_the_prompts_own_tokens(vision: dict[str, object]) -> None:
    """With the last layer's output set to zero at the prompts' places the feature does not change."""
    backbone = random_backbone(vision=vision)
    backbone.encoding = "reference"  # its layers are called whole
    images = torch.randn(2, 3, 32, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    prompts = [torch.randn(2, backbone.image_width, dtype=torch.float64)]
    feature = backbone.encode_image(images, prompts)
    assert not torch.allclose(feature, backbone.encode_image(images))
    last = backbone.clip.visual.transformer.resblocks[-1]
    hook = last.register_forward_hook(lambda _, inputs, out: torch.cat([out[:, :-2], torch.zeros_like(out[:, -2:])], dim=1))
    torch.testing.assert_close(backbone.encode_image(images, prompts), feature, rtol=0, atol=0)
    hook.remove()


def test_features_pass_through() -> None:
    features = torch.randn(4, 24)
    assert random_backbone().encode_image(features) is features


def test_long_sentences_name_the_class() -> None:
    backbone = random_backbone()
    classes = ClassSet("long", (0, 1), ("dog", "a very long name " * 8))
    with pytest.raises(DepthubError, match=r"class 'a very long name .* tokens, the text tower reads 32"):
        backbone.encode_text(classes, Prompts([torch.zeros(4, backbone.text_width)]))
    with pytest.raises(DepthubError, match="shorten"):
        backbone.encode_sentences(["word " * 40])


def test_too_many_layers() -> None:
    backbone = random_backbone()
    with pytest.raises(DepthubError, match="4 layers of the text tower, which has 3"):
        backbone.encode_text(CLASSES, Prompts([torch.zeros(2, 32, dtype=torch.float64)] * 4))
    with pytest.raises(DepthubError, match="4 layers of the image tower, which has 3"):
        backbone.encode_image(torch.zeros(1, 3, 32, 32, dtype=torch.float64), [torch.zeros(2, 48, dtype=torch.float64)] * 4)


def test_image_prompts_are_refused_by_other_towers() -> None:
    resnet = random_backbone(vision={"layers": [1, 1, 1, 1], "patch_size": None, "width": 16, "image_size": 64, "head_width": 16})
    assert resnet.encode_image(torch.zeros(1, 3, 64, 64, dtype=torch.float64)).shape == (1, 24)
    assert resnet.encode_text(CLASSES, Prompts([resnet.embed("a photo of a")])).shape == (5, 24)
    with pytest.raises(DepthubError, match="ModifiedResNet"):
        resnet.encode_image(torch.zeros(1, 3, 64, 64, dtype=torch.float64), [torch.zeros(2, 16)])


def test_timm_vision_transformers_take_prompts() -> None:
    """Without an effect of the prompts' places the tower is timm's own; with prompts the class token sees them."""
    vision = {"timm_model_name": "vit_tiny_patch16_224", "timm_model_pretrained": False, "timm_pool": "token", "timm_proj": "linear"}
    backbone = random_backbone(vision={**vision, "image_size": 224}, custom_text=True)
    assert (backbone.image_width, backbone.image_depth) == (192, 12)
    images = torch.randn(2, 3, 224, 224, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    tower = ImageTower.of(backbone.clip.visual)
    x = tower.begin(tower.embed(images))
    for block in tower.blocks:
        x = block(x)
    torch.testing.assert_close(tower.finish(x), backbone.encode_image(images), rtol=1e-10, atol=1e-10)
    prompts = [torch.randn(2, 192, dtype=torch.float64, requires_grad=True) for _ in range(3)]
    features = backbone.encode_image(images, prompts)
    assert not torch.allclose(features, backbone.encode_image(images))
    features.sum().backward()
    assert all(prompt.grad is not None and prompt.grad.abs().max() > 0 for prompt in prompts)


def test_the_model_is_frozen_and_stays_in_evaluation_mode() -> None:
    backbone = random_backbone().train()
    assert not any(p.requires_grad for p in backbone.parameters())
    assert not any(module.training for module in backbone.modules())
