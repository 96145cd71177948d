"""From a `BackboneSpec` to an open_clip model with its weights and tokenizer, or a clear refusal."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import open_clip
import torch
from safetensors import SafetensorError

from depthub.backbone import Backbone
from depthub.errors import DepthubError, UnknownNameError, hint
from depthub.spec import BackboneSpec, NamedBackbone

LOCAL = "local-dir:"
RANDOM = "random"  # what `pretrained` says for seeded random weights: benchmarks and tests, never results


def load_backbone(spec: BackboneSpec, named: Mapping[str, NamedBackbone]) -> Backbone:
    """Build the frozen model.

    Args:
        spec: which one.
        named: backbones that plugins provide, by name.

    Raises:
        DepthubError: for an unknown model or tag, a family whose text tower cannot take learned prompts, an activation other than
            the weights were trained with, or weights that do not fit.
    """
    model, pretrained = locate(spec, named)
    config = _config(model, named)
    reason = refusal(config)
    if reason:
        raise DepthubError(f"backbone {spec.model!r} cannot be tuned with prompts: {reason}")
    name = Path(model).stem if model.endswith(".json") else model.replace("/", "-") if not model.startswith(LOCAL) else model
    _check_weights(name, pretrained, config)
    clip = _create(name, pretrained)
    bpe = sorted(Path(model.removeprefix(LOCAL)).glob("bpe*.txt.gz")) if model.startswith(LOCAL) else []
    # a model with a vocabulary of its own brings the merges beside its configuration
    tokenizer = open_clip.get_tokenizer(name, **({"bpe_path": str(bpe[0])} if bpe else {}))
    return Backbone(clip, tokenizer)


def locate(spec: BackboneSpec, named: Mapping[str, NamedBackbone]) -> tuple[str, str]:
    """The open_clip model (or `local-dir:PATH`, or configuration file) and weights that a spec means."""
    if spec.model not in named:
        return spec.model, spec.pretrained
    if spec.pretrained:
        raise DepthubError(f"backbone {spec.model!r} brings its own weights; leave backbone.pretrained empty, not {spec.pretrained!r}")
    return named[spec.model].model, named[spec.model].pretrained


def weights_digest(spec: BackboneSpec, named: Mapping[str, NamedBackbone]) -> str:
    """SHA-256 over the model's local files, configuration and weights; empty if it has none: open_clip's names and tags are fixed."""
    model, pretrained = locate(spec, named)
    folder = Path(model.removeprefix(LOCAL))
    files = (
        [*folder.glob("*.json"), *folder.glob("*.safetensors"), *folder.glob("bpe*")]
        if model.startswith(LOCAL)
        else [Path(model), Path(pretrained)]
    )
    digests = [file_digest(path) for path in sorted(files) if path.is_file()]
    return hashlib.sha256("".join(digests).encode()).hexdigest() if digests else ""


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def refusal(config: Mapping[str, Any]) -> str:
    """Why a model's text tower cannot take learned prompts, or an empty string."""
    text = config["text_cfg"]
    pool = text.get("pool_type", "argmax")
    reasons = {
        "CoCa appends a class token to the text and pools it there, so the end of the text is not its feature": "multimodal_cfg" in config
        or bool(text.get("embed_cls")),
        "its text tower comes from Hugging Face and has no place for learned tokens": "hf_model_name" in text,
        "it reads the text at the last slot without a causal mask (SigLIP, CLIPA), so padding takes part in attention": pool == "last",
        "it was trained with a sigmoid loss and a logit bias (SigLIP); the softmax loss of prompt tuning is not its own": "init_logit_bias"
        in config,
        "it pools at a tokenizer-specific end token (worldwide models)": pool != "argmax" or "hf_tokenizer_name" in text,
        "its text tower masks padding": bool(text.get("use_pad_mask")),
    }
    return next((reason for reason, holds in reasons.items() if holds), "")


def _config(model: str, named: Mapping[str, NamedBackbone]) -> dict[str, Any]:
    """The model's open_clip configuration."""
    if model.startswith(LOCAL) or model.endswith(".json"):
        path = Path(model.removeprefix(LOCAL))
        path = path if model.endswith(".json") else path / "open_clip_config.json"
        if not path.is_file():
            raise DepthubError(f"no model configuration at {path}; expected an open_clip configuration (JSON)")
        try:
            loaded: dict[str, Any] = json.loads(path.read_text())
        except ValueError as error:
            raise DepthubError(f"{path} is not JSON: {error}") from None
        config: dict[str, Any] = loaded.get("model_cfg", loaded)
        if not {"embed_dim", "vision_cfg", "text_cfg"} <= config.keys():
            raise DepthubError(f"{path} is not an open_clip configuration: it needs embed_dim, vision_cfg and text_cfg")
        if model.endswith(".json"):
            _register(path)
        return config
    found = open_clip.get_model_config(model.replace("/", "-"))
    if found is None:
        raise UnknownNameError("backbone", model, [*named, *open_clip.list_models()])
    return dict(found)


def _register(path: Path) -> None:
    """Make open_clip know a configuration file by its stem."""
    known = open_clip.get_model_config(path.stem)
    if known is not None and known != json.loads(path.read_text()):
        raise DepthubError(f"{path} has the name of another open_clip model, {path.stem!r}; rename the file")
    open_clip.add_model_config(path)


def _check_weights(name: str, pretrained: str, config: Mapping[str, Any]) -> None:
    if name.startswith(LOCAL):
        if pretrained:
            raise DepthubError(f"{name} brings its own weights; leave backbone.pretrained empty, not {pretrained!r}")
        return
    tags = open_clip.list_pretrained_tags_by_model(name)
    if not pretrained:
        raise DepthubError(f"backbone {name!r} needs backbone.pretrained: a checkpoint's path, or a tag{hint('', tags)}")
    if pretrained == RANDOM or Path(pretrained).is_file():
        return
    if pretrained not in tags:
        raise DepthubError(f"weights {pretrained!r} of {name!r} are neither a file nor a known tag{hint(pretrained, tags)}")
    wanted, built = bool(open_clip.get_pretrained_cfg(name, pretrained).get("quick_gelu")), bool(config.get("quick_gelu"))
    if wanted != built:  # open_clip only warns, and every number comes out a little wrong
        other = f"{name}-quickgelu" if wanted else name.removesuffix("-quickgelu")
        raise DepthubError(
            f"weights {pretrained!r} were trained {'with' if wanted else 'without'} QuickGELU, {name!r} is built otherwise: use {other!r}"
        )


def _create(name: str, pretrained: str) -> torch.nn.Module:
    source = f"{name} with weights {pretrained!r}" if pretrained else name
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        # the constructor draws random weights: a fixed seed for RANDOM, and the caller's generator stays where it was
        torch.manual_seed(0)
        warnings.filterwarnings("ignore", message=".*(TypedStorage|NVIDIA driver).*")
        try:
            model: torch.nn.Module = open_clip.create_model(name, pretrained=None if pretrained == RANDOM else pretrained or None)
        except (RuntimeError, OSError, ValueError, KeyError, AssertionError, SafetensorError, UnpicklingError) as error:
            raise DepthubError(f"cannot load {source}: {' '.join(str(error).split())[:300]}") from error
    return model
