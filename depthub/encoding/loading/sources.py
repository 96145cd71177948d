"""The files of a backbone, and a digest of their content, which may differ under the same name. Torch is not imported for it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from depthub.encoding.loading.hf_files import READ, local_folders
from depthub.errors import DepthubError
from depthub.identity.file_digests import files_sha256
from depthub.spec import BackboneSpec, NamedBackbone
from depthub.system import network
from depthub.values.places import HUB

LOCAL = "local-dir:"
RANDOM = "random"  # value of `pretrained` for seeded random weights: benchmarks and tests, never results
CONFIG = "open_clip_config.json"
HUB_WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
SUFFIXES = (".safetensors", ".bin", ".pth", ".pt")  # of weights, in order of preference: the first before all others, the last after them
# names of weights before all others, in open_clip's order
PREFERRED = (
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "open_clip_pytorch_model.bin",
    "open_clip_pytorch_model.pth",
    "model.safetensors",
    "pytorch_model.bin",
    "pytorch_model.pth",
    "model.pth",
)
MERGES = "bpe*.txt.gz"  # of a tokenizer with another vocabulary than CLIP's
DIGESTED = ("*.json", *(f"*{suffix}" for suffix in SUFFIXES), "bpe*")  # files in the digest of a directory


@dataclass(frozen=True)
class Sources:
    """The sources of a backbone.

    Args:
        model: open_clip's name of it, or the spec's.
        pretrained: open_clip's tag of the weights; empty where a file holds them; `RANDOM`.
        config: the model's configuration; None for open_clip's own.
        weights: the file of weights; None for a tag, and for `RANDOM`.
        merges: of the tokenizer's vocabulary; None for CLIP's own.
    """

    model: str
    pretrained: str = ""
    config: Path | None = None
    weights: Path | None = None
    merges: Path | None = None


def locate(spec: BackboneSpec, named: Mapping[str, NamedBackbone]) -> tuple[str, str]:
    """The open_clip model (or `local-dir:PATH`, `hf-hub:OWNER/NAME`, or configuration file) and weights of a spec.

    Raises:
        DepthubError: if weights are given for a model with its own.
    """
    model, pretrained = spec.model, spec.pretrained
    if model in named:
        _check_no_weights(model, pretrained)
        return named[model].model, named[model].pretrained
    if model.startswith(HUB) or (model.startswith(LOCAL) and pretrained != RANDOM):
        _check_no_weights(model, pretrained)
    return model, pretrained


def find(spec: BackboneSpec, named: Mapping[str, NamedBackbone], download: bool = False) -> Sources:
    """The files of a backbone.

    Args:
        spec: of the backbone.
        named: backbones that plugins provide, by name.
        download: whether to download files that are not on this machine.

    Raises:
        DepthubError: if a file is missing.
    """
    model, pretrained = locate(spec, named)
    if model.startswith(LOCAL):
        return _in_directory(model, pretrained)
    if model.startswith(HUB):
        return _of_hub(model, download)
    config = Path(model) if model.endswith(".json") else None
    if pretrained != RANDOM and Path(pretrained).is_file():  # a file has precedence over a tag of the same name
        return Sources(model, config=config, weights=Path(pretrained))
    return Sources(model, pretrained, config)


def weights_digest(spec: BackboneSpec, named: Mapping[str, NamedBackbone], download: bool = False) -> str:
    """SHA-256 over the digests of all files of the model: configuration, weights, vocabulary.

    It does not depend on their folders. It covers all files of these kinds in a directory, in the order of their names; otherwise
    configuration and weights, in this order; then those of Hugging Face's that the configuration names by a folder. It is empty without
    files: open_clip's names and tags, and names of the Hub, have a fixed meaning.

    Args:
        spec: of the backbone.
        named: backbones that plugins provide, by name.
        download: whether to download files that are not on this machine.

    Raises:
        DepthubError: for a file that cannot be read, or a model of the Hub that is not on this machine.
    """
    model, _ = locate(spec, named)
    if model.startswith(LOCAL):
        files = sorted({path for form in DIGESTED for path in _folder(model).glob(form)}, key=lambda path: path.name)
        config: Path | None = _folder(model) / CONFIG
    else:
        sources = find(spec, named, download)
        config = sources.config
        files = [path for path in (config, sources.weights) if path]
    digests = files_sha256([path for path in dict.fromkeys([*files, *_of_text(model, config)]) if path.is_file()])
    return hashlib.sha256("".join(digests).encode()).hexdigest() if digests else ""


def read_config(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """A model's open_clip configuration, and its settings of pixels (mean, standard deviation), if there are any.

    Raises:
        DepthubError: if the file is missing or is not a configuration.
    """
    if not path.is_file():
        raise DepthubError(f"no model configuration at {path}; expected an open_clip configuration (JSON)")
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise DepthubError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise DepthubError(f"{path} is not JSON: {' '.join(str(error).split())}") from None
    whole = content if isinstance(content, dict) else {}
    config, pixels = whole.get("model_cfg", whole), whole.get("preprocess_cfg") or {}
    if not _is_config(config) or not isinstance(pixels, dict):
        raise DepthubError(f"{path} is not an open_clip configuration: it needs embed_dim, vision_cfg and text_cfg")
    return config, pixels


def text_folders(model: str, config: Path | None, text: Mapping[str, Any]) -> dict[str, Path]:
    """The folders of Hugging Face's that a configuration names, see `hf_files.local_folders`.

    Args:
        model: as in `Sources`.
        config: its configuration; None for open_clip's own.
        text: the text tower's part of it.
    """
    return local_folders(text, config, holds_tokenizer=model.startswith(LOCAL))


def _of_text(model: str, config: Path | None) -> list[Path]:
    """The files in the folders of Hugging Face's that a configuration names, in a fixed order."""
    if config is None or not config.is_file():
        return []
    folders = text_folders(model, config, read_config(config)[0]["text_cfg"]).values()
    return [path for folder in dict.fromkeys(folders) for path in sorted({path for form in READ for path in folder.glob(form)})]


def _is_config(config: Any) -> bool:
    return (
        isinstance(config, dict) and "embed_dim" in config and all(isinstance(config.get(key), dict) for key in ("vision_cfg", "text_cfg"))
    )


def _check_no_weights(model: str, pretrained: str) -> None:
    if pretrained:
        raise DepthubError(f"backbone {model!r} brings its own weights; leave backbone.pretrained empty, not {pretrained!r}")


def _folder(model: str) -> Path:
    return Path(model.removeprefix(LOCAL))


def _in_directory(model: str, pretrained: str) -> Sources:
    folder = _folder(model)
    weights = min((path for path in folder.glob("*") if path.suffix in SUFFIXES and path.is_file()), key=_rank, default=None)
    config = folder / CONFIG
    if config.is_file() and weights is None and pretrained != RANDOM:
        raise DepthubError(
            f"no weights in {folder}; expected {PREFERRED[0]} or another file that ends in {', '.join(SUFFIXES)}; "
            f"for random weights set backbone.pretrained to {RANDOM!r}"
        )
    merges = min(folder.glob(MERGES), key=lambda path: path.name, default=None)
    return Sources(model, pretrained, config, None if pretrained == RANDOM else weights, merges)


def _rank(path: Path) -> tuple[int, bool, bool, str]:
    """A file of weights in open_clip's order of preference, which does not have the last suffix."""
    preferred = PREFERRED.index(path.name) if path.name in PREFERRED else len(PREFERRED)
    return preferred, path.suffix != SUFFIXES[0], path.suffix == SUFFIXES[-1], path.name


def _of_hub(model: str, download: bool) -> Sources:
    """The files of a model of the Hugging Face Hub, in the folder of its client."""
    repository = model.removeprefix(HUB)
    if repository.count("/") != 1 or not all(repository.split("/")):
        raise DepthubError(f"backbone {model!r} is not a model of the Hugging Face Hub; expected {HUB}OWNER/NAME")
    with network.needed(f"backbone {model!r}", download):
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import EntryNotFoundError

        config = Path(hf_hub_download(repository, CONFIG))
        for name in HUB_WEIGHTS[:-1]:
            try:
                return Sources(model, config=config, weights=Path(hf_hub_download(repository, name)))
            except EntryNotFoundError:  # also raised if only the last form is on this machine
                continue
        return Sources(model, config=config, weights=Path(hf_hub_download(repository, HUB_WEIGHTS[-1])))
