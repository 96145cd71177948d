"""Picture files: which are read, how one is opened safely, and what it becomes in RGB."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from PIL import Image, ImageColor, UnidentifiedImageError

from depthub.data.listing import kind
from depthub.data.signature import LENGTH, described
from depthub.errors import DepthubError, nearest

# Ending to Pillow's name of the format. No other format is tried, whatever a file holds: some call other programs.
SUFFIXES = {
    **{".bmp": "BMP", ".gif": "GIF", ".png": "PNG", ".tif": "TIFF", ".tiff": "TIFF", ".webp": "WEBP"},
    **dict.fromkeys((".jfif", ".jpe", ".jpeg", ".jpg"), "JPEG"),
    **dict.fromkeys((".pbm", ".pgm", ".pnm", ".ppm"), "PPM"),
    **({".avif": "AVIF"} if find_spec("PIL._avif") else {}),  # by how Pillow was built
}
FORMATS = tuple(sorted(set(SUFFIXES.values())))
REMEDY = "replace the file or move it away"
_DEEP = ("I;16", "I;16B", "I;16L", "I;16N")  # one channel of 16 bits, by the order of its bytes
_ALPHA = ("LA", "La", "PA", "RGBA", "RGBa")
_BITS, _PHOTOMETRIC, _WHITE_IS_ZERO = 258, 262, 0  # of TIFF
# How the pixels of a PNG file are stored where Pillow compares them with the file's transparent colour as it stands.
_COMPARABLE = ("1", "L", "RGB", "I;16B", "P", "P;1", "P;2", "P;4")


class UnreadableImageError(DepthubError):
    """A file that is no picture, or none that can be read rightly.

    Attributes:
        reason: what is wrong with it.
    """

    reason: str = ""

    @classmethod
    def of(cls, path: Path, reason: str, remedy: str) -> UnreadableImageError:
        """Made here and not in a constructor of its own: torch's worker processes make it again from the message alone."""
        made = cls(f"cannot read image {path}: {reason}; {remedy}")
        made.reason = reason
        return made


@contextmanager
def opened(path: Path, remedy: str = REMEDY) -> Iterator[Image.Image]:
    """A picture of which the header has been read; its pixels are decoded when they are asked for, within the `with`.

    Raises:
        UnreadableImageError: for what is no regular file, for other formats, and whenever decoding fails.
    """
    if what := kind(path):  # asked before it is opened: opening a pipe waits for ever
        raise UnreadableImageError.of(path, f"it is {what}", remedy)
    try:
        with Image.open(path, formats=FORMATS) as picture:
            yield picture
    except Exception as error:  # on broken bytes a decoder may raise anything
        raise UnreadableImageError.of(path, _reason(path, error), remedy) from error


def read(path: Path, background: str = "", edge: int = 0, remedy: str = REMEDY) -> Image.Image:
    """A picture in RGB; of several frames, the first.

    Args:
        path: the file.
        background: colour that transparent parts are laid on; empty: they show whatever colour lies beneath.
        edge: pixels that the shorter edge keeps at least where a JPEG file is decoded at a fraction of its size; 0: always the whole.
        remedy: what an error tells the user to do.

    Raises:
        UnreadableImageError: if it cannot be read rightly; the message names the file.
    """
    with opened(path, remedy) as picture:
        if edge:
            picture.draft("RGB", (edge, edge))
        return as_rgb(picture, background)


def rgb(picture: Image.Image, background: str = "") -> Image.Image:
    """A picture in memory in RGB, as `read` makes it of a file.

    Raises:
        DepthubError: if its values cannot be read rightly.
    """
    try:
        return as_rgb(picture, background)
    except ValueError as error:
        raise DepthubError(f"a picture of mode {picture.mode} cannot be read: {error}") from error


def as_rgb(picture: Image.Image, background: str = "") -> Image.Image:
    """An open picture in RGB, from 0 to 255: one channel of more than 8 bits is scaled, not cut off.

    Args:
        picture: as it was opened; it is left as it is.
        background: as in `read`.

    Raises:
        ValueError: if the range of its values is not known, or its transparent colour cannot be told.
    """
    white = largest(picture)
    if background and transparent(picture):
        return _laid_on(picture, white, background)
    info = dict(picture.info)
    picture.info.pop("transparency", None)  # RGB has none, and Pillow warns of its loss
    made = (picture if white == 255 else _scaled(picture, white)).convert("RGB")
    picture.info = info
    return made


def largest(picture: Image.Image) -> int:
    """The value that stands for full brightness in an open picture's channels; 255 unless they have more than 8 bits.

    Raises:
        ValueError: if it is not known, as for floating-point numbers.
    """
    if picture.mode in _DEEP:
        bits: int = _tags(picture).get(_BITS, (16,))[0]
        return (1 << bits) - 1
    if picture.mode == "I" and picture.format in ("PNG", "PPM"):  # these have no more than 16 bits
        return 65535
    if picture.mode in ("I", "F"):
        numbers = "integers" if picture.mode == "I" else "floating-point numbers"
        raise ValueError(f"its pixels are 32-bit {numbers} (mode {picture.mode}) of unknown range: convert it to 8 bits a channel")
    return 255


def transparent(picture: Image.Image) -> bool:
    """Whether an open picture's header has an alpha channel or a transparent colour."""
    return picture.mode in _ALPHA or "transparency" in picture.info


@lru_cache
def colour(name: str) -> str:
    """A colour as `#rrggbb`, whichever way it is named; empty stays empty.

    Raises:
        DepthubError: if Pillow knows no such colour, or it is itself transparent.
    """
    try:
        channels = ImageColor.getrgb(name) if name else ()
    except (ValueError, TypeError, AttributeError) as error:
        expected = "expected a colour such as white or #ff8000"
        raise DepthubError(f"background is {name!r}, {expected}{nearest(str(name), ImageColor.colormap)}") from error
    if len(channels) == 4 or any(not 0 <= channel <= 255 for channel in channels):
        raise DepthubError(f"background is {name!r}, expected a colour of red, green and blue from 0 to 255, such as #ff8000")
    return "".join(["#"[: len(channels)], *(f"{channel:02x}" for channel in channels)])


def _scaled(picture: Image.Image, white: int, hidden: int | None = None) -> Image.Image:
    """A picture of one deep channel in mode L, its values rounded; or in mode LA, where the value `hidden` is transparent."""
    import numpy as np  # lists of data sets are read without it

    values = np.asarray(picture).astype(np.int64)
    alpha = Image.fromarray(np.where(values == hidden, 0, 255).astype(np.uint8))
    if _tags(picture).get(_PHOTOMETRIC) == _WHITE_IS_ZERO:  # which Pillow turns round in 8 bits only
        values = white - values
    gray = Image.fromarray(((values * 255 + white // 2) // white).clip(0, 255).astype(np.uint8))
    return gray if hidden is None else Image.merge("LA", (gray, alpha))


def _laid_on(picture: Image.Image, white: int, background: str) -> Image.Image:
    """A picture with its transparent parts over a colour, in RGB."""
    hidden = picture.info.get("transparency")
    if hidden is not None and picture.format == "PNG" and any(tile.args not in _COMPARABLE for tile in getattr(picture, "tile", ())):
        raise ValueError("its transparent colour is not given in 8 bits: convert it to 8 bits a channel")
    layer = _scaled(picture, white, hidden) if white > 255 else picture.convert("LA") if picture.mode == "La" else picture
    under = Image.new("RGBA", picture.size, colour(background))
    under.alpha_composite(layer.convert("RGBA"))
    return under.convert("RGB")


def _tags(picture: Image.Image) -> Mapping[int, Any]:
    """Of a TIFF file; other formats have none."""
    tags: Mapping[int, Any] = getattr(picture, "tag_v2", {})
    return tags


def _reason(path: Path, error: Exception) -> str:
    """Why a file could not be read, in one line."""
    if isinstance(error, UnidentifiedImageError):
        with path.open("rb") as file:
            what = described(file.read(LENGTH))
        return f"it is {what}" if what else f"it is no picture in {', '.join(FORMATS)}, or its beginning is damaged"
    if isinstance(error, MemoryError):
        return "it is too large for this machine's memory"
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split()) or type(error).__name__
