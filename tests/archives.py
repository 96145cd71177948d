"""Weights in the forms of other programs: OpenAI's archives, Hugging Face's names, wrapped state dicts."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from depthub.spec import BackboneSpec
from tests.models import TEXT, VIT

CONFIG = {"embed_dim": 24, "vision_cfg": VIT, "text_cfg": TEXT}
OPENAI = {"input_resolution": 32, "context_length": 32, "vocab_size": 49408}


class Holder(nn.Module):
    """A module with parameters under dotted names that computes next to nothing."""

    def __init__(self, tensors: Mapping[str, Tensor], buffers: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.attn_mask = torch.ones(2, 2)  # a tensor that is neither parameter nor buffer, as in OpenAI's layers
        for name, value in tensors.items():
            *folders, last = name.split(".")
            place: nn.Module = self
            for folder in folders:
                if not hasattr(place, folder):
                    place.add_module(folder, nn.Module())
                place = getattr(place, folder)
            place.register_parameter(last, nn.Parameter(value.clone(), requires_grad=False))
        for name, value in buffers.items():
            self.register_buffer(name, value)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.logit_scale


def openai_archive(path: Path, tensors: Mapping[str, Tensor], *, scripted: bool = False, buffers: bool = True) -> Path:
    """An archive in OpenAI's form: TorchScript in half precision, with the three sizes beside the parameters."""
    extra = {name: torch.tensor(value) for name, value in OPENAI.items()} if buffers else {}
    model = Holder({name: value.half() for name, value in tensors.items()}, extra).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated
        traced = torch.jit.script(model) if scripted else torch.jit.trace(model, torch.ones(2, dtype=torch.half))
        torch.jit.save(traced, str(path))
    return path


def transformers_names(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A CLIP's parameters with the names and shapes of `transformers.CLIPModel`."""
    renamed: dict[str, Tensor] = {"text_model.embeddings.position_ids": torch.arange(4)[None]}
    for name, value in tensors.items():
        tower, rest = ("vision_model", name.removeprefix("visual.")) if name.startswith("visual.") else ("text_model", name)
        for ours, theirs in (
            ("transformer.resblocks.", "encoder.layers."),
            ("attn.out_proj", "self_attn.out_proj"),
            ("ln_1", "layer_norm1"),
            ("ln_2", "layer_norm2"),
            ("mlp.c_fc", "mlp.fc1"),
            ("mlp.c_proj", "mlp.fc2"),
            ("ln_final", "final_layer_norm"),
            ("ln_pre", "pre_layrnorm"),
            ("ln_post", "post_layernorm"),
            ("token_embedding", "embeddings.token_embedding"),
            ("positional_embedding", "embeddings.position_embedding.weight"),
            ("class_embedding", "embeddings.class_embedding"),
            ("conv1", "embeddings.patch_embedding"),
        ):
            rest = rest.replace(ours, theirs)
        if ".attn.in_proj_" in rest:
            for letter, part in zip("qkv", value.chunk(3), strict=True):
                renamed[f"{tower}.{rest.replace('attn.in_proj_', f'self_attn.{letter}_proj.')}"] = part
        elif rest in ("text_projection", "proj"):
            renamed["text_projection.weight" if rest == "text_projection" else "visual_projection.weight"] = value.T.contiguous()
        else:
            renamed[name if name == "logit_scale" else f"{tower}.{rest}"] = value
    return renamed


class Spy:
    """Unpickling it would write a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, tuple[str, ...]]:
        return (Path.write_text, (self.target, "run"))  # type: ignore[return-value]


def in_directory(folder: Path, weights: Path, name: str = "open_clip_model.safetensors") -> BackboneSpec:
    """A model in its own directory, with its weights in a file of that name."""
    folder.mkdir(parents=True)
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": CONFIG}))
    if Path(name).suffix == ".safetensors":
        shutil.copy(weights, folder / name)
    else:
        torch.save(load_file(weights), folder / name)
    return BackboneSpec(f"local-dir:{folder}")


@pytest.fixture(name="config")
def _config(tmp_path: Path) -> Path:
    """The configuration of a tiny model."""
    path = tmp_path / f"tiny-{tmp_path.name}.json"
    path.write_text(json.dumps(CONFIG))
    return path


@pytest.fixture(name="quick")
def _quick(tmp_path: Path) -> Path:
    """The same model with QuickGELU."""
    path = tmp_path / "quick.json"
    path.write_text(json.dumps({**CONFIG, "quick_gelu": True}))
    return path


@pytest.fixture(name="weights")
def _weights(tmp_path: Path) -> Path:
    """Random weights of the tiny model, as safetensors."""
    torch.manual_seed(1)
    path = tmp_path / "weights.safetensors"
    save_file(open_clip.CLIP(**{k: dict(v) if isinstance(v, dict) else v for k, v in CONFIG.items()}).state_dict(), path)
    return path
