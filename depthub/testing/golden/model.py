"""The small random CLIP of the records."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import open_clip
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from depthub.encoding.backbone import Backbone
from depthub.errors import DepthubError

WEIGHTS, CONFIG = "model.safetensors", "small_clip.json"


def check_folder(folder: Path) -> Path:
    """The absolute path of a folder with the model.

    Raises:
        DepthubError: if it is a file, or a part of the model is missing.
    """
    if folder.is_file():
        raise DepthubError(f"the model {folder} is a file; give with --model the folder that holds {WEIGHTS} and {CONFIG}: {folder.parent}")
    missing = [name for name in (WEIGHTS, CONFIG) if not (folder / name).is_file()]
    if missing:
        raise DepthubError(f"no {missing[0]} in {folder}; give with --model the folder that holds {WEIGHTS} and {CONFIG}")
    return folder.resolve()


def load(case: Path, folder: Path | None, dtype: torch.dtype) -> Backbone:
    """The model of a case.

    Args:
        case: its JSON file.
        folder: folder of the model; None: the case's folder, the one above, or `public` in the latter.
        dtype: type of the weights.

    Raises:
        DepthubError: if the model is missing or damaged.
    """
    here = (case.parent, case.parent.parent, case.parent.parent / "public")
    near = [place for place in here if (place / WEIGHTS).is_file()]
    if folder is None and not near:
        raise DepthubError(f"no {WEIGHTS} beside the case or one folder above; say where with --model")
    place = check_folder(folder or near[0])
    stamps = tuple((place / name).stat().st_mtime_ns for name in (WEIGHTS, CONFIG))  # another file is another model
    return _model(place, dtype, stamps)


@cache
def _model(folder: Path, dtype: torch.dtype, stamps: tuple[int, ...]) -> Backbone:
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        state = load_file(folder / WEIGHTS)
        with torch.random.fork_rng(devices=[]):  # the constructor draws random weights
            clip = open_clip.CLIP(**config)
        # the file holds the token table as the sum of two factors
        a, b = state.pop("token_embedding.factor_a"), state.pop("token_embedding.factor_b")
        ids = torch.arange(clip.token_embedding.num_embeddings)
        state["token_embedding.weight"] = a[ids % len(a)] + b[ids // len(a)]
        clip.load_state_dict(state)
    except (OSError, ValueError, TypeError, LookupError, RuntimeError, SafetensorError) as error:
        reason = f"it has no {error}" if isinstance(error, KeyError) else " ".join(str(error).split())[:200]
        raise DepthubError(f"cannot load the records' model from {folder}: {reason}; get {WEIGHTS} and {CONFIG} anew") from error
    return Backbone(clip.to(dtype), open_clip.get_tokenizer("ViT-B-32"))
