"""The caption grammar: a sentence about a scene, and the list of the attributes in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .attributes import DIGITS, NUMBERS, Scene

SYNONYMS = {
    "red": ("scarlet", "crimson"),
    "blue": ("azure",),
    "green": ("emerald",),
    "purple": ("violet",),
    "pink": ("rose",),
    "gray": ("grey",),
    "cyan": ("aqua",),
    "solid": ("plain",),
    "striped": ("banded",),
    "dotted": ("polka dot",),
    "checkered": ("chequered",),
    "wavy": ("rippled",),
    "grid": ("gridded",),
    "speckled": ("spotted",),
    "zigzag": ("chevron",),
    "gradient": ("shaded",),
    "brick": ("bricked",),
    "crosshatched": ("hatched",),
    "scaly": ("scaled",),
    "circle": ("disc",),
    "square": ("box",),
    "cross": ("plus sign",),
    "crescent": ("moon",),
    "ring": ("donut",),
    "oval": ("ellipse",),
    "diamond": ("rhombus",),
    "bolt": ("lightning bolt",),
    "drop": ("droplet",),
    "tree": ("pine",),
    "boat": ("ship",),
    "semicircle": ("half circle",),
    "small": ("little", "tiny"),
    "large": ("big", "huge"),
    **{digit: (digit.replace("digit", "number"),) for digit in DIGITS},
}
PLURALS = {"cross": "crosses", "box": "boxes", "fish": "fish", "ellipse": "ellipses"}
STYLE_WORDS = {
    "sketch": ("sketched", "outlined"),
    "blurry": ("blurry", "blurred"),
    "grainy": ("grainy", "noisy"),
    "faded": ("faded", "washed out"),
    "pixelated": ("pixelated",),
}
PLACES = {
    "center": ("in the center", "in the middle"),
    "left": ("on the left", "at the left"),
    "right": ("on the right", "at the right"),
    "top": ("at the top",),
    "bottom": ("at the bottom",),
}
GROUNDS = ("on a {} background", "on {}", "over a {} backdrop")
THINGS = (("object", "objects"), ("figure", "figures"), ("thing", "things"))
CLOTHS = ("pattern", "pattern", "fabric", "cloth", "texture", "surface")
FRAMES = ("a photo of {}", "a photo of {}", "{}", "the picture shows {}", "this is an image of {}", "there is {}", "i see {}")


@dataclass(frozen=True)
class Caption:
    """A sentence and the names of the attributes (of `Scene.codes`) in it."""

    text: str
    named: frozenset[str]


class _Writer:
    """Collects words, and the names of their attributes."""

    def __init__(self, scene: Scene, rng: np.random.Generator) -> None:
        self.scene, self.rng = scene, rng
        self.named = {"kind"}

    def mentions(self, attribute: str, probability: float) -> bool:
        """Whether to name the attribute; remembers it if so. An undefined attribute is never named."""
        if self.scene.codes()[attribute] < 0 or self.rng.random() >= probability:
            return False
        self.named.add(attribute)
        return True

    def one_of(self, words: Sequence[str]) -> str:
        return words[int(self.rng.random() * len(words))]

    def word(self, word: str | None) -> str:
        """The word itself or, once in four times, a synonym."""
        if word is None:
            raise ValueError("an attribute without a value cannot be named")
        return self.one_of(SYNONYMS[word]) if word in SYNONYMS and self.rng.random() < 0.25 else word

    def style(self) -> list[str]:
        if self.scene.style == "plain" or not self.mentions("style", 0.5):
            return []
        return [self.one_of(STYLE_WORDS[self.scene.style])]

    def surface(self, colour: float, texture: float) -> list[str]:
        """Colour and texture words, each with its probability, in either order."""
        words = []
        if self.mentions("colour", colour):
            words.append(self.word(self.scene.colour))
        if self.mentions("texture", texture):
            words.append(self.word(self.scene.texture))
        return words if self.rng.random() < 0.5 else words[::-1]

    def ground(self) -> list[str]:
        return [self.one_of(GROUNDS).format(self.word(self.scene.background))] if self.mentions("background", 0.25) else []


def plural(noun: str) -> str:
    """Several of a figure."""
    return PLURALS.get(noun, noun + "s")


def describe(scene: Scene, rng: np.random.Generator) -> Caption:
    """A random true caption of the scene."""
    writer = _Writer(scene, rng)
    phrase = {"object": _object, "pattern": _pattern, "flag": _flag}[scene.kind](writer)
    text = writer.one_of(FRAMES).format(phrase)
    return Caption(text + ("." if rng.random() < 0.5 else ""), frozenset(writer.named))


def _article(writer: _Writer, phrase: str) -> str:
    """Put "a", "the" or nothing before the phrase, whatever its number: templates such as "a photo of a {}" do the same."""
    return writer.one_of(("a ", "a ", "a ", "the ", "")) + phrase


def _object(writer: _Writer) -> str:
    scene, several = writer.scene, writer.scene.count != 1
    words = writer.style()
    if writer.mentions("size", 0.2):
        words.append(writer.word(scene.size))
    # Half of the surfaces are solid, and people rarely say so.
    words += writer.surface(0.6, 0.12 if scene.texture == "solid" else 0.6)
    if writer.mentions("shape", 0.85):
        noun = writer.word(scene.shape)
        words.append(plural(noun) if several else noun)
    else:
        words.append(THINGS[int(writer.rng.random() * len(THINGS))][int(several)])
    writer.named.add("many")
    if several and writer.mentions("count", 0.9):
        words.insert(0, NUMBERS[scene.count or 0])
    elif not several and writer.mentions("count", 0.12):
        words.insert(0, "one")
    phrase = " ".join(words)
    if not several or rng_once_in_ten(writer.rng):
        phrase = _article(writer, phrase) if "count" not in writer.named else phrase
    where = 0.15 if scene.position == "center" else 0.35
    tail = [writer.one_of(PLACES[scene.position])] if scene.position and writer.mentions("position", where) else []
    return " ".join([phrase, *tail, *writer.ground()])


def rng_once_in_ten(rng: np.random.Generator) -> bool:
    """Once in ten times."""
    return bool(rng.random() < 0.1)


def _pattern(writer: _Writer) -> str:
    words = [*writer.style(), *writer.surface(0.5, 0.9), writer.one_of(CLOTHS)]
    return _article(writer, " ".join(words))


def _flag(writer: _Writer) -> str:
    scene = writer.scene
    colours = [writer.word(scene.colour), writer.word(scene.second)]
    if writer.rng.random() < 0.5:
        colours.reverse()
    writer.named.add("pair")
    return " ".join([_article(writer, f"{colours[0]} and {colours[1]} {writer.one_of(('flag', 'flag', 'banner'))}"), *writer.ground()])


def words() -> frozenset[str]:
    """Every word a caption can hold, for the vocabulary."""
    from .attributes import BASIC, FINE, SHAPES, SIZES, STYLES, TEXTURES

    plain = [*BASIC, *FINE, *TEXTURES, *SHAPES, *SIZES, *STYLES, *NUMBERS, "flag", "banner", "and", "the", "a", "one"]
    other = [word for group in (*SYNONYMS.values(), *STYLE_WORDS.values(), *PLACES.values(), *THINGS) for word in group]
    sentences = [*plain, *other, *CLOTHS, *GROUNDS, *FRAMES]
    single = {word for sentence in sentences for word in sentence.replace("{}", " ").split()}
    return frozenset(single | {plural(word) for word in single})
