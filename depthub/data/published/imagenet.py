"""ImageNet's class names and WordNet ids, from open_clip and timm."""

from __future__ import annotations

import ast
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from depthub.data.published.splits import names_sha256
from depthub.errors import DepthubError

NAMES = "IMAGENET_CLASSNAMES"
SHA256 = "571ae1c583b4be7da87519494c52bf405a46af05d5815627c7a0dee997068b60"  # of the names, joined by newlines
EVERY = "imagenet_synsets.txt"


@cache
def class_names() -> tuple[str, ...]:
    """The 1,000 names that CLIP's authors published, in the order of the sorted WordNet ids. 998 of them are different.

    They are read from open_clip's source, since an import of open_clip would import torch.

    Raises:
        DepthubError: if they are not where open_clip 3.3 has them, or are others.
    """
    path = _package("open_clip") / "zero_shot_metadata.py"
    tree = ast.parse(path.read_text(encoding="utf-8")) if path.is_file() else ast.Module([], [])
    for node in tree.body:
        if isinstance(node, ast.Assign) and [target.id for target in node.targets if isinstance(target, ast.Name)] == [NAMES]:
            names = tuple(ast.literal_eval(node.value))
            if names_sha256(names) == SHA256:
                return names
    raise DepthubError(f"{path} does not hold the published {NAMES}; pip install 'open_clip_torch>=3.3,<4'")


@cache
def wordnet_ids(file: str = EVERY) -> tuple[str, ...]:
    """A list of WordNet ids of timm, sorted.

    Args:
        file: name of timm's file.

    Raises:
        DepthubError: if timm has no such file.
    """
    path = _package("timm") / "data/_info" / file
    if not path.is_file():
        raise DepthubError(f"no {path}; pip install 'timm>=1.0.20'")
    return tuple(sorted(path.read_text(encoding="utf-8").split()))


def _package(name: str) -> Path:
    """The folder of a package, without importing it."""
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise DepthubError(f"{name} is not installed; its list of ImageNet classes is needed")
    return Path(spec.origin).parent
