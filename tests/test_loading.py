"""Models by name, from a checkpoint, from a configuration; and every refusal with its reason."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import open_clip
import pytest
import torch
from open_clip.factory import load_state_dict
from safetensors.torch import save_file

from depthub.errors import DepthubError, UnknownNameError
from depthub.loading import load_backbone, refusal, weights_digest
from depthub.spec import BackboneSpec, NamedBackbone
from tests.models import TEXT, VIT

CONFIG = {"embed_dim": 24, "vision_cfg": VIT, "text_cfg": TEXT}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / f"tiny-{tmp_path.name}.json"
    path.write_text(json.dumps(CONFIG))
    return path


@pytest.fixture
def weights(config: Path, tmp_path: Path) -> Path:
    torch.manual_seed(1)
    path = tmp_path / "weights.safetensors"
    save_file(open_clip.CLIP(**{k: dict(v) if isinstance(v, dict) else v for k, v in CONFIG.items()}).state_dict(), path)
    return path


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
    taken = {name for name, reason in reasons.items() if not reason}
    assert {
        "ViT-B-16",
        "ViT-B-16-quickgelu",
        "RN50-quickgelu",
        "convnext_base",
        "EVA02-B-16",
        "MobileCLIP-S1",
        "PE-Core-B-16",
        "ViTamin-B",
    } <= taken
    for family in ("SigLIP", "CLIPA", "coca", "roberta", "mt5", "nllb", "worldwide"):
        members = [name for name in reasons if family in name]
        assert members, family
        assert all(reasons[name] for name in members), family
    assert "CoCa" in reasons["coca_ViT-B-32"]
    assert "sigmoid" in reasons["ViT-B-16-SigLIP"] or "last slot" in reasons["ViT-B-16-SigLIP"]
    assert "Hugging Face" in reasons["roberta-ViT-B-32"]


@pytest.mark.parametrize(
    ("model", "pretrained", "message"),
    [
        ("ViT-B-61", "openai", r"unknown backbone 'ViT-B-61'; did you mean 'ViT-B-16'\?"),
        ("ViT-B-16", "", "needs backbone.pretrained"),
        ("ViT-B-16", "openay", r"did you mean 'openai'\?"),
        ("ViT-B-16", "openai", "with QuickGELU.* use 'ViT-B-16-quickgelu'"),
        ("ViT-B-16-quickgelu", "laion2b_s34b_b88k", "neither a file nor a known tag"),
        ("ViT-B-16-SigLIP", "webli", "cannot be tuned with prompts: .*SigLIP"),
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


def test_a_configuration_must_be_one(tmp_path: Path) -> None:
    for content in ("{", '{"a": 1}'):
        path = tmp_path / "odd.json"
        path.write_text(content)
        with pytest.raises(DepthubError, match="is not"):
            load_backbone(BackboneSpec(str(path), "random"), {})
    path = tmp_path / "ViT-B-16.json"
    path.write_text(json.dumps(CONFIG))
    with pytest.raises(DepthubError, match="rename the file"):
        load_backbone(BackboneSpec(str(path), "random"), {})
