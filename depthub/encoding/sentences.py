"""Class sentences as tokens: where learned tokens, class names and ends stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from depthub.errors import DepthubError
from depthub.types import ClassSet, Prompts
from depthub.values.text import short

PLACEHOLDER = "X"  # one token in CLIP's vocabulary; holds a learned vector's place in the sentence
START_AND_END = 2  # tokens that CLIP's tokenizer adds to a text; others say their number
POSITIONS = ("end", "middle", "front")  # of the class token, see `Prompts`


@dataclass(frozen=True)
class Sentences:
    """The sentences of M classes around n learned tokens.

    Args:
        ids: token ids, (M, context length).
        slots: positions of the learned tokens, (M, n).
        ends: position of the end token, the sentence's feature, (M,).
    """

    ids: Tensor
    slots: Tensor
    ends: Tensor

    def to(self, device: torch.device) -> Sentences:
        """The same on a device."""
        return Sentences(self.ids.to(device), self.slots.to(device), self.ends.to(device))

    def symbols(self, *, per_class: bool) -> list[list[int]]:
        """Each sentence from its start to its end as symbols: a token's id, or -1 - i for learned token i.

        Args:
            per_class: whether each class has learned tokens of its own; these are counted on from class to class.
        """
        classes, n = self.slots.shape
        learned = torch.arange(classes * n).view(classes, n) if per_class else torch.arange(n).expand(classes, n)
        symbols = self.ids.scatter(1, self.slots, -1 - learned)
        return [row[: end + 1] for row, end in zip(symbols.tolist(), self.ends.tolist(), strict=True)]


def write(tokenizer: Any, context_length: int, classes: ClassSet, n: int, position: str, words: str, behind: str = "") -> Sentences:
    """The sentence of every class.

    Args:
        tokenizer: open_clip's.
        context_length: tokens of a sentence at most.
        classes: the M classes.
        n: number of learned tokens.
        position: one of `POSITIONS`.
        words: frozen words that hold the context's place, as in `Prompts`.
        behind: frozen words behind the class name, likewise.

    Raises:
        DepthubError: if a sentence is too long.
    """
    context = words or " ".join([PLACEHOLDER] * n)
    ids = tokens(tokenizer, context_length, [f"{context} {word}{behind}." for word in classes.words], classes.names)
    ends = ids.argmax(dim=-1)  # of the sentence as written, before the context moves
    order, slots = [], []
    for word in classes.words:
        of_class = _arrange(n, len(tokenizer.encode(word)), position, context_length)
        order.append(of_class[0])
        slots.append(of_class[1])
    return Sentences(ids.gather(1, torch.tensor(order)), torch.tensor(slots), ends)


def as_text(tokenizer: Any, classes: ClassSet, prompts: Prompts) -> tuple[str, ...]:
    """The sentences around prompts as text; `X` stands for a learned token."""
    n, position, words, behind = prompts.wording
    if prompts.text[0] is None:  # the tokens join the classes' own sentences in a later layer
        return tuple(f"{' '.join([PLACEHOLDER] * n)} {sentence}" for sentence in classes.sentences())
    frozen = tokenizer.decode(tokenizer.encode(words)[n:]).strip() if words else ""
    before = _tokens_before(n, position)
    parts = ([PLACEHOLDER] * before, [PLACEHOLDER] * (n - before))
    if position == "end":
        return tuple(f"{' '.join([*parts[0], *frozen.split(), word])}{behind}." for word in classes.words)
    return tuple(f"{' '.join([*parts[0], word, *parts[1], *frozen.split()])}{behind}." for word in classes.words)


def tokens(tokenizer: Any, context_length: int, sentences: Sequence[str], names: Sequence[str]) -> Tensor:
    """Token ids, (N, context length); open_clip would cut a long sentence silently.

    Raises:
        DepthubError: if a sentence is too long; the message gives its name.
    """
    for sentence, name in zip(sentences, names, strict=True):
        length = _length(tokenizer, sentence)
        if length > context_length:
            what, part = (short(repr(name)), "it") if name == sentence else (f"the prompt of class {name!r}", "the context or the name")
            raise DepthubError(f"{what} has {length} tokens, the text tower reads {context_length}: shorten {part}")
    return tokenizer(list(sentences), context_length=context_length)  # type: ignore[no-any-return]


def check_texts(tokenizer: Any, context_length: int, classes: ClassSet) -> None:
    """Refuse texts of classes that the text tower cannot read whole.

    Raises:
        DepthubError: if one is too long; the message gives its place in the file.
    """
    places = ((name, place, text) for name, texts in zip(classes.names, classes.texts, strict=False) for place, text in enumerate(texts))
    for name, place, text in places:
        length = _length(tokenizer, text)
        if length > context_length:
            where = f"class texts: texts.{classes.space}.{name}[{place}]"
            raise DepthubError(f"{where} has {length} tokens, the text tower reads {context_length}: shorten it")


def _length(tokenizer: Any, sentence: str) -> int:
    """Number of tokens, those that begin and end a sentence included."""
    return len(tokenizer.encode(sentence)) + getattr(tokenizer, "added_tokens", START_AND_END)


def _tokens_before(n: int, position: str) -> int:
    """How many of n context tokens stand before the class."""
    return {"end": n, "middle": n // 2, "front": 0}[position]


def _arrange(n: int, name: int, position: str, length: int) -> tuple[list[int], list[int]]:
    """The order of a sentence's tokens, and the places of its context in that order.

    The sentence is [start, n context tokens, `name` class tokens, rest]; the class tokens move to the middle or the front of the context.
    With n = 4 and a name of two tokens, [start C C C C N N rest] becomes in the middle [start C C N N C C rest]: order 0 1 2 5 6 3 4 7 ...,
    slots 1 2 5 6.
    """
    context = list(range(1, 1 + n))
    if position == "end":
        return list(range(length)), context
    before = _tokens_before(n, position)
    class_tokens = range(1 + n, 1 + n + name)
    order = [0, *context[:before], *class_tokens, *context[before:], *range(1 + n + name, length)]
    return order, [1 + i if i < before else 1 + i + name for i in range(n)]
