"""Small random models whose text tower is not CLIP's, in folders as open_clip reads them, with a tokenizer of a few words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from safetensors.torch import save_file

from depthub.spec import BackboneSpec
from tests.models import VIT

transformers: Any = pytest.importorskip("transformers", reason='transformers is not installed: pip install "depthub[hf]"')

TEXT_OF_WORDS = "a photo of the type red green blue yellow gray dark light pale black white ant bee cat dog eel forest highway or road"
WORDS = TEXT_OF_WORDS.split()
SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
VOCABULARY = len(SPECIAL) + len(WORDS) + 1  # with the full stop
MAP = {"image_size": 160, "timm_model_name": "test_vit3", "timm_pool": "map", "timm_proj": "none"}  # attention pooling, w_v = d = 96
SIGLIP: dict[str, Any] = {
    "embed_dim": 96,
    "init_logit_bias": -10,
    "custom_text": True,
    "vision_cfg": MAP,
    "text_cfg": {
        "context_length": 16,
        "vocab_size": VOCABULARY,
        "hf_tokenizer_name": "someone/siglip",
        "tokenizer_kwargs": {"clean": "canonicalize"},
        "width": 32,
        "heads": 2,
        "layers": 2,
        "no_causal_mask": True,
        "proj_bias": True,
        "pool_type": "last",
        "norm_kwargs": {"eps": 1e-6},
        "act_kwargs": {"approximate": "tanh"},
    },
}
TEXT = {"width": 32, "heads": 2, "layers": 2, "context_length": 32, "vocab_size": VOCABULARY, "hf_tokenizer_name": "words"}
CLIPA = TEXT | {"pool_type": "last", "no_causal_mask": True, "tokenizer_kwargs": {"strip_sep_token": True}}
WORLDWIDE = TEXT | {"pool_type": "eos", "eos_id": 2}
OWN_WORDS = TEXT | {"pool_type": "argmax"}
SMALL = {"vocab_size": VOCABULARY, "pad_token_id": 1}
BERT = SMALL | {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32, "max_position_embeddings": 60}
M2M = {
    f"{part}_{what}": number for part in ("encoder", "decoder") for what, number in (("layers", 2), ("attention_heads", 2), ("ffn_dim", 32))
}
TOWERS = {
    "bert": ("BertConfig", BERT),
    "m2m_100": ("M2M100Config", SMALL | M2M | {"d_model": 16, "max_position_embeddings": 60}),
    "mt5": ("MT5Config", SMALL | {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2}),
    "roberta": ("RobertaConfig", BERT),
    "xlm-roberta": ("XLMRobertaConfig", BERT),
}


def write_tokenizer(folder: Path, form: str = "<s> $A </s>", pad: str = "<pad>") -> None:
    """A tokenizer of single words and the full stop.

    Args:
        folder: for its files.
        form: of a text, where `$A` stands for its words.
        pad: the token that fills it up.
    """
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    vocabulary = {word: number for number, word in enumerate((*SPECIAL, *WORDS, "."))}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    ends = [(token, vocabulary[token]) for token in ("<s>", "</s>") if token in form]
    words.post_processor = processors.TemplateProcessing(single=form, special_tokens=ends)
    names = {"bos_token": "<s>", "eos_token": "</s>", "sep_token": "</s>", "cls_token": "<s>", "unk_token": "<unk>", "pad_token": pad}
    transformers.PreTrainedTokenizerFast(tokenizer_object=words, **names).save_pretrained(folder)


def write_siglip(folder: Path) -> BackboneSpec:
    """A SigLIP in a folder with all its files; texts end with the token that also fills them up."""
    write_tokenizer(folder, "$A </s>", "</s>")
    return _write(folder, SIGLIP)


def write_text(folder: Path, text: dict[str, Any]) -> BackboneSpec:
    """A model with a text transformer of open_clip's and a tokenizer of Hugging Face's."""
    write_tokenizer(folder)
    return _write(folder, {"embed_dim": 24, "vision_cfg": VIT, "text_cfg": text})


def write_hugging_face(folder: Path, kind: str, pooler: str = "mean_pooler", projection: str = "mlp") -> BackboneSpec:
    """A model with a text tower of Hugging Face's, of one of `TOWERS`."""
    name, settings = TOWERS[kind]
    write_tokenizer(folder)
    getattr(transformers, name)(**settings).save_pretrained(folder / "tower")
    places = {"hf_model_name": str(folder / "tower"), "hf_tokenizer_name": "words"}
    text = {**places, "hf_pooler_type": pooler, "hf_proj_type": projection, "context_length": 40}
    return _write(folder, {"embed_dim": 24, "vision_cfg": VIT, "text_cfg": text})


def _write(folder: Path, config: dict[str, Any]) -> BackboneSpec:
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": {"mean": [0.5, 0.4, 0.3]}}))
    torch.manual_seed(0)
    model = open_clip.create_model(f"local-dir:{folder}", pretrained_text=False)
    for parameter in model.parameters():  # biases and scales that differ from 0 and 1, so that a wrong use of them shows
        if parameter.ndim == 1:
            torch.nn.init.normal_(parameter, parameter.mean().item(), 0.1)
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, folder / "open_clip_model.safetensors")
    return BackboneSpec(f"local-dir:{folder}")
