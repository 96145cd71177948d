"""The renderer and the caption grammar: the same picture from the same generator, and true sentences."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable

import numpy as np
import pytest
from depthub_shapes.attributes import CARDINALITY, COLOURS, FIGURES, NUMBERS, POSITIONS, SHAPES, SIZES, STYLES, TEXTURES, Scene, held_out
from depthub_shapes.captions import PLACES, STYLE_WORDS, SYNONYMS, describe, plural
from depthub_shapes.scenes import random_scene
from depthub_shapes.textures import mask
from depthub_shapes.world import DOWNSTREAM_BANK, IMAGE, PRETRAINING_BANK, Look, render

CLEAN = Look(noise=0.0)


def pixels(scene: Scene, seed: int = 0, look: Look = CLEAN) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """(48, 48, 3)"""
    image = render(scene, np.random.default_rng(seed), look)
    assert (image.mode, image.size) == ("RGB", (IMAGE, IMAGE))
    return np.asarray(image, dtype=np.float64)


def all_differ(scenes: Iterable[Scene]) -> None:
    """Pictures of different scenes differ; all are drawn from the same generator, so that only the scene can make the difference."""
    for one, other in itertools.combinations([pixels(scene) for scene in scenes], 2):
        assert np.abs(one - other).mean() > 0.5


def scenes(number: int, easy: float = 0.2) -> list[Scene]:
    rng = np.random.default_rng(3)
    return [random_scene(rng, easy) for _ in range(number)]


def test_every_value_of_an_attribute_looks_different() -> None:
    star = {"kind": "object", "colour": "red", "shape": "star", "background": "white"}
    all_differ(Scene(**{**star, "shape": shape}) for shape in SHAPES)
    all_differ(Scene(**{**star, "colour": colour}) for colour in COLOURS if colour != "white")
    all_differ(Scene(**{**star, "background": colour}) for colour in COLOURS if colour != "red")
    all_differ(Scene(**{**star, "texture": texture}) for texture in TEXTURES)
    all_differ(Scene("pattern", "red", None, texture, None) for texture in TEXTURES)
    all_differ(Scene(**star, count=count, size=None, position=None) for count in range(1, 7))
    all_differ(Scene(**star, size=size) for size in SIZES)
    all_differ(Scene(**star, size="small", position=position) for position in POSITIONS)
    all_differ(Scene(**star, style=style) for style in STYLES)
    all_differ(Scene("flag", "red", None, None, None, None, None, "white", second) for second in ("blue", "green", "black"))


def test_rendering_is_a_function_of_scene_generator_and_look() -> None:
    for scene in scenes(60):
        assert np.array_equal(pixels(scene, 5), pixels(scene, 5))
    scene = scenes(1)[0]
    assert not np.array_equal(pixels(scene, 5), pixels(scene, 6))
    for look in (Look(palette=(20, 0, -20)), Look(noise=30.0, noisy=1.0), Look(blur=1.0), Look(occluders=2)):
        assert not np.array_equal(pixels(scene, 5), pixels(scene, 5, look))


def test_an_object_stands_where_its_position_says() -> None:
    def centre(position: str) -> tuple[float, float]:
        ink = 255 - pixels(Scene("object", "black", "star", "solid", 1, "small", position, "white")).mean(axis=2)
        dark = ink > 128
        y, x = np.nonzero(dark)
        return float(x.mean()) - IMAGE / 2, float(y.mean()) - IMAGE / 2

    assert max(map(abs, centre("center"))) < 4
    assert centre("left")[0] < -8 < 8 < centre("right")[0]
    assert centre("top")[1] < -8 < 8 < centre("bottom")[1]


def test_downstream_textures_are_others_than_those_of_pretraining() -> None:
    for texture in TEXTURES[1:]:
        ours, theirs = ([mask(bank, texture, n).tobytes() for n in range(3)] for bank in (PRETRAINING_BANK, DOWNSTREAM_BANK))
        assert not set(ours) & set(theirs)


def test_pretraining_never_shows_a_held_out_combination() -> None:
    assert len(set(held_out())) == 64
    combinations = {(scene.colour, scene.texture, scene.shape) for easy in (0.0, 0.9) for scene in scenes(20_000, easy)}
    assert len(combinations) > 1000
    assert not combinations & set(held_out())


WORDS = {
    "shape": {shape: (shape, *SYNONYMS.get(shape, ())) for shape in SHAPES},
    "texture": {texture: (texture, *SYNONYMS.get(texture, ())) for texture in TEXTURES},
    "size": {size: (size, *SYNONYMS.get(size, ())) for size in SIZES},
    "position": dict(PLACES),
    "style": dict(STYLE_WORDS),
    "colour": {colour: (colour, *SYNONYMS.get(colour, ())) for colour in COLOURS},
}


def says(text: str, phrases: Iterable[str]) -> bool:
    """Whether one of the phrases is in the text, in the singular or plural."""
    text = text.replace("half circle", "semicircle")  # a synonym that holds another shape's name
    return any(re.search(rf"\b({phrase}|{plural(phrase)})\b", text) for phrase in phrases)


@pytest.mark.parametrize("attribute", ["shape", "texture", "size", "position", "style"])
def test_a_captions_list_of_named_attributes_is_exact(attribute: str) -> None:
    rng = np.random.default_rng(4)
    n_named = 0
    for scene in scenes(1500):
        caption = describe(scene, rng)
        value = getattr(scene, attribute)
        in_text = {name for name, words in WORDS[attribute].items() if says(caption.text, words)}
        assert in_text == ({value} if attribute in caption.named else set()), caption
        n_named += attribute in caption.named
    assert n_named > 100


def test_colours_and_counts_in_a_caption_are_the_scene_s() -> None:
    rng = np.random.default_rng(5)
    for scene in scenes(1500):
        caption = describe(scene, rng)
        attributes = {"colour": scene.colour, "background": scene.background, "second": scene.second}
        named = caption.named | ({"colour", "second"} if "pair" in caption.named else set())
        in_text = {name for name, words in WORDS["colour"].items() if says(caption.text, words)}
        assert in_text == {attributes[name] for name in attributes if name in named}, caption
        if "count" in caption.named:
            assert caption.text.replace("number", "").split("digit")[0].count(NUMBERS[scene.count or 0]) >= 1, caption
        assert not {name for name in caption.named if scene.codes()[name] < 0}
        assert caption.named <= CARDINALITY.keys()


def test_a_group_is_named_in_the_plural() -> None:
    rng = np.random.default_rng(6)
    scene = Scene("object", "red", "star", "solid", 3, None, None, "white")
    texts = [describe(scene, rng).text for _ in range(50)]
    assert not any(re.search(r"\bstar\b", text) for text in texts)
    assert sum("three" in text for text in texts) > 30


def test_figures_are_drawn_from_geometry_of_unit_size() -> None:
    from depthub_shapes.outlines import contours, strokes

    assert contours().keys() == set(FIGURES)
    assert contours().keys() | strokes().keys() == set(SHAPES)
    for parts in [*([points for points, _ in figure] for figure in contours().values()), *strokes().values()]:
        extent = np.abs(np.concatenate(list(parts))).max()
        assert 0.6 < extent < 1.25
