"""The renderer: a scene becomes a 48 x 48 RGB image, with every random choice from the caller's generator."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from .attributes import DIGITS, RGB, Scene
from .outlines import contours, strokes
from .textures import MASKS, SIDE, mask

IMAGE = 48  # pixels of an image's side; drawn at twice that and box-reduced
PRETRAINING_BANK, DOWNSTREAM_BANK = 7, 11  # texture-bank seeds, never shared between the two

Points = npt.NDArray[np.float64]  # (N, 2)
Colour = tuple[int, int, int]

_RADIUS = {"small": (8.0, 10.0), "medium": (12.0, 15.0), "large": (17.0, 21.0)}  # of an object alone, in image pixels
_CROWD = (6.0, 7.6)  # radius in a group: cells of the 3 x 3 grid are 16 pixels wide
_OFFSET = {"small": 14.0, "medium": 10.0, "large": 3.0}  # of an object that is off-centre
_DIRECTION = {"center": (0, 0), "left": (-1, 0), "right": (1, 0), "top": (0, -1), "bottom": (0, 1)}


@dataclass(frozen=True)
class Look:
    """The conditions under which images are taken, independent of the scene; pre-training and the data sets differ in them.

    Args:
        palette: added to every colour, RGB of 0-255.
        noise: standard deviation, 0-255.
        noisy: share of the images with noise.
        blur: Gaussian radius in image pixels.
        occluders: number of gray boxes.
        jitter: standard deviation of the corners' shifts, in units of the radius.
        rotation: largest angle, in radians.
        bank: seed of the texture bank.
    """

    palette: tuple[int, int, int] = (0, 0, 0)
    noise: float = 7.0
    noisy: float = 0.3
    blur: float = 0.0
    occluders: int = 0
    jitter: float = 0.02
    rotation: float = 0.3
    bank: int = PRETRAINING_BANK


def render(scene: Scene, rng: np.random.Generator, look: Look) -> Image.Image:
    """Draw the scene: RGB, IMAGE x IMAGE."""
    if scene.kind == "pattern":
        canvas = _cloth(scene, _shade(scene.colour, rng, look), rng, look)
    elif scene.kind == "flag":
        canvas = _ground(scene, rng, look)
        _draw_flag(canvas, scene, rng, look)
    else:
        canvas = _ground(scene, rng, look)
        colour = _shade(scene.colour, rng, look)
        fill = colour if scene.texture in (None, "solid") else _cloth(scene, colour, rng, look)
        canvas.paste(fill, mask=_silhouette(scene, rng, look))
    for _ in range(look.occluders):
        _occlude(canvas, rng)
    image = _stylise(canvas.reduce(SIDE // IMAGE), scene.style, rng)
    if look.blur:
        image = image.filter(ImageFilter.GaussianBlur(look.blur))
    if look.noise and rng.random() < look.noisy:
        image = _grain(image, look.noise, rng)
    return image


def _shade(colour: str, rng: np.random.Generator, look: Look) -> Colour:
    """The colour's centre plus the palette's offset and a little noise."""
    r, g, b = (int(min(255, max(0, c + p + n))) for c, p, n in zip(RGB[colour], look.palette, rng.normal(0, 11, 3), strict=True))
    return r, g, b


def _mix(one: Colour, other: Colour, share: float) -> Colour:
    """`share` of the other colour in one."""
    r, g, b = (int(a + (c - a) * share) for a, c in zip(one, other, strict=True))
    return r, g, b


def _cloth(scene: Scene, colour: Colour, rng: np.random.Generator, look: Look) -> Image.Image:
    """A full frame of the scene's texture: the colour, with a lighter or darker second tone."""
    image = Image.new("RGB", (SIDE, SIDE), colour)
    if scene.texture is None or scene.texture == "solid":
        return image
    luminance = (0.3 * colour[0] + 0.59 * colour[1] + 0.11 * colour[2]) / 255
    to_black = rng.random() < 0.15 + 0.7 * luminance if 0.2 < luminance < 0.85 else luminance > 0.5
    tone = _mix(colour, (0, 0, 0), rng.uniform(0.5, 0.7)) if to_black else _mix(colour, (255, 255, 255), rng.uniform(0.5, 0.7))
    image.paste(tone, mask=mask(look.bank, scene.texture, int(rng.integers(MASKS))))
    return image


def _ground(scene: Scene, rng: np.random.Generator, look: Look) -> Image.Image:
    """The background: its colour, in three of ten images fading into another tone."""
    colour = _shade(scene.background or "white", rng, look)
    image = Image.new("RGB", (SIDE, SIDE), colour)
    if rng.random() < 0.3:
        tone = _mix(colour, (0, 0, 0) if rng.random() < 0.5 else (255, 255, 255), rng.uniform(0.15, 0.35))
        image.paste(tone, mask=mask(look.bank, "gradient", int(rng.integers(MASKS))))
    return image


def _silhouette(scene: Scene, rng: np.random.Generator, look: Look) -> Image.Image:
    """Mask of all the objects: mode L, SIDE x SIDE."""
    sheet = Image.new("L", (SIDE, SIDE), 0)
    pen = ImageDraw.Draw(sheet)
    shape = scene.shape or "circle"
    for x, y, radius in _placements(scene, rng):
        if shape in DIGITS and scene.style != "sketch" and rng.random() < 0.35:
            _print_digit(sheet, shape, (x, y), radius, rng, look)
            continue
        place = _Placement.draw(x, y, radius, rng, look)
        if shape in DIGITS:
            width = radius * (0.12 if scene.style == "sketch" else rng.uniform(0.25, 0.5))
            _write_digit(pen, shape, place, width, rng)
        else:
            _draw_figure(pen, shape, place, scene.style == "sketch", rng)
    return sheet


def _placements(scene: Scene, rng: np.random.Generator) -> list[tuple[float, float, float]]:
    """(x, y, radius) of each object, in pixels of the drawing (twice the image's)."""
    zoom = SIDE / IMAGE
    if scene.count == 1 or scene.count is None:
        size = scene.size or "large"
        dx, dy = _DIRECTION[scene.position or "center"]
        jitter = rng.uniform(-2, 2, 2)
        radius = rng.uniform(*_RADIUS[size])
        return [(zoom * (IMAGE / 2 + dx * _OFFSET[size] + jitter[0]), zoom * (IMAGE / 2 + dy * _OFFSET[size] + jitter[1]), zoom * radius)]
    cells = rng.permutation(9)[: scene.count]
    shifts = rng.uniform(-1, 1, (scene.count, 2))
    radius = rng.uniform(*_CROWD) * zoom
    return [
        (zoom * (8 + 16 * (cell % 3) + dx), zoom * (8 + 16 * (cell // 3) + dy), radius)
        for cell, (dx, dy) in zip(cells.tolist(), shifts.tolist(), strict=True)
    ]


@dataclass(frozen=True)
class _Placement:
    """An affine map from unit coordinates to pixels of the drawing, with the jitter of its corners."""

    matrix: Points  # (2, 2)
    centre: Points  # (2,)
    radius: float
    jitter: float

    @classmethod
    def draw(cls, x: float, y: float, radius: float, rng: np.random.Generator, look: Look) -> _Placement:
        angle = rng.uniform(-look.rotation, look.rotation)
        aspect, shear = rng.uniform(0.88, 1.12), rng.uniform(-0.1, 0.1)
        cos, sin = np.cos(angle), np.sin(angle)
        matrix = radius * np.array([[cos, -sin], [sin, cos]]) @ np.array([[aspect, shear], [0.0, 1 / aspect]])
        return cls(matrix, np.array([x, y]), radius, look.jitter)

    def __call__(self, points: Points, rng: np.random.Generator) -> list[tuple[float, float]]:
        moved = (points + rng.normal(0, self.jitter, points.shape)) @ self.matrix.T + self.centre
        return [(x, y) for x, y in moved.tolist()]


def _draw_figure(pen: ImageDraw.ImageDraw, shape: str, place: _Placement, outline: bool, rng: np.random.Generator) -> None:
    """Draw a figure filled, or its outline alone."""
    for polygon, value in contours()[shape]:
        corners = place(polygon, rng)
        if outline:
            pen.line([*corners, corners[0]], fill=255, width=max(2, int(place.radius * 0.11)))
        else:
            pen.polygon(corners, fill=value)


def _write_digit(pen: ImageDraw.ImageDraw, shape: str, place: _Placement, width: float, rng: np.random.Generator) -> None:
    """Draw a digit with a pen of this width, by strokes with round ends."""
    wobbly = replace(place, jitter=place.jitter + 0.02)
    for stroke in strokes()[shape]:
        corners = wobbly(stroke, rng)
        pen.line(corners, fill=255, width=max(2, int(width)), joint="curve")
        for x, y in (corners[0], corners[-1]):
            pen.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=255)


@cache
def _glyph(character: str, bold: int) -> Image.Image:
    """A printed digit in Pillow's own font, cropped to its ink and padded to a square of side 96: mode L."""
    font = ImageFont.load_default(80)
    sheet = Image.new("L", (160, 160), 0)
    ImageDraw.Draw(sheet).text((40, 20), character, fill=255, font=font, stroke_width=bold)
    ink = sheet.crop(sheet.getbbox())
    glyph = Image.new("L", (96, 96), 0)
    glyph.paste(ink, ((96 - ink.width) // 2, (96 - ink.height) // 2))
    return glyph


def _print_digit(sheet: Image.Image, shape: str, centre: tuple[float, float], radius: float, rng: np.random.Generator, look: Look) -> None:
    """Paste a printed digit, turned and scaled; the glyph's 64-pixel ink height becomes twice the radius."""
    glyph = _glyph(str(DIGITS.index(shape)), int(rng.integers(0, 5)))
    matrix = np.linalg.inv(_Placement.draw(0, 0, radius / 32, rng, look).matrix)
    offset = 48 - matrix @ np.array(centre)
    rows = (*matrix[0].tolist(), float(offset[0]), *matrix[1].tolist(), float(offset[1]))
    sheet.paste(255, mask=glyph.transform((SIDE, SIDE), Image.Transform.AFFINE, rows, Image.Resampling.BILINEAR))


def _draw_flag(canvas: Image.Image, scene: Scene, rng: np.random.Generator, look: Look) -> None:
    """Two bands side by side or one above the other, on a cloth somewhat smaller than the frame."""
    pen = ImageDraw.Draw(canvas)
    first, second = _shade(scene.colour, rng, look), _shade(scene.second or scene.colour, rng, look)
    half_width, half_height = rng.uniform(0.33, 0.45) * SIDE, rng.uniform(0.22, 0.36) * SIDE
    centre = SIDE / 2 + rng.uniform(-4, 4, 2)
    place = _Placement.draw(float(centre[0]), float(centre[1]), 1.0, rng, replace(look, jitter=0.0, rotation=look.rotation / 2))
    whole = np.array([(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)]) * (half_width, half_height)
    half = whole.copy()
    if rng.random() < 0.5:
        half[1:3, 0] = 0.0  # left band
    else:
        half[2:, 1] = 0.0  # top band
    pen.polygon(place(whole, rng), fill=second)
    pen.polygon(place(half, rng), fill=first)


def _occlude(canvas: Image.Image, rng: np.random.Generator) -> None:
    """A gray box somewhere, about a fifth of the frame wide."""
    x, y = rng.uniform(0.1, 0.9, 2) * SIDE
    w, h = rng.uniform(0.07, 0.14, 2) * SIDE
    gray = int(rng.integers(60, 200))
    ImageDraw.Draw(canvas).rectangle((x - w, y - h, x + w, y + h), fill=(gray, gray, gray))


def _stylise(image: Image.Image, style: str, rng: np.random.Generator) -> Image.Image:
    """The image in its style; a sketch is drawn as one from the beginning."""
    if style == "blurry":
        return image.filter(ImageFilter.GaussianBlur(rng.uniform(1.3, 2.0)))
    if style == "grainy":
        return _grain(image, rng.uniform(26, 38), rng)
    if style == "faded":
        return Image.blend(image, Image.new("RGB", image.size, (190, 190, 190)), rng.uniform(0.45, 0.6))
    if style == "pixelated":
        small = image.resize((int(rng.integers(12, 17)),) * 2, Image.Resampling.BOX)
        return small.resize(image.size, Image.Resampling.NEAREST)
    return image


def _grain(image: Image.Image, deviation: float, rng: np.random.Generator) -> Image.Image:
    """The image with Gaussian noise of this standard deviation, 0-255."""
    pixels = np.asarray(image, dtype=np.float32) + deviation * rng.standard_normal((IMAGE, IMAGE, 3), dtype=np.float32)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
