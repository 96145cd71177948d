"""From a `BackboneSpec` to an open_clip model with its weights and tokenizer, or a clear refusal."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import asdict, replace
from math import isfinite
from pathlib import Path
from typing import Any

import open_clip
import torch
from open_clip.convert import convert_state_dict
from open_clip.model import (
    convert_to_custom_text_state_dict,
    resize_pos_embed,
    resize_text_pos_embed,
    set_model_preprocess_cfg,
)
from open_clip.pretrained import download_pretrained
from open_clip.transform import PreprocessCfg, merge_preprocess_dict
from torch import Tensor

from depthub.encoding.backbone import Backbone
from depthub.encoding.hf_tokenizer import HuggingFaceTokenizer
from depthub.encoding.loading import hf_files, weights
from depthub.encoding.loading.sources import RANDOM, Sources, find, read_config, text_folders, weights_digest
from depthub.encoding.loading.weights import unusable
from depthub.errors import DepthubError, UnknownNameError, hint
from depthub.spec import BackboneSpec, NamedBackbone
from depthub.system import network
from depthub.values.text import plain

__all__ = ["RANDOM", "load_backbone", "refusal", "weights_digest"]

QUICK = "-quickgelu"  # how open_clip's names of models with QuickGELU end
TOKENIZING = {"additional_special_tokens", "clean"}  # permitted settings of CLIP's tokenizer; others read files, or at random
HF_TOKENIZING = {"clean", "language", "strip_sep_token"}  # of Hugging Face's; others read files, or run code
POSITIONS = "text.transformer.embeddings.position_ids"  # 0, 1, 2, ... in files by older versions of transformers; newer ones need none


def load_backbone(spec: BackboneSpec, named: Mapping[str, NamedBackbone], download: bool = False) -> Backbone:
    """Build the frozen model, in float32 whatever the precision of its file.

    Args:
        spec: of the backbone.
        named: backbones that plugins provide, by name.
        download: whether to download files that are not on this machine; if not, the network is not used.

    Raises:
        DepthubError: for an unknown model or tag, a family that open_clip's `CLIP` and `CustomTextCLIP` cannot build, another activation
            than in the training of the weights, or weights, packages or files of the text tower that are missing, not finite, or do not
            fit.
    """
    with nullcontext() if download else network.offline():
        sources = find(spec, named, download)
        config, pixels = _config(sources, named)
        if reason := refusal(config):
            raise DepthubError(f"backbone {spec.model!r} cannot be used: {reason}")
        text = config["text_cfg"]
        folders = hf_files.folders(text, text_folders(sources.model, sources.config, text), sources.model, download)
        if sources.config is None:
            sources, pixels = _tagged(sources, config, download)
        elif sources.weights is None and sources.pretrained != RANDOM:
            _refuse_weights(sources, [])
        clip = _build(sources, config, pixels, folders)
        if sources.weights is not None:
            _fill(clip, sources, config)
        foreign = hf_files.TOKENIZER in folders
        backbone = Backbone(clip, _hf_tokenizer(sources, text, folders, clip) if foreign else _tokenizer(sources, text))
        return _tried(backbone, sources.model) if folders else backbone


def refusal(config: Mapping[str, Any]) -> str:
    """Why a model cannot be used at all, or an empty string; for limits of its text tower see `Backbone.text_refusal`."""
    if "multimodal_cfg" in config or config["text_cfg"].get("embed_cls"):
        return "CoCa reads a text at a class token of its own, and has a decoder beside the two towers"
    return ""


def _config(sources: Sources, named: Mapping[str, NamedBackbone]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The model's open_clip configuration, and the settings of pixels in its file."""
    if sources.config is not None:
        return read_config(sources.config)
    config = open_clip.get_model_config(sources.model) if sources.model in open_clip.list_models() else None
    if config is None:
        raise UnknownNameError("backbone", sources.model, [*named, *open_clip.list_models()])
    return dict(config), {}


def _tagged(sources: Sources, config: Mapping[str, Any], download: bool) -> tuple[Sources, dict[str, Any]]:
    """The sources with the file of a tag, and the tag's settings of pixels; without a tag the sources alone."""
    model, tag = sources.model, sources.pretrained
    if sources.weights is not None or tag == RANDOM:
        return sources, {}
    tags = open_clip.list_pretrained_tags_by_model(model)
    if tag not in tags:
        _refuse_weights(sources, tags)
    settings = open_clip.get_pretrained_cfg(model, tag)
    _check_activation(bool(settings.get("quick_gelu")), sources, config)
    with network.needed(f"weights {tag!r} of {model!r}", download), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a file with another digest is downloaded again, or refused when read
        path = Path(download_pretrained(settings))
    return replace(sources, weights=path), settings


def _refuse_weights(sources: Sources, tags: list[str]) -> None:
    model, pretrained = sources.model, sources.pretrained
    if not pretrained:
        or_tag = f", or a tag{hint(pretrained, tags)}" if tags else ""
        raise DepthubError(f"backbone {model!r} needs backbone.pretrained: a checkpoint's path{or_tag}")
    if not tags:
        raise DepthubError(f"weights {pretrained!r} of {model!r} are not a file; expected a checkpoint's path, or {RANDOM!r}")
    raise DepthubError(f"weights {pretrained!r} of {model!r} are neither a file nor a known tag{hint(pretrained, tags)}")


def _check_activation(quick: bool, sources: Sources, config: Mapping[str, Any]) -> None:
    """Refuse weights under another activation: open_clip at most warns, and every number would be slightly wrong."""
    if quick == bool(config.get("quick_gelu")):
        return
    model = sources.model
    other = model + QUICK if quick else model.removesuffix(QUICK)
    remedy = f"use {other!r}" if other in open_clip.list_models() else f'set "quick_gelu": {str(quick).lower()} in the configuration'
    what = repr(sources.pretrained) if sources.weights is None else sources.weights.name
    raise DepthubError(f"weights {what} were trained {'with' if quick else 'without'} QuickGELU, {model!r} is built otherwise: {remedy}")


def _build(sources: Sources, config: Mapping[str, Any], pixels: Mapping[str, Any], folders: Mapping[str, Path]) -> torch.nn.Module:
    """The model with seeded random weights; the caller's generator stays where it was."""
    parts = deepcopy(dict(config))
    vision, text = parts["vision_cfg"], parts["text_cfg"]
    if ":" in str(vision.get("timm_model_name")):
        raise DepthubError(
            f"{vision['timm_model_name']!r} of {sources.model!r} is a model of another source; expected an architecture of timm's own"
        )
    if "timm_model_name" in vision:
        vision["timm_model_pretrained"] = False  # all weights come from the file
    custom = parts.pop("custom_text", False)
    if hf_files.MODEL in folders:
        text |= {hf_files.MODEL: str(folders[hf_files.MODEL]), "hf_model_pretrained": False}
        custom = True
    kind = open_clip.CustomTextCLIP if custom else open_clip.CLIP
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        warnings.filterwarnings("ignore", message=".*(TypedStorage|NVIDIA driver).*")
        try:
            model: torch.nn.Module = kind(**parts).float()  # Hugging Face's configurations may say another precision
            set_model_preprocess_cfg(model, _pixels(model, pixels))
        except Exception as error:  # open_clip does not check the user's configuration
            raise DepthubError(f"cannot build {sources.model!r} as its configuration says: {_short(error)}") from error
    return model


def _pixels(model: Any, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of pixels in full, with open_clip's defaults."""
    defaults = asdict(PreprocessCfg())
    pixels: dict[str, Any] = {**merge_preprocess_dict(defaults, dict(settings)), "size": model.visual.image_size}
    for name, least in (("mean", float("-inf")), ("std", 0.0)):
        if len(pixels[name]) != 3 or not all(isfinite(value) and value > least for value in pixels[name]):
            raise ValueError(f"{name} is {pixels[name]!r}, expected three numbers{' above 0' if name == 'std' else ''}")
    return pixels


def _tokenizer(sources: Sources, text: Mapping[str, Any]) -> Any:
    """CLIP's own tokenizer; the merges of another vocabulary lie beside the model's configuration."""
    settings = _tokenizing(sources, text, TOKENIZING, "; put your own merges beside the configuration, as bpe*.txt.gz")
    merges = {"bpe_path": str(sources.merges)} if sources.merges else {}
    try:
        tokenizer = open_clip.SimpleTokenizer(context_length=text.get("context_length", 77), **merges, **settings)
    except Exception as error:  # open_clip does not check the user's files and configuration
        raise DepthubError(f"cannot make the tokenizer of {sources.model!r}: {_short(error)}") from error
    tokens = tokenizer.vocab_size
    if tokens > text.get("vocab_size", tokens):
        raise DepthubError(f"the tokenizer of {sources.model!r} has {tokens} tokens, its text tower {text['vocab_size']}")
    return tokenizer


def _hf_tokenizer(sources: Sources, text: Mapping[str, Any], folders: Mapping[str, Path], clip: Any) -> HuggingFaceTokenizer:
    """The tokenizer of Hugging Face's that the configuration names, with open_clip's cleaning and padding."""
    settings = _tokenizing(sources, text, HF_TOKENIZING)
    folder, length, mode = str(folders[hf_files.TOKENIZER]), text.get("context_length", 77), text.get("tokenizer_mode")
    try:
        tokenizer = open_clip.tokenizer.HFTokenizer(folder, length, tokenizer_mode=mode, trust_remote_code=False, **settings)
        return HuggingFaceTokenizer(tokenizer, clip.vocab_size)
    except Exception as error:  # open_clip and transformers do not check the user's files and configuration
        raise DepthubError(f"cannot make the tokenizer of {sources.model!r}: {_short(error)}") from error


def _tokenizing(sources: Sources, text: Mapping[str, Any], permitted: set[str], remedy: str = "") -> dict[str, Any]:
    """The settings of the tokenizer in a text tower's configuration."""
    settings = text.get("tokenizer_kwargs") or {}
    other = [*(settings.keys() - permitted if isinstance(settings, Mapping) else [settings])]
    if other:
        raise DepthubError(f"tokenizer_kwargs of {sources.model!r} says {other[0]!r}, expected {' or '.join(sorted(permitted))}{remedy}")
    return dict(settings)


def _tried(backbone: Backbone, model: str) -> Backbone:
    """The model after one text of full length: nothing else says whether a tower and a tokenizer from different places fit together."""
    try:
        with torch.no_grad():
            backbone.clip.encode_text(backbone.tokenizer(["photo " * backbone.context_length]))
    except DepthubError:
        raise
    except Exception as error:  # open_clip and transformers do not check the user's configuration
        raise DepthubError(f"the text tower of {model!r} cannot read its tokenizer's text: {_short(error)}") from error
    return backbone


@torch.no_grad()
def _fill(model: Any, sources: Sources, config: Mapping[str, Any]) -> None:
    """Give the model every weight of its file; nothing stays random."""
    path = sources.weights
    assert path is not None
    file = weights.read(path)
    if file.quick_gelu is not None:
        _check_activation(file.quick_gelu, sources, config)
    expected = model.state_dict()
    try:
        state = _adapted(model, dict(file.tensors))
    except Exception as error:  # open_clip's conversions take the shapes for granted
        raise unusable(path, f"it is {file}, which does not fit", _short(error)) from error
    misfit = _misfit(state, expected)
    if misfit:
        raise unusable(path, f"it is {file}", f"for {Path(sources.model).name} {misfit}")
    model.load_state_dict(state)
    for name, value in model.state_dict().items():
        if value.is_floating_point() and not value.isfinite().all():
            broken = int((~value.isfinite()).sum())
            raise unusable(path, f"its tensor {name!r} holds {broken} numbers that are NaN or infinite", "download it again")


def _adapted(model: Any, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors under this model's names and in its shapes, by open_clip's own conversions."""
    state = convert_state_dict(model, state)
    if "positional_embedding" in state and not hasattr(model, "positional_embedding"):
        state = convert_to_custom_text_state_dict(state)
    for name in ("logit_scale", "logit_bias"):
        if name in state and state[name].numel() == 1 and getattr(model, name) is not None:
            state[name] = state[name].reshape(getattr(model, name).shape)
    if POSITIONS not in model.state_dict():
        state.pop(POSITIONS, None)
    resize_pos_embed(state, model)
    resize_text_pos_embed(state, model)
    return state


def _misfit(state: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> str:
    """The first misfit of the tensors, or an empty string."""
    lacking = [name for name in expected if name not in state]
    if lacking:
        return f"{len(lacking)} of {len(expected)} tensors are lacking ({lacking[0]})"
    extra = [name for name in state if name not in expected]
    if extra:
        return f"{len(extra)} are too many ({plain(extra[0])[:60]})"
    for name, value in expected.items():
        if state[name].shape != value.shape:
            return f"{name} is {tuple(state[name].shape)}, expected {tuple(value.shape)}"
        if value.is_floating_point() != state[name].is_floating_point():
            return f"{name} holds {state[name].dtype}, expected {value.dtype}"
    return ""


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {plain(' '.join(str(error).split()))[:120]}"
