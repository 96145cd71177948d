"""Text towers that take no learned tokens: open_clip's own features, and refusals of everything else."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from depthub.boundary.frozen import check_hooks
from depthub.encoding.backbone import Backbone
from depthub.encoding.hf_tokenizer import HuggingFaceTokenizer
from depthub.encoding.image_tower import ImageTower
from depthub.encoding.loading.load import POSITIONS, load_backbone, refusal, weights_digest
from depthub.errors import DepthubError
from depthub.method import Method
from depthub.spec import BackboneSpec, NamedBackbone
from depthub.testing.backbones import BackboneCase, encoding
from depthub.types import ClassSet, Features, LayerOverlay, Overlay, Prompts
from tests.models import VIT
from tests.other_towers import (
    CLIPA,
    OWN_WORDS,
    TOWERS,
    VOCABULARY,
    WORLDWIDE,
    write_hugging_face,
    write_siglip,
    write_text,
    write_tokenizer,
)

NAMES = ClassSet("three", (0, 1, 2), ("Red_ant", "dark-green highway or road", "eel"))
SENTENCES = ["A photo of  a RED ant.", "a dark, green; cat", "the road"]
Write = Callable[[Path], BackboneSpec]
MODELS: dict[str, Write] = {
    "siglip": write_siglip,
    "clipa": lambda folder: write_text(folder, CLIPA),
    "worldwide": lambda folder: write_text(folder, WORLDWIDE),
    "own words": lambda folder: write_text(folder, OWN_WORDS),
    **{kind: lambda folder, kind=kind: write_hugging_face(folder, kind) for kind in TOWERS},  # type: ignore[misc]
    "roberta, first token": lambda folder: write_hugging_face(folder, "roberta", "cls_pooler", "linear"),
}
REASONS = {"siglip": "last slot", "clipa": "last slot", "worldwide": "'eos'", "own words": "tokens are not CLIP's"}


class Plain(Method):
    """Reads features alone."""

    def features(self, backbone: Backbone, images: Tensor, classes: ClassSet) -> Features:
        return Features(backbone.encode_image(images), backbone.encode_text(classes, Prompts()), backbone.scale, classes)


@pytest.fixture(scope="module")
def siglip(tmp_path_factory: pytest.TempPathFactory) -> BackboneSpec:
    return write_siglip(tmp_path_factory.mktemp("siglip") / "model")


def folder_of(spec: BackboneSpec) -> Path:
    return Path(spec.model.removeprefix("local-dir:"))


def change(spec: BackboneSpec, part: str, **values: Any) -> None:
    """Other values in a part of a model's configuration."""
    path = folder_of(spec) / "open_clip_config.json"
    content = json.loads(path.read_text())
    content["model_cfg"][part] |= values
    path.write_text(json.dumps(content))


def images(backbone: Backbone, number: int = 3) -> Tensor:
    return torch.randn(number, 3, *backbone.image_size, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("name", MODELS)
@torch.no_grad()
def test_features_are_open_clips_own(name: str, tmp_path: Path) -> None:
    spec = MODELS[name](tmp_path)
    backbone = load_backbone(spec, {})
    theirs, tokenizer = open_clip.create_model(spec.model).eval(), open_clip.get_tokenizer(spec.model)
    assert backbone.digest() == Backbone(theirs, tokenizer).digest()
    pixels, sentences = images(backbone), NAMES.sentences()
    for texts in (SENTENCES, sentences):
        assert torch.equal(backbone.tokenizer(texts), tokenizer(texts))
        assert torch.equal(backbone.encode_sentences(texts), theirs.encode_text(tokenizer(texts)))
    text = backbone.encode_text(NAMES, Prompts())
    assert torch.equal(text, theirs.encode_text(tokenizer(sentences)))
    assert torch.allclose(backbone.encode_image(pixels), theirs.encode_image(pixels), rtol=1e-5, atol=1e-6)
    assert tuple(text.shape) == (3, backbone.dim)
    assert backbone.context_length == tokenizer.context_length
    assert backbone.image_size == tuple(theirs.visual.image_size)
    assert tuple(backbone.image_statistics[0]) == (0.5, 0.4, 0.3)
    assert torch.equal(backbone.scale, theirs.logit_scale.exp().reshape(()))
    backbone.check_prompts(NAMES, Prompts())


@torch.no_grad()
def test_a_logit_bias_changes_neither_predictions_nor_probabilities(siglip: BackboneSpec) -> None:
    backbone, theirs = load_backbone(siglip, {}), open_clip.create_model(siglip.model).eval()
    pixels = images(backbone, 5)
    expected, _ = theirs.get_logits(pixels, backbone.tokenizer(NAMES.sentences()))
    image, text = (
        torch.nn.functional.normalize(f, dim=-1) for f in (backbone.encode_image(pixels), backbone.encode_sentences(NAMES.sentences()))
    )
    logits = backbone.scale * image @ text.T
    assert theirs.logit_bias.item() < -1
    assert torch.allclose(logits + theirs.logit_bias, expected, atol=1e-5)
    assert torch.allclose(logits.softmax(dim=-1), expected.softmax(dim=-1), atol=1e-6)
    assert torch.equal(logits.argmax(dim=-1), expected.argmax(dim=-1))


@pytest.mark.parametrize("name", MODELS)
def test_learned_tokens_and_changes_are_refused_with_the_reason(name: str, tmp_path: Path) -> None:
    backbone = load_backbone(MODELS[name](tmp_path), {})
    reason = REASONS.get(name, "comes from Hugging Face")
    assert reason in backbone.text_refusal
    tokens = Prompts(text=[torch.zeros(2, 32)])
    attempts: list[Callable[[], object]] = [
        lambda: backbone.text_width,
        lambda: backbone.text_depth,
        lambda: backbone.embed("a photo"),
        lambda: backbone.weights("text", 0),
        lambda: backbone.check_prompts(NAMES, tokens),
        lambda: backbone.encode_text(NAMES, tokens),
        lambda: backbone.encode_text(NAMES, Prompts(), Overlay({0: LayerOverlay()})),
        lambda: backbone.encode_sentences(SENTENCES, Overlay()),
    ]
    for attempt in attempts:
        with pytest.raises(DepthubError) as caught:
            attempt()
        assert reason in str(caught.value)
        assert "features alone" in str(caught.value)
        assert "\n" not in str(caught.value)


def test_features_are_remembered_until_a_weight_changes(tmp_path: Path) -> None:
    backbone = load_backbone(write_hugging_face(tmp_path, "bert"), {})
    calls: list[int] = []
    backbone.text.register_forward_hook(lambda *_: calls.append(1))
    before = backbone.encode_sentences(SENTENCES)
    assert torch.equal(backbone.encode_sentences(SENTENCES), before)
    assert len(calls) == 1
    with torch.no_grad():
        next(backbone.text.transformer.parameters()).mul_(1.5)
    assert not torch.allclose(backbone.encode_sentences(SENTENCES), before)


@pytest.mark.parametrize(("name", "ends"), [("siglip", 1), ("worldwide", 2), ("mt5", 2)])
def test_a_sentence_may_fill_the_context_and_not_more(name: str, ends: int, tmp_path: Path) -> None:
    """open_clip would cut it."""
    backbone = load_backbone(MODELS[name](tmp_path), {})
    most = backbone.context_length - ends
    assert backbone.encode_sentences([" ".join(["red"] * most)]).isfinite().all()
    with pytest.raises(DepthubError, match=f"has {most + ends + 1} tokens, the text tower reads {most + ends}: shorten it"):
        backbone.encode_sentences([" ".join(["red"] * (most + 1))])


def test_words_come_back(siglip: BackboneSpec) -> None:
    tokenizer = load_backbone(siglip, {}).tokenizer
    assert tokenizer.decode(tokenizer.encode("A RED, ant!")) == "a red ant"  # without punctuation, as SigLIP reads it


# Images.


def test_prompts_in_a_tower_with_attention_pooling(siglip: BackboneSpec) -> None:
    """Taken apart, it is open_clip's own; learned tokens act on the patches, which alone are pooled."""
    backbone = load_backbone(siglip, {})
    tower, pixels = ImageTower.of(backbone.clip.visual), images(backbone)
    assert (backbone.image_width, backbone.image_depth) == (96, 9)
    x = tower.begin(tower.embed(pixels))
    for block in tower.blocks:
        x = block(x)
    plain = backbone.clip.visual(pixels)
    assert torch.equal(tower.finish(x), plain)
    tokens = [torch.randn(2, 96, generator=torch.Generator().manual_seed(layer)).requires_grad_() for layer in range(2)]
    features = backbone.encode_image(pixels, tokens)
    assert not torch.allclose(features, plain)
    assert all(gradient.count_nonzero() for gradient in torch.autograd.grad(features.square().sum(), tokens))


# Files.


def test_positions_that_older_versions_stored_are_left_out(tmp_path: Path) -> None:
    spec = write_hugging_face(tmp_path, "xlm-roberta")
    before, path = load_backbone(spec, {}).digest(), tmp_path / "open_clip_model.safetensors"
    save_file(load_file(path) | {POSITIONS: torch.arange(60)[None]}, path)
    assert load_backbone(spec, {}).digest() == before


def test_random_weights_are_the_same_every_time(tmp_path: Path) -> None:
    spec = BackboneSpec(write_hugging_face(tmp_path, "mt5").model, "random")
    assert load_backbone(spec, {}).digest() == load_backbone(spec, {}).digest()


def by_folder_names(folder: Path) -> BackboneSpec:
    """A configuration that names the folders beside it."""
    write_hugging_face(folder / "whole", "roberta")
    for kind, names in (("tower", ["config.json"]), ("words", ["tokenizer.json", "tokenizer_config.json"])):
        (folder / kind).mkdir()
        for name in names:
            shutil.copy(folder / "whole" / ("tower" if kind == "tower" else "") / name, folder / kind)
    content = json.loads((folder / "whole/open_clip_config.json").read_text())
    content["model_cfg"]["text_cfg"] |= {"hf_model_name": "tower", "hf_tokenizer_name": "words"}
    (folder / "small.json").write_text(json.dumps(content))
    shutil.copy(folder / "whole/open_clip_model.safetensors", folder)
    return BackboneSpec(str(folder / "small.json"), str(folder / "open_clip_model.safetensors"))


def test_folders_beside_the_configuration_wherever_they_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = by_folder_names(tmp_path / "a"), by_folder_names(tmp_path / "b")
    monkeypatch.chdir(tmp_path)
    assert torch.equal(*(load_backbone(spec, {}).encode_sentences(SENTENCES) for spec in (first, second)))
    assert weights_digest(first, {}) == weights_digest(second, {})


@pytest.mark.parametrize("name", ["tower/config.json", "words/tokenizer.json", "words/tokenizer_config.json", "small.json"])
def test_every_file_is_in_the_digest(name: str, tmp_path: Path) -> None:
    spec = by_folder_names(tmp_path)
    before = weights_digest(spec, {})
    (tmp_path / name).write_text((tmp_path / name).read_text() + "\n")
    assert weights_digest(spec, {}) != before


def test_a_vocabulary_of_sentencepiece_is_in_the_digest(tmp_path: Path) -> None:
    spec = write_siglip(tmp_path)
    before = weights_digest(spec, {})
    (tmp_path / "spiece.model").write_bytes(b"pieces")
    assert weights_digest(spec, {}) != before


def test_a_tokenizer_of_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the layout that the Hub's client keeps; its other files may be there without it."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    expected = load_backbone(write_siglip(tmp_path / "model"), {}).encode_sentences(SENTENCES)
    shutil.copy(tmp_path / "model/open_clip_config.json", tmp_path / "model/small.json")
    spec = BackboneSpec(str(tmp_path / "model/small.json"), str(tmp_path / "model/open_clip_model.safetensors"))
    missing = "'someone/siglip' of .*small.json' \\(whose text tower takes no learned tokens\\) is not on this machine; --download gets it"
    with pytest.raises(DepthubError, match=missing):
        load_backbone(spec, {})
    place = tmp_path / "hub/models--someone--siglip"
    (place / "refs").mkdir(parents=True)
    (place / "refs/main").write_text("0123")
    (place / "snapshots/0123").mkdir(parents=True)
    shutil.copy(tmp_path / "model/open_clip_config.json", place / "snapshots/0123")
    with pytest.raises(DepthubError, match=missing):
        load_backbone(spec, {})
    write_tokenizer(place / "snapshots/0123", "$A </s>", "</s>")
    assert torch.equal(load_backbone(spec, {}).encode_sentences(SENTENCES), expected)


# Refusals.


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"tokenizer_kwargs": {"trust_remote_code": True}}, "says 'trust_remote_code', expected clean or language or strip_sep_token"),
        ({"tokenizer_kwargs": {"clean": "scrub"}}, "cannot make the tokenizer"),
        ({"hf_model_name": "none/such"}, "the text tower 'none/such' of .* is not on this machine; --download gets it"),
        ({"hf_model_name": ["a"]}, r"hf_model_name is \['a'\], expected a model of the Hub, or a folder"),
        ({"hf_model_name": "a" * 300}, "is not on this machine"),
        ({"hf_pooler_type": "no_pooler"}, "cannot build"),
        ({"hf_proj_type": "none"}, "cannot read its tokenizer's text"),
        ({"context_length": 80}, "cannot read its tokenizer's text"),
        ({"embed_cls": True}, "cannot be used: CoCa"),
    ],
)
def test_configurations_that_cannot_be_used(values: dict[str, Any], message: str, tmp_path: Path) -> None:
    spec = write_hugging_face(tmp_path, "roberta")
    change(spec, "text_cfg", **values)
    with pytest.raises(DepthubError, match=message) as caught:
        load_backbone(BackboneSpec(spec.model, "random"), {})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ('{"model_type": "gpt2"}', "of the type 'gpt2', expected bert, m2m_100, mt5, roberta, xlm-roberta"),
        ('{"model_type": ["bert"]}', "of the type .*, expected bert"),
        ("[1]", "is not a configuration"),
    ],
)
def test_a_tower_that_open_clip_does_not_know(kind: str, message: str, tmp_path: Path) -> None:
    spec = write_hugging_face(tmp_path, "bert")
    (tmp_path / "tower/config.json").write_text(kind)
    with pytest.raises(DepthubError, match=message):
        load_backbone(spec, {})


def test_files_and_packages_that_are_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = write_hugging_face(tmp_path, "bert")
    (tmp_path / "tokenizer.json").rename(tmp_path / "spiece.model")
    monkeypatch.setitem(sys.modules, "sentencepiece", None)
    with pytest.raises(DepthubError, match=r"needs sentencepiece, which is not installed: pip install 'depthub\[hf\]'$"):
        load_backbone(spec, {})
    (tmp_path / "spiece.model").unlink()
    with pytest.raises(DepthubError, match=r"no tokenizer of .*; expected tokenizer\.json or \*\.model or vocab\.\*"):
        load_backbone(spec, {})
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(DepthubError, match=r"transformers does, which is not installed: pip install 'depthub\[hf\]'$"):
        load_backbone(spec, {})


def test_a_token_that_the_tower_does_not_have(tmp_path: Path) -> None:
    spec = write_text(tmp_path, WORLDWIDE)
    change(spec, "text_cfg", vocab_size=VOCABULARY - 1)
    backbone = load_backbone(BackboneSpec(spec.model, "random"), {})
    with pytest.raises(DepthubError, match=rf"'the road\.' has the token {VOCABULARY - 1}, the text tower has {VOCABULARY - 1}: "):
        backbone.encode_sentences(["a cat", "the road."])


@pytest.mark.parametrize("name", ["siglip", "roberta"])
def test_conformance_says_what_it_leaves_out(name: str, tmp_path: Path) -> None:
    spec = MODELS[name](tmp_path)
    left_out = encoding(BackboneCase("backbones", NamedBackbone("mine", spec.model)))
    assert left_out is not None
    assert left_out.startswith("this backbone's text tower takes no learned tokens")


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> HuggingFaceTokenizer:
    folder = tmp_path_factory.mktemp("words")
    write_tokenizer(folder)
    return HuggingFaceTokenizer(open_clip.tokenizer.HFTokenizer(str(folder)), VOCABULARY)


def test_open_clips_families_that_take_learned_tokens(words: HuggingFaceTokenizer) -> None:
    """All of them, with text towers of the same kind in small; those of Hugging Face's are refused above."""
    takes: dict[str, bool] = {}
    for name in open_clip.list_models():
        config = open_clip.get_model_config(name)
        if refusal(config) or "hf_model_name" in config["text_cfg"]:
            continue
        text = config["text_cfg"] | {"width": 16, "heads": 2, "layers": 1, "vocab_size": 8}
        kind = open_clip.CustomTextCLIP if config.get("custom_text") else open_clip.CLIP
        tokenizer = words if text.get("hf_tokenizer_name") else open_clip.SimpleTokenizer()
        takes[name] = not Backbone(kind(16, VIT, text), tokenizer).text_refusal
    assert {name for name, taken in takes.items() if not taken} == {name for name in takes if re.search("SigLIP|CLIPA|worldwide", name)}
    assert {"ViT-B-16-quickgelu", "RN50", "convnext_base", "EVA02-B-16", "MobileCLIP-S1", "PE-Core-B-16", "ViTamin-B"} <= takes.keys()


@pytest.mark.parametrize("name", ["siglip", "mt5"])
def test_hooks_in_a_tower_that_is_called_whole_are_no_fault(name: str, tmp_path: Path) -> None:
    backbone = load_backbone(MODELS[name](tmp_path), {})
    method = Plain(backbone, NAMES)
    leaf = next(module for module in backbone.text.transformer.modules() if isinstance(module, torch.nn.Linear))
    handle = leaf.register_forward_hook(lambda *_: None)
    check_hooks(backbone, method)
    handle.remove()
    backbone.register_forward_hook(lambda *_: None)
    with pytest.raises(DepthubError, match=r"a hook on .* of the backbone is not called"):
        check_hooks(backbone, method)
