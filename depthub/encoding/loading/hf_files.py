"""Files of Hugging Face's that a text tower needs: a configuration, and a tokenizer. Torch is not imported for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from depthub.errors import DepthubError
from depthub.system import network
from depthub.system.files import is_folder
from depthub.values.text import short

MODEL, TOKENIZER = "hf_model_name", "hf_tokenizer_name"  # keys of open_clip's configuration of a text tower
NEEDED = {MODEL: ("config.json",), TOKENIZER: ("tokenizer.json", "*.model", "vocab.*")}  # one of these files
READ = ("*.json", "*.model", "*.txt")  # configuration and vocabulary; neither weights nor code
WHAT = {MODEL: "text tower", TOKENIZER: "tokenizer"}
REMEDY = "pip install 'depthub[hf]'"


def local_folders(text: Mapping[str, Any], config: Path | None, *, holds_tokenizer: bool = False) -> dict[str, Path]:
    """The folders beside a configuration, or anywhere by a whole path, that it names for its text tower and its tokenizer.

    Args:
        text: open_clip's configuration of the text tower.
        config: the file that it is from; None for open_clip's own.
        holds_tokenizer: whether the tokenizer lies in the folder of the configuration whatever its name, as in open_clip's folders.
    """
    if config is None:
        return {}
    folders = {key: config.parent / str(text[key]) for key in NEEDED if text.get(key)}
    if holds_tokenizer and TOKENIZER in folders:
        folders[TOKENIZER] = config.parent
    return {key: folder for key, folder in folders.items() if is_folder(folder)}


def folders(text: Mapping[str, Any], local: Mapping[str, Path], model: str, download: bool) -> dict[str, Path]:
    """The folders of what a text tower needs of Hugging Face's, by key of its configuration; empty if it needs nothing.

    Args:
        text: open_clip's configuration of the text tower.
        local: from `local_folders`; the others are models of the Hub.
        model: name of the whole model, for messages.
        download: whether to download files that are not on this machine.

    Raises:
        DepthubError: if files or packages are missing, or for a tower of a type that open_clip does not know.
    """
    keys = [key for key in NEEDED if text.get(key)]
    if keys and find_spec("transformers") is None:
        raise DepthubError(f"backbone {model!r} reads text as the package transformers does, which is not installed: {REMEDY}")
    for key in keys:
        if not isinstance(text[key], str):
            raise DepthubError(f"backbone {model!r}: {key} is {short(repr(text[key]))}, expected a model of the Hub, or a folder")
    paths = {key: local.get(key) or _of_hub(key, str(text[key]), model, download) for key in keys}
    for key, path in paths.items():
        if not _holds(path, key):
            raise DepthubError(f"no {WHAT[key]} of {model!r} in {path}; expected {' or '.join(NEEDED[key])}")
    if MODEL in paths:
        _check_type(paths[MODEL] / "config.json", model)
    tokenizer = paths.get(TOKENIZER)
    if tokenizer and not (tokenizer / "tokenizer.json").is_file() and any(tokenizer.glob("*.model")) and find_spec("sentencepiece") is None:
        raise DepthubError(f"the tokenizer of {model!r} needs sentencepiece, which is not installed: {REMEDY}")
    return paths


def _of_hub(key: str, name: str, model: str, download: bool) -> Path:
    """The folder of a model of the Hub, in the folder of its client."""
    limit = "whose text tower takes no learned tokens"  # said before the download: for many methods it would be in vain
    with network.needed(f"the {WHAT[key]} {name!r} of {model!r} ({limit})", download):
        from huggingface_hub import snapshot_download

        folder = Path(snapshot_download(name, allow_patterns=[*READ], local_files_only=not download))
        if not _holds(folder, key):  # the model's other files may be there without it
            raise FileNotFoundError(f"{name} has no {' or '.join(NEEDED[key])}")
        return folder


def _holds(folder: Path, key: str) -> bool:
    return any(file for form in NEEDED[key] for file in folder.glob(form))


def _check_type(config: Path, model: str) -> None:
    """Refuse a type that open_clip does not know; code that comes with the files is never run."""
    from open_clip.hf_configs import arch_dict

    try:
        kind = json.loads(config.read_bytes())["model_type"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise DepthubError(f"{config} is not a configuration of a text tower of Hugging Face's") from error
    if not isinstance(kind, str) or kind not in arch_dict:
        raise DepthubError(f"the text tower of {model!r} is of the type {str(kind)[:40]!r}, expected {', '.join(sorted(arch_dict))}")
