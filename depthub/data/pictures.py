"""Picture files: safe opening, and conversion to RGB."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from PIL import Image, ImageColor, UnidentifiedImageError

from depthub.data.listing import kind
from depthub.data.picture_formats import FORMATS
from depthub.data.signature import LENGTH, described
from depthub.errors import DepthubError, nearest

REMEDY = "replace the file or move it away"
_DEEP = ("I;16", "I;16B", "I;16L", "I;16N")  # one channel of 16 bits, by the order of its bytes
_ALPHA = ("LA", "La", "PA", "RGBA", "RGBa")
_BITS, _PHOTOMETRIC, _WHITE_IS_ZERO = 258, 262, 0  # of TIFF
# How the pixels of a PNG file are stored where Pillow compares them with the file's transparent colour as it stands.
_COMPARABLE = ("1", "L", "RGB", "I;16B", "P", "P;1", "P;2", "P;4")


class UnreadableImageError(DepthubError):
    """A file that is not a picture, or a picture that cannot be converted to RGB correctly.

    Attributes:
        reason: the fault, without file and remedy.
    """

    reason: str = ""

    @classmethod
    def of(cls, path: Path, reason: str, remedy: str) -> UnreadableImageError:
        """The error for a file. The constructor takes the message alone, since torch's worker processes create it again from that."""
        error = cls(f"cannot read image {path}: {reason}; {remedy}")
        error.reason = reason
        return error


@contextmanager
def opened(path: Path, remedy: str = REMEDY) -> Iterator[Image.Image]:
    """A picture with its header read; the pixels are decoded when they are used, within the `with`.

    Raises:
        UnreadableImageError: if it is not a regular file, is in another format, or cannot be decoded.
    """
    if obstacle := kind(path):  # checked before opening: opening a pipe waits for ever
        raise UnreadableImageError.of(path, f"it is {obstacle}", remedy)
    try:
        with Image.open(path, formats=FORMATS) as picture:
            yield picture
    except Exception as error:  # on broken bytes a decoder may raise anything
        raise UnreadableImageError.of(path, _reason(path, error), remedy) from error


def read(path: Path, background: str = "", edge: int = 0, remedy: str = REMEDY) -> Image.Image:
    """A picture in RGB; of several frames, the first.

    Args:
        path: the file.
        background: colour behind transparent parts; empty: the colour that the file stores there.
        edge: least pixels of the shorter edge of a JPEG file that is decoded at a fraction of its size; 0: full size.
        remedy: remedy in error messages.

    Raises:
        UnreadableImageError: if it cannot be read correctly; the message names the file.
    """
    with opened(path, remedy) as picture:
        if edge:
            picture.draft("RGB", (edge, edge))
        return as_rgb(picture, background)


def rgb(picture: Image.Image, background: str = "") -> Image.Image:
    """A picture in memory in RGB, converted as `read` converts a file.

    Raises:
        DepthubError: if the range of its values is unknown.
    """
    try:
        return as_rgb(picture, background)
    except ValueError as error:
        raise DepthubError(f"a picture of mode {picture.mode} cannot be read: {error}") from error


def as_rgb(picture: Image.Image, background: str = "") -> Image.Image:
    """An open picture in RGB, from 0 to 255: a channel of more than 8 bits is scaled, not clipped.

    Args:
        picture: an open picture; it is not changed.
        background: as in `read`.

    Raises:
        ValueError: if the range of its values or its transparent colour is unknown.
    """
    white = largest(picture)
    if background and transparent(picture):
        return _laid_on(picture, white, background)
    info = dict(picture.info)
    picture.info.pop("transparency", None)  # RGB has none, and Pillow warns of its loss
    converted = (picture if white == 255 else _scaled(picture, white)).convert("RGB")
    picture.info = info
    return converted


def largest(picture: Image.Image) -> int:
    """The value of full brightness in an open picture's channels; 255 unless they have more than 8 bits.

    Raises:
        ValueError: if it is unknown, as for floating-point numbers.
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
    """A colour as `#rrggbb`: "white", "rgb(255, 255, 255)" and "#fff" all become "#ffffff"; empty stays empty.

    Raises:
        DepthubError: if Pillow has no such colour, or it is itself transparent.
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
    """A picture of one deep channel in mode L, with rounded values; or in mode LA, with the value `hidden` transparent."""
    import numpy as np  # lists of data sets are read without it

    values = np.asarray(picture).astype(np.int64)
    alpha = Image.fromarray(np.where(values == hidden, 0, 255).astype(np.uint8))
    if _tags(picture).get(_PHOTOMETRIC) == _WHITE_IS_ZERO:  # Pillow inverts these in 8 bits only
        values = white - values
    gray = Image.fromarray(((values * 255 + white // 2) // white).clip(0, 255).astype(np.uint8))
    return gray if hidden is None else Image.merge("LA", (gray, alpha))


def _laid_on(picture: Image.Image, white: int, background: str) -> Image.Image:
    """A picture with its transparent parts over a colour, in RGB.

    Raises:
        ValueError: if its transparent colour is unknown.
    """
    hidden = picture.info.get("transparency")
    if hidden is not None and picture.format == "PNG" and any(tile.args not in _COMPARABLE for tile in getattr(picture, "tile", ())):
        raise ValueError("its transparent colour is not given in 8 bits: convert it to 8 bits a channel")
    layer = _scaled(picture, white, hidden) if white > 255 else picture.convert("LA") if picture.mode == "La" else picture
    under = Image.new("RGBA", picture.size, colour(background))
    under.alpha_composite(layer.convert("RGBA"))
    return under.convert("RGB")


def _tags(picture: Image.Image) -> Mapping[int, Any]:
    """The tags of a TIFF file; other formats have none."""
    tags: Mapping[int, Any] = getattr(picture, "tag_v2", {})
    return tags


def _reason(path: Path, error: Exception) -> str:
    """The reason why a file could not be read, in one line."""
    if isinstance(error, UnidentifiedImageError):
        with path.open("rb") as file:
            description = described(file.read(LENGTH))
        return f"it is {description}" if description else f"it is not a picture in {', '.join(FORMATS)}, or its beginning is damaged"
    if isinstance(error, MemoryError):
        return "it is too large for this machine's memory"
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split()) or type(error).__name__
