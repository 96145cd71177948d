"""Why a text tower takes no learned tokens."""

from __future__ import annotations

from typing import Any

from open_clip.hf_model import HFTextEncoder

from depthub.encoding.hf_tokenizer import HuggingFaceTokenizer
from depthub.errors import DepthubError


def refusal(text: Any, tokenizer: Any) -> str:
    """Why a text tower takes no learned tokens, in words; empty if it takes them.

    Args:
        text: the tower.
        tokenizer: of the model.
    """
    if isinstance(text, HFTextEncoder):
        return "it comes from Hugging Face and has no place for them"
    pool = getattr(text, "text_pool_type", None) or text.pool_type  # of open_clip's `CLIP`, and of its text transformer
    if pool == "last":
        return "it is read at the last slot (SigLIP, CLIPA), so that padding takes part in attention"
    if pool != "argmax":
        return f"it is read at another token than CLIP's end token (pool_type is {pool!r})"
    return "its tokens are not CLIP's" if isinstance(tokenizer, HuggingFaceTokenizer) else ""


def refused(reason: str) -> DepthubError:
    """The refusal of learned tokens, and of changes inside the tower.

    Args:
        reason: from `refusal`.
    """
    return DepthubError(
        f"this backbone's text tower takes no learned tokens and no changes: {reason}; use a method that reads its features alone "
        "(zero-shot, linear heads, adapters), or another backbone"
    )
