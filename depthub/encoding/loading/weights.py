"""Files of weights: the kind of each, and its tensors by name. No code in a file is run."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zipfile import ZipFile, is_zipfile

import torch
from safetensors.torch import load_file
from torch import Tensor

from depthub.encoding.loading import archive
from depthub.encoding.loading.dialects import from_transformers, is_transformers
from depthub.errors import DepthubError
from depthub.values.text import plain

EXPECTED = "expected a safetensors file, a state dict that torch saved, or OpenAI's archive"
WRAPPERS = ("state_dict", "model_state_dict", "model")  # keys under which training programs store the model beside other things
COMPILED = "_orig_mod"  # prefix of torch.compile before the names of a module's parameters
OPENAI = {"input_resolution", "context_length", "vocab_size"}  # beside the parameters in OpenAI's archives, and in no others
DEEPEST = 4  # wrappers in wrappers
MOST_WORDS = 200  # characters of a message about a file


@dataclass(frozen=True)
class Weights:
    """The tensors of one file.

    Args:
        kind: of the file, in words.
        tensors: without wrappers, by open_clip's names if the file has these or Hugging Face's, else by its own.
        quick_gelu: whether they were trained with QuickGELU; None if unknown.
    """

    kind: str
    tensors: Mapping[str, Tensor]
    quick_gelu: bool | None = None

    def __str__(self) -> str:
        first = ", ".join(plain(name)[:40] for name in [*self.tensors][:2])
        return f"{self.kind} with {len(self.tensors)} tensors ({first}{', ...' if len(self.tensors) > 2 else ''})"


def read(path: Path) -> Weights:
    """The tensors of a file.

    Raises:
        DepthubError: for a file that does not hold weights, is damaged, or holds more than tensors and plain containers.
    """
    try:
        kind, load = _kind(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # warnings of torch about old formats
            content = load(path)
    except DepthubError:
        raise
    except Exception as error:  # a damaged or hostile file can fail anywhere in the readers
        raise unusable(path, _in_words(error)) from error
    weights = Weights(kind, _unwrapped(content))
    if not weights.tensors:
        raise unusable(path, f"it is {kind} that holds {_summary(content)}, no tensors by name")
    return _in_our_names(weights, path)


def unusable(path: Path, reason: str, remedy: str = EXPECTED) -> DepthubError:
    """The refusal of a file of weights.

    Args:
        path: of the file.
        reason: of the refusal.
        remedy: expected file, or advice.
    """
    return DepthubError(f"cannot load {plain(path.name)}: {reason[:MOST_WORDS]}; {remedy}")


def _kind(path: Path) -> tuple[str, Callable[[Path], Any]]:
    """The kind of a file, in words and by its content, and the function that reads it."""
    with path.open("rb") as file:
        head = file.read(1024)
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= path.stat().st_size:
        return "a safetensors file", load_file
    if head.startswith(b"PK") and is_zipfile(path):
        return _zipped(path)
    if head.startswith(b"\x80"):
        return "a file of torch's old format", _load
    raise unusable(path, _no_weights(head))


def _zipped(path: Path) -> tuple[str, Callable[[Path], Any]]:
    with ZipFile(path) as zipped:
        if archive.is_archive(zipped):
            return "a TorchScript archive", archive.read
        if f"{archive.root_of(zipped)}/data.pkl" in zipped.namelist():
            return "a file of torch", _load
        raise unusable(path, f"it is a zip file of {', '.join(plain(name)[:40] for name in zipped.namelist()[:2]) or 'nothing'}")


def _no_weights(head: bytes) -> str:
    if not head:
        return "it is empty (0 bytes)"
    if head.startswith(b"version https://git-lfs"):
        return "it is a pointer of Git LFS, not the file itself; `git lfs pull` downloads it"
    if head.startswith(b"PK"):
        return "it is a zip file that ends too early; download it again"
    start = head[:64]
    text = start.decode("utf-8", "ignore")
    is_text = b"\0" not in head and len(text.encode()) > len(start) - 4  # the last character may be cut
    return f"it is text ({plain(text)[:40]!r})" if is_text else "its format is unknown"


def _load(path: Path) -> Any:
    with path.open("rb") as file:  # torch would judge a path by its suffix
        return torch.load(file, map_location="cpu", weights_only=True)


def _in_words(error: Exception) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, OSError):
        return error.strerror or text
    name = re.search(r"(?:GLOBAL |it names |class )([\w.]*\w)", text)
    if name:
        return f"it holds {name[1]}, which only running code of the file could read; save the state dict alone"
    return f"it is damaged or was not written by torch ({plain(text)[:80] or type(error).__name__})"


def _unwrapped(content: Any) -> dict[str, Tensor]:
    """The tensors by name, without the wrappers of a training program; empty if there are none."""
    for _ in range(DEEPEST):
        if not isinstance(content, Mapping):
            return {}
        inner = [content[key] for key in WRAPPERS if isinstance(content.get(key), Mapping)]
        tensors = {name: value for name, value in content.items() if isinstance(name, str) and isinstance(value, Tensor | int)}
        if not inner and any(isinstance(value, Tensor) for value in tensors.values()):
            return _unprefixed(tensors)
        nested = [value for value in content.values() if isinstance(value, Mapping)]
        content = inner[0] if inner else nested[0] if len(nested) == 1 else None
    return {}


def _unprefixed(tensors: Mapping[str, Any]) -> dict[str, Any]:
    """Tensors by names without torch.compile's prefix, and without a first part in all names (DistributedDataParallel, larger models)."""
    names = {name: ".".join(part for part in name.split(".") if part != COMPILED) for name in tensors}
    while len({name.partition(".")[0] for name in names.values()}) == 1 and all("." in name for name in names.values()):
        names = {in_file: name.partition(".")[2] for in_file, name in names.items()}
    if len({*names.values()}) < len(names):
        return dict(tensors)
    return {names[in_file]: value for in_file, value in tensors.items()}


def _in_our_names(weights: Weights, path: Path) -> Weights:
    openai = weights.tensors.keys() >= OPENAI
    tensors = {name: value for name, value in weights.tensors.items() if isinstance(value, Tensor) and not (openai and name in OPENAI)}
    odd = [name for name, value in tensors.items() if value.layout != torch.strided or value.is_quantized or value.device.type != "cpu"]
    if odd:
        raise unusable(path, f"its tensor {plain(odd[0])[:60]!r} is sparse, quantised or empty of numbers")
    if is_transformers(tensors):
        tensors, kind = from_transformers(tensors), f"{weights.kind} of Hugging Face's"
        return replace(weights, kind=kind, tensors=tensors, quick_gelu=_activation(path.parent / "config.json"))
    return replace(weights, tensors=tensors, quick_gelu=True if openai else None)


def _activation(config: Path) -> bool | None:
    """Whether Hugging Face's configuration beside the weights says QuickGELU, its default; None without one."""
    try:
        activation = json.loads(config.read_bytes())["text_config"].get("hidden_act", "quick_gelu")
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    return bool(activation == "quick_gelu")


def _summary(content: Any) -> str:
    if not isinstance(content, Mapping):
        return f"a {type(content).__name__}"
    return f"{len(content)} entries ({', '.join(plain(str(key))[:40] for key in [*content][:3])})" if content else "nothing"
