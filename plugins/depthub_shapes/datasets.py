"""The rendered data sets: new tasks for the embedded CLIP, with the base-new trade-off of real data sets.

They differ from pre-training in two ways. First, a shift of the images: palette, noise, blur, an occluding box, other textures. Second, a
habitat: every class has one favourite value for each attribute that its name leaves open, say the background of three stars, and shows it
in six of ten images. Real data are like that: knowledge of the base classes is of no use, or harmful, on new ones.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image, __version__ as pillow_version

from depthub import ClassSet, Data, DataSet, DepthubError, Examples

from .attributes import BASIC, COLOURS, DIGITS, FIGURES, NUMBERS, POSITIONS, TEXTURES, Scene, contrasts, held_out
from .captions import PLACES, plural
from .world import DOWNSTREAM_BANK, IMAGE, Look, render

TRAIN, TEST = 32, 24  # images per class
DIGITS_TRAIN = 70  # of about 180 real ones per class; the others are for testing
HABITAT = 0.6  # probability that an attribute has the class's favourite value
SHIFT = Look((-18, 8, 22), noise=16.0, noisy=1.0, blur=0.6, occluders=1, jitter=0.05, rotation=0.55, bank=DOWNSTREAM_BANK)
CALM = replace(SHIFT, noise=6.0, blur=0.25, occluders=0)  # under the whole shift an outline would vanish
ORDER_SEED = 5  # seed of the order of the classes; the first half is base


@dataclass(frozen=True)
class Kind:
    """The scenes of a data set, and their look.

    Args:
        classes: name and scene of each class.
        free: attributes with a value drawn anew for every image.
        look: conditions of its images.
        habitat: probability of a class's favourite values.
        styles: styles of the images.
        space: the label space, shared by domain variants.
    """

    classes: tuple[tuple[str, Scene], ...]
    free: tuple[str, ...]
    look: Look = SHIFT
    habitat: float = HABITAT
    styles: tuple[str, ...] = ("plain",)
    space: str = ""


@cache
def kinds() -> dict[str, Kind]:
    """Every rendered data set by name."""
    compose = Kind(
        tuple((f"{texture} {colour} {shape}", Scene("object", colour, shape, texture)) for colour, texture, shape in held_out()),
        ("background", "size"),
        space="compose",
    )
    shapes = ("star", "heart", "circle", "triangle", "fish")
    spots = ("fish", "star", "house", "heart", "tree", "arrow")
    pairs, cloths = _pairs(30), random.Random(40).sample([(c, t) for c in BASIC for t in TEXTURES[1:]], 40)
    return {
        "compose": compose,
        "compose-v2": replace(compose, look=replace(SHIFT, palette=(8, -4, -10)), habitat=0.0),
        "compose-sketch": replace(compose, look=CALM, habitat=0.0, styles=("sketch",)),
        "compose-a": replace(compose, look=replace(SHIFT, occluders=2, noise=22.0, rotation=0.7), habitat=0.0),
        "compose-r": replace(compose, habitat=0.0, styles=("blurry", "pixelated", "faded")),
        "tones": Kind(tuple((colour, Scene("object", colour)) for colour in COLOURS), ("background", "shape", "size")),
        "weaves": Kind(tuple((f"{texture} pattern", Scene("pattern", "", None, texture, None)) for texture in TEXTURES), ("colour",)),
        "tallies": Kind(
            tuple((_counted(n, shape), Scene("object", "", shape, "solid", n)) for n in range(1, 7) for shape in shapes),
            ("colour", "background"),
        ),
        "flags": Kind(tuple((f"{a} and {b} flag", Scene("flag", a, None, None, None, second=b)) for a, b in pairs), ("background",)),
        "figures": Kind(tuple((shape, Scene("object", "", shape)) for shape in FIGURES), ("colour", "texture", "background", "size")),
        "places": Kind(
            tuple((f"{s} {PLACES[p][0]}", Scene("object", "", s, size="small", position=p)) for s in spots for p in POSITIONS),
            ("colour", "background"),
        ),
        "swatches": Kind(tuple((f"{t} {c} fabric", Scene("pattern", c, None, t, None)) for c, t in cloths), ()),
    }


def variants(name: str) -> tuple[str, ...]:
    """The data sets with the classes of this one under another shift."""
    return tuple(other for other, kind in kinds().items() if kind.space == name != other)


def targets(name: str) -> tuple[str, ...]:
    """The data sets with other classes, without variants of one."""
    space = kinds()[name].space if name in kinds() else ""
    ordinary = [other for other, kind in kinds().items() if kind.space in ("", other)]
    return tuple(other for other in (*ordinary, "digits") if other not in (name, space))


class Rendered(DataSet):
    """A data set with images that are drawn when they are read.

    Args:
        name: a name of `kinds`.
        seed: seed of its images; all published numbers use the default, so that other seeds can serve for choices.
    """

    augmentation: Literal["published", "none"] = "none"  # a flip turns left into right, a small crop drops the object

    def __init__(self, name: str, seed: int = 1) -> None:
        self.name, self.seed = name, seed

    def load(self, root: Path | None = None) -> Data:
        kind = kinds()[self.name]
        names = tuple(kind.classes[i][0] for i in class_order(kind.space or self.name, len(kind.classes)))
        classes = ClassSet(kind.space or self.name, tuple(range(len(names))), names)
        train, test = self._examples("train", TRAIN, len(names)), self._examples("test", TEST, len(names))
        return Data(classes, train, test, targets=targets(self.name), variants=variants(self.name))

    def digest(self, root: Path | None = None) -> str:
        """Empty: name and this package's version determine the images."""
        return ""

    def _examples(self, split: str, number: int, classes: int) -> Examples:
        pairs = [(label, i) for label in range(classes) for i in range(number)]
        ids = tuple(f"{split}/{label}/{i}" for label, i in pairs)
        return Examples(ids, tuple(label for label, _ in pairs), Painter(self.name, self.seed))


@dataclass(frozen=True)
class Painter:
    """Draws an image by its id, `split/label/number`; the same on every machine and in any order."""

    name: str
    seed: int

    def __call__(self, image: str) -> Image.Image:
        kind = kinds()[self.name]
        label = int(image.split("/")[1])
        row = class_order(kind.space or self.name, len(kind.classes))[label]
        rng = np.random.default_rng(number(self.name, self.seed, image))
        return render(_fill(kind, row, rng), rng, kind.look)

    def fingerprint(self, image: str) -> str:
        """The id with name and seed, and the code that draws it."""
        return f"{self} {image} {_code()}"


@cache
def _code() -> str:
    """SHA-256 over this package's source and the versions of NumPy and Pillow."""
    sha256 = hashlib.sha256(f"numpy {np.__version__}, Pillow {pillow_version}".encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        sha256.update(path.read_bytes())
    return sha256.hexdigest()


def number(*parts: object) -> int:
    """A number that depends on nothing but the parts."""
    return int.from_bytes(hashlib.sha256("/".join(map(str, parts)).encode()).digest()[:8])


@cache
def class_order(space: str, classes: int) -> tuple[int, ...]:
    """The classes of a label space in the order of their labels."""
    return tuple(random.Random(number("order", ORDER_SEED, space)).sample(range(classes), classes))


def _fill(kind: Kind, row: int, rng: np.random.Generator) -> Scene:
    """The scene of the class in this row, with its free attributes drawn."""
    name, scene = kind.classes[row]
    favourites = random.Random(number("habitat", kind.space, name))
    for attribute in kind.free:
        values = _values(attribute)
        favourite = favourites.choice(values)
        value = favourite if rng.random() < kind.habitat else values[int(rng.integers(len(values)))]
        colours = (scene.colour, scene.second) if attribute == "background" else ()
        while any(colour and not contrasts(value, colour) for colour in colours):
            value = values[int(rng.integers(len(values)))]
        scene = replace(scene, **{attribute: value})  # type: ignore[arg-type]
    return replace(scene, style=kind.styles[int(rng.integers(len(kind.styles)))])


def _values(attribute: str) -> tuple[str, ...]:
    return {"background": COLOURS, "colour": COLOURS, "shape": FIGURES, "texture": TEXTURES, "size": ("medium", "large")}[attribute]


def _counted(count: int, shape: str) -> str:
    return f"{NUMBERS[count]} {shape if count == 1 else plural(shape)}"


def _pairs(count: int) -> list[tuple[str, str]]:
    every = [(a, b) for i, a in enumerate(COLOURS) for b in COLOURS[i + 1 :] if contrasts(a, b)]
    return random.Random(30).sample(every, count)


class Digits(DataSet):
    """Real handwritten digits: scikit-learn's 1,797 scans of 8 x 8 pixels, enlarged, dark on white."""

    augmentation: Literal["published", "none"] = "none"

    def __init__(self) -> None:
        self.name = "digits"

    def load(self, root: Path | None = None) -> Data:
        order = class_order(self.name, len(DIGITS))
        labels = [order.index(int(digit)) for digit in _scans()[1]]
        train, test = list[int](), list[int]()
        for row, label in enumerate(labels):
            of_class = train if sum(labels[r] == label for r in train) < DIGITS_TRAIN else test
            of_class.append(row)
        classes = ClassSet(self.name, tuple(range(10)), tuple(DIGITS[digit] for digit in order))
        return Data(classes, self._examples(train, labels), self._examples(test, labels), targets=targets(self.name))

    def digest(self, root: Path | None = None) -> str:
        """Empty: scikit-learn's scans are the same in all its versions."""
        return ""

    def _examples(self, rows: list[int], labels: list[int]) -> Examples:
        return Examples(tuple(map(str, rows)), tuple(labels[row] for row in rows), read_digit)


def read_digit(row: str) -> Image.Image:
    """A scan by its row, RGB."""
    ink = _scans()[0][int(row)]  # (8, 8), 0 to 16
    gray = Image.fromarray((255 - ink * (255 / 16)).astype(np.uint8)).resize((32, 32), Image.Resampling.BICUBIC)
    page = Image.new("L", (IMAGE, IMAGE), 255)
    page.paste(gray, ((IMAGE - 32) // 2,) * 2)
    return page.convert("RGB")


@cache
def _scans() -> tuple[Any, Any]:
    """Images (1797, 8, 8) and digits (1797,)."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise DepthubError("data set 'digits' needs scikit-learn: pip install 'depthub[digits]'") from None
    loaded: Any = load_digits()
    return loaded.images, loaded.target
