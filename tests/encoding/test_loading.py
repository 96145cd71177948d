"""Models by name, from a checkpoint, from a configuration; and every refusal with its reason."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from open_clip.factory import load_state_dict
from safetensors.torch import save_file

from depthub.encoding.loading.load import load_backbone, refusal, weights_digest
from depthub.errors import DepthubError, UnknownNameError
from depthub.registry.plugins import installed
from depthub.spec import BackboneSpec, NamedBackbone
from tests.archives import CONFIG
from tests.models import TEXT, VIT


def test_from_a_configuration_and_a_checkpoint(config: Path, weights: Path, tmp_path: Path) -> None:
    loaded = load_backbone(BackboneSpec(str(config), str(weights)), {})
    assert (loaded.dim, loaded.text_width, loaded.image_width, loaded.context_length, loaded.image_size) == (24, 32, 48, 32, (32, 32))
    torch.save({"state_dict": load_state_dict(str(weights))}, tmp_path / "weights.pt")
    again = load_backbone(BackboneSpec(str(config), str(tmp_path / "weights.pt")), {})
    assert again.digest() == loaded.digest()


def test_from_a_directory_with_a_vocabulary_of_its_own(weights: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": CONFIG, "preprocess_cfg": {"mean": [0, 0, 0]}}))
    shutil.copy(weights, folder / "open_clip_model.safetensors")
    spec, named = BackboneSpec("mine"), {"mine": NamedBackbone("mine", f"local-dir:{folder}")}
    loaded = load_backbone(spec, named)
    assert loaded.tokenizer.encode("a photo") == [320, 1125]
    assert tuple(loaded.image_statistics[0]) == (0, 0, 0)
    before = weights_digest(spec, named)
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": {**CONFIG, "quick_gelu": True}}))
    assert weights_digest(spec, named) != before


def test_random_weights_are_the_same_every_time_and_leave_the_generator_alone(config: Path) -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    digests = {load_backbone(BackboneSpec(str(config), "random"), {}).digest() for _ in range(2)}
    assert len(digests) == 1
    assert torch.equal(torch.rand(1), expected)


def test_every_family_is_taken_or_refused_for_a_reason() -> None:
    """The verdict on each of open_clip's own configurations."""
    reasons = {name: refusal(open_clip.get_model_config(name)) for name in open_clip.list_models()}
    refused = {name for name, reason in reasons.items() if reason}
    assert refused == {name for name in reasons if name.startswith("coca_")} != set()
    assert all("CoCa" in reasons[name] for name in refused)


@pytest.mark.parametrize(
    ("model", "pretrained", "message"),
    [
        ("ViT-B-61", "openai", r"unknown backbone 'ViT-B-61'; did you mean 'ViT-B-16'\?"),
        ("ViT-B-16", "", "needs backbone.pretrained"),
        ("ViT-B-16", "openay", r"did you mean 'openai'\?"),
        ("ViT-B-16", "openai", "with QuickGELU.* use 'ViT-B-16-quickgelu'"),
        ("ViT-B-16-quickgelu", "laion2b_s34b_b88k", "neither a file nor a known tag"),
        ("coca_ViT-B-32", "laion2b_s13b_b90k", "CoCa"),
        ("local-dir:/nowhere", "", "no model configuration at /nowhere"),
        ("/nowhere.json", "random", "no model configuration at /nowhere.json"),
    ],
)
def test_refusals(model: str, pretrained: str, message: str) -> None:
    with pytest.raises(DepthubError, match=message):
        load_backbone(BackboneSpec(model, pretrained), {})


def test_a_named_backbone_brings_its_own_weights() -> None:
    with pytest.raises(DepthubError, match="brings its own weights"):
        load_backbone(BackboneSpec("mine", "openai"), {"mine": NamedBackbone("mine", "local-dir:/nowhere")})
    with pytest.raises(UnknownNameError, match="did you mean 'mine'"):
        load_backbone(BackboneSpec("mime", "openai"), {"mine": NamedBackbone("mine", "local-dir:/nowhere")})


def test_weights_that_do_not_fit(config: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.safetensors"
    save_file({"visual.proj": torch.zeros(3, 3)}, wrong)
    with pytest.raises(DepthubError, match="cannot load"):
        load_backbone(BackboneSpec(str(config), str(wrong)), {})
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(b"no weights")
    with pytest.raises(DepthubError, match="cannot load"):
        load_backbone(BackboneSpec(str(config), str(damaged)), {})


CONFIGS = [
    b"{",
    b'{"a": 1}',
    b"[1]",
    b"3",
    b"null",
    b"\xff\xfe",
    b"[" * 100_000,
    b'{"model_cfg": null}',
    b'{"embed_dim": 24, "vision_cfg": 3, "text_cfg": {}}',
    b'{"embed_dim": 24, "vision_cfg": {}, "text_cfg": "x"}',
    b'{"model_cfg": {"embed_dim": 24, "vision_cfg": {}, "text_cfg": {}}, "preprocess_cfg": [1]}',
]


@pytest.mark.parametrize("content", CONFIGS, ids=range(len(CONFIGS)))
def test_a_configuration_must_be_one(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "odd.json"
    path.write_bytes(content)
    with pytest.raises(DepthubError, match="is not") as caught:
        load_backbone(BackboneSpec(str(path), "random"), {})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        {"embed_dim": "many"},
        {"vision_cfg": {**VIT, "width": -1}},
        {"vision_cfg": {**VIT, "no_such_key": 1}},
        {"text_cfg": {**TEXT, "heads": 0}},
        {"no_such_key": 1},
        {"vision_cfg": {"timm_model_name": "no_such_model", "image_size": 32}},
        {"vision_cfg": {"timm_model_name": "hf-hub:timm/resnet18.a1_in1k", "image_size": 32}},
        {"vision_cfg": {"timm_model_name": "local-dir:/somewhere", "image_size": 32}},
        {"text_cfg": {**TEXT, "tokenizer_kwargs": {"bpe_path": "/somewhere/bpe.txt.gz"}}},
        {"text_cfg": {**TEXT, "tokenizer_kwargs": {"reduction_mask": "random"}}},
        {"text_cfg": {**TEXT, "tokenizer_kwargs": 3}},
        {"text_cfg": {**TEXT, "vocab_size": 100}},
    ],
    ids=str,
)
def test_a_configuration_that_cannot_be_built_is_one_line(change: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "odd.json"
    path.write_text(json.dumps({**CONFIG, **change}))
    with pytest.raises(DepthubError) as caught:
        load_backbone(BackboneSpec(str(path), "random"), {})
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("pixels", [{"mean": [0, 0]}, {"std": [1, 0, 1]}, {"std": "abc"}, {"mean": [0, float("nan"), 0]}])
def test_pixel_statistics_that_are_none(pixels: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text(json.dumps({"model_cfg": CONFIG, "preprocess_cfg": pixels}))
    with pytest.raises(DepthubError, match="cannot build"):
        load_backbone(BackboneSpec(str(tmp_path / "m.json"), "random"), {})


def test_a_configuration_counts_by_its_content_whatever_its_name(tmp_path: Path) -> None:
    """Two of one name in one process, and one with the name of open_clip's own, or of a family with another tokenizer."""
    for folder, width in (("a", 24), ("b", 40)):
        (tmp_path / folder).mkdir()
        for name in ("same", "ViT-B-16", "my-siglip2"):
            path = tmp_path / folder / f"{name}.json"
            path.write_text(json.dumps({**CONFIG, "embed_dim": width}))
            assert load_backbone(BackboneSpec(str(path), "random"), {}).dim == width


def test_the_same_model_as_open_clips_own_loader_builds(config: Path, weights: Path, tmp_path: Path) -> None:
    """Bit for bit, also what is drawn at random."""
    open_clip.add_model_config(config)
    expected = open_clip.create_model(config.stem, pretrained=str(weights)).state_dict()
    state = load_backbone(BackboneSpec(str(config), str(weights)), {}).clip.state_dict()
    assert list(state) == list(expected)
    assert all(torch.equal(state[name], value) for name, value in expected.items())
    embedded = installed().get("backbones", "shapes")
    theirs = open_clip.create_model(embedded.model)
    ours = load_backbone(BackboneSpec("shapes"), {"shapes": embedded}).clip
    assert all(torch.equal(value, ours.state_dict()[name]) for name, value in theirs.state_dict().items())
    assert ours.visual.preprocess_cfg == theirs.visual.preprocess_cfg
    timm = {"timm_model_name": "resnet10t", "timm_model_pretrained": True, "timm_pool": "avg", "timm_proj": "linear", "image_size": 32}
    (tmp_path / "convolutions.json").write_text(json.dumps({**CONFIG, "vision_cfg": timm, "custom_text": True}))
    random = load_backbone(BackboneSpec(str(tmp_path / "convolutions.json"), "random"), {}).clip
    torch.manual_seed(0)
    drawn = open_clip.CustomTextCLIP(24, {**timm, "timm_model_pretrained": False}, TEXT)
    assert all(torch.equal(value, random.state_dict()[name]) for name, value in drawn.state_dict().items())
