"""A compact byte-pair vocabulary: the first merges of CLIP's file and the merges of the project's words, in rank order.

A subset with all merges of a word splits that word as the whole file does. For example, "star</w>" needs its chain of merges:

    s t a r</w>  ->  st a r</w>  ->  st ar</w>  ->  star</w>

Every other text is split into smaller pieces. open_clip's own `SimpleTokenizer(bpe_path=...)` reads the file.
"""

from __future__ import annotations

import gzip
import itertools
from collections.abc import Iterable
from pathlib import Path

from .captions import words

COMMON = 1000  # first merges, in the file for any text
HEADER = "# merges of CLIP's bpe_simple_vocab_16e6 (MIT) that depthub_shapes uses"
# Words of usual prompt templates, which would be split into letters otherwise.
TEMPLATE_WORDS = [
    "a",
    "an",
    "the",
    "of",
    "in",
    "on",
    "at",
    "photo",
    "picture",
    "image",
    "drawing",
    "sketch",
    "painting",
    "close",
    "up",
    "cropped",
    "bright",
    "dark",
    "good",
    "bad",
    "many",
    "large",
    "small",
    "type",
]

Merge = tuple[str, str]


def read_merges(path: Path) -> list[Merge]:
    """The merges of a gzipped file in rank order, without the header; CLIP's file has 48,894 that count."""
    lines = gzip.decompress(path.read_bytes()).decode("utf-8").split("\n")
    pairs = [tuple(line.split()) for line in lines[1 : 49152 - 256 - 2 + 1]]
    return [(pair[0], pair[1]) for pair in pairs if len(pair) == 2]


def used_merges(word: str, ranks: dict[Merge, int]) -> set[Merge]:
    """The merges that byte-pair encoding applies to a word of plain letters."""
    pieces = [*word[:-1], word[-1] + "</w>"]
    used: set[Merge] = set()
    while len(pieces) > 1:
        best = min(itertools.pairwise(pieces), key=lambda pair: ranks.get(pair, len(ranks)))
        if best not in ranks:
            break
        used.add(best)
        merged: list[str] = []
        for piece in pieces:
            if merged and (merged[-1], piece) == best:
                merged[-1] += piece
            else:
                merged.append(piece)
        pieces = merged
    return used


def compact_merges(merges: list[Merge], vocabulary: Iterable[str]) -> list[Merge]:
    """The first COMMON merges and those used by the words, in rank order."""
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    keep = set(merges[:COMMON])
    for word in vocabulary:
        keep |= used_merges(word, ranks)
    return [pair for pair in merges if pair in keep]


def write(source: Path, target: Path) -> int:
    """Write the compact file for the words of the caption grammar; returns the number of merges."""
    merges = compact_merges(read_merges(source), sorted({*words(), *TEMPLATE_WORDS}))
    text = "\n".join([HEADER, *(" ".join(pair) for pair in merges)])  # no newline at the end: it would read as one more merge
    target.write_bytes(gzip.compress(text.encode("utf-8"), mtime=0))
    return len(merges)
