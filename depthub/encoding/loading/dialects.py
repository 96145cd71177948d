"""Hugging Face's names of CLIP's parameters, and open_clip's names of the same parameters."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

TOWERS = {"text_model": "", "vision_model": "visual."}
NAMES = {
    "logit_scale": "logit_scale",
    "text_model.embeddings.token_embedding.weight": "token_embedding.weight",
    "text_model.embeddings.position_embedding.weight": "positional_embedding",
    "vision_model.embeddings.class_embedding": "visual.class_embedding",
    "vision_model.embeddings.patch_embedding.weight": "visual.conv1.weight",
    "vision_model.embeddings.position_embedding.weight": "visual.positional_embedding",
}
NORMS = {
    "text_model.final_layer_norm": "ln_final",
    "vision_model.pre_layrnorm": "visual.ln_pre",
    "vision_model.post_layernorm": "visual.ln_post",
}
NAMES |= {f"{theirs}.{part}": f"{ours}.{part}" for theirs, ours in NORMS.items() for part in ("weight", "bias")}
TRANSPOSED = {"text_projection.weight": "text_projection", "visual_projection.weight": "visual.proj"}
COUNTED = {f"{tower}.embeddings.position_ids" for tower in TOWERS}  # 0, 1, 2, ...: open_clip needs none
LAYER = re.compile(rf"({'|'.join(TOWERS)})\.encoder\.layers\.(\d+)\.(\S+)\.(weight|bias)")
IN_LAYER = {
    "self_attn.out_proj": "attn.out_proj",
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
}
TOGETHER = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")  # one matrix in open_clip, in this order


def is_transformers(names: Mapping[str, Tensor]) -> bool:
    """Whether tensors have the names of `transformers.CLIPModel`."""
    return any(name.partition(".")[0] in TOWERS for name in names)


def from_transformers(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors under open_clip's names; a name without a counterpart there, or with an incomplete one, stays."""
    renamed: dict[str, Tensor] = {}
    for name, value in tensors.items():
        if name in TRANSPOSED:
            renamed[TRANSPOSED[name]] = value.T
        elif name not in COUNTED:
            renamed.update(_layer(name, tensors) or {NAMES.get(name, name): value})
    return renamed


def _layer(name: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A layer's parameter under its name in open_clip; for each of the three that are one there, that one. Empty for other names."""
    matched = LAYER.fullmatch(name)
    if matched is None:
        return {}
    tower, layer, part, kind = matched.groups()
    ours, theirs = f"{TOWERS[tower]}transformer.resblocks.{layer}", f"{tower}.encoder.layers.{layer}"
    if part in TOGETHER:
        parts = [tensors.get(f"{theirs}.{one}.{kind}") for one in TOGETHER]
        whole = [one for one in parts if one is not None]
        return {f"{ours}.attn.in_proj_{kind}": torch.cat(whole)} if len(whole) == len(parts) else {}
    return {f"{ours}.{IN_LAYER[part]}.{kind}": tensors[name]} if part in IN_LAYER else {}
