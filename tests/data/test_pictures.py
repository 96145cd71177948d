"""Picture files: read correctly, or refused by name; no other program runs, and nothing waits."""

from __future__ import annotations

import gzip
import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from depthub.data import picture_formats, pictures
from depthub.data.decode import decode
from depthub.data.pictures import UnreadableImageError, colour, read, rgb
from depthub.errors import DepthubError

RAMP = np.linspace(0, 65535, 16).astype(np.uint16)  # 0, 4369, ...: 0, 17, 34, ... in 8 bits
EIGHT = list(range(0, 256, 17))


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(values: npt.NDArray[np.uint16], colour_type: int, more: bytes = b"", depth: int = 16) -> bytes:
    """One row; `values` (width, channels)."""
    header = struct.pack(">IIBBBBB", len(values), 1, depth, colour_type, 0, 0, 0)
    row = values.astype(">u2" if depth == 16 else "u1").tobytes()
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + more + chunk(b"IDAT", zlib.compress(b"\0" + row)) + chunk(b"IEND", b"")


def tiff(data: bytes, width: int, bits: int, photometric: int = 1, sample_format: int = 1) -> bytes:
    """One row of one channel, not compressed."""
    tags = {256: width, 257: 1, 258: bits, 259: 1, 262: photometric, 273: 8, 277: 1, 278: 1, 279: len(data), 339: sample_format}
    padded = data + b"\0" * (len(data) % 2)
    entries = b"".join(struct.pack("<HHIHH", tag, 3, 1, value, 0) for tag, value in tags.items())
    return b"II*\0" + struct.pack("<I", 8 + len(padded)) + padded + struct.pack("<H", len(tags)) + entries + struct.pack("<I", 0)


def twelve(values: npt.NDArray[np.uint16]) -> bytes:
    """Pairs of 12-bit numbers in three bytes."""
    pairs = values.reshape(-1, 2).astype(int).tolist()
    return b"".join(bytes([a >> 4, (a & 15) << 4 | b >> 8, b & 255]) for a, b in pairs)


DEEP = {
    "gray.png": png(RAMP[:, None], 0),
    "colour.png": png(np.repeat(RAMP[:, None], 3, 1), 2),
    "gray-alpha.png": png(np.stack([RAMP, np.full(16, 65535)], 1), 4),
    "little.tif": tiff(RAMP.astype("<u2").tobytes(), 16, 16),
    "12 bits.tif": tiff(twelve(np.linspace(0, 4095, 16).astype(np.uint16)), 16, 12),
    "white is zero.tif": tiff((65535 - RAMP).astype("<u2").tobytes(), 16, 16, photometric=0),
    "binary.pgm": b"P5 16 1 65535\n" + RAMP.astype(">u2").tobytes(),
    "plain.pgm": b"P2 16 1 65535\n" + " ".join(map(str, RAMP)).encode(),
    "10 bits.pgm": b"P5 16 1 1023\n" + np.linspace(0, 1023, 16).astype(">u2").tobytes(),
    "colour.ppm": b"P6 16 1 65535\n" + np.repeat(RAMP, 3).astype(">u2").tobytes(),
}


@pytest.mark.parametrize("name", DEEP)
def test_more_than_8_bits_are_scaled(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(DEEP[name])
    picture = read(tmp_path / name)
    assert (picture.mode, picture.size) == ("RGB", (16, 1))
    assert np.abs(np.asarray(picture, dtype=int)[0] - np.array(EIGHT)[:, None]).max() <= 1
    assert dict(decode(tmp_path, [name]))[name] == "" or "in mode" in dict(decode(tmp_path, [name]))[name]


@pytest.mark.parametrize("mode", ["I;16", "I;16B"])
def test_byte_orders_of_tiff(tmp_path: Path, mode: str) -> None:
    order = "<u2" if mode == "I;16" else ">u2"
    Image.frombytes(mode, (16, 1), RAMP.astype(order).tobytes()).save(tmp_path / "a.tif")
    assert np.asarray(read(tmp_path / "a.tif"))[0, :, 1].tolist() == EIGHT
    assert np.asarray(rgb(Image.open(tmp_path / "a.tif")))[0, :, 1].tolist() == EIGHT


REFUSED = {
    "float.tif": tiff(np.linspace(0, 1, 16, dtype="<f4").tobytes(), 16, 32, sample_format=3),
    "integers.tif": tiff(np.arange(16, dtype="<u4").tobytes(), 16, 32),
    "signed.tif": tiff(np.arange(16, dtype="<i2").tobytes(), 16, 16, sample_format=2),
    "float.ppm": b"Pf\n4 1\n-1.0\n" + np.linspace(0, 1, 4, dtype="<f4").tobytes(),
}


@pytest.mark.parametrize("name", REFUSED)
def test_values_of_unknown_range_are_refused_by_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(REFUSED[name])
    with pytest.raises(UnreadableImageError, match=rf"^cannot read image .*{name}: its pixels are 32-bit .*: convert it to 8 bits"):
        read(tmp_path / name)
    with Image.open(tmp_path / name) as picture, pytest.raises(DepthubError, match="convert it to 8 bits"):
        rgb(picture)
    assert dict(decode(tmp_path, [name]))[name].startswith("cannot be decoded: its pixels are 32-bit ")


def half_transparent(mode: str) -> Image.Image:
    """A picture of two pixels: red on the left, and transparent with green (or gray) beneath on the right."""
    picture = Image.new("RGBA", (2, 1), (255, 0, 0, 255))
    picture.putpixel((1, 0), (0, 200, 0, 0))
    return picture.convert(mode)


def palette(transparency: int | bytes) -> bytes:
    picture = Image.new("P", (2, 1))
    picture.putpalette([255, 0, 0, 0, 200, 0])
    picture.putpixel((1, 0), 1)
    return saved(picture, "PNG", transparency=transparency)


def saved(picture: Image.Image, form: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


TRANSPARENT: dict[str, tuple[bytes, tuple[int, int, int]]] = {
    "rgba.png": (saved(half_transparent("RGBA"), "PNG"), (0, 200, 0)),
    "la.png": (saved(half_transparent("LA"), "PNG"), (117, 117, 117)),
    "rgba.webp": (saved(half_transparent("RGBA"), "WEBP", lossless=True, exact=True), (0, 200, 0)),
    "rgba.tif": (saved(half_transparent("RGBA"), "TIFF"), (0, 200, 0)),
    "palette.png": (palette(1), (0, 200, 0)),
    "palette of bytes.png": (palette(b"\xff\x00"), (0, 200, 0)),
    "palette.gif": (saved(Image.open(io.BytesIO(palette(1))), "GIF", transparency=1), (0, 200, 0)),
    "colour.png": (png(np.array([[255, 0, 0], [0, 200, 0]]), 2, chunk(b"tRNS", struct.pack(">HHH", 0, 200, 0)), depth=8), (0, 200, 0)),
    "deep gray.png": (png(np.array([[0], [4369]]), 0, chunk(b"tRNS", struct.pack(">H", 4369))), (17, 17, 17)),
}


@pytest.mark.parametrize("name", TRANSPARENT)
def test_transparent_parts_show_what_lies_beneath_or_the_background(tmp_path: Path, name: str) -> None:
    content, beneath = TRANSPARENT[name]
    (tmp_path / name).write_bytes(content)
    left = np.asarray(read(tmp_path / name))[0, 0]
    assert np.abs(np.asarray(read(tmp_path / name), dtype=int)[0, 1] - beneath).max() <= 2
    for word, expected in (("white", (255, 255, 255)), ("#102030", (16, 32, 48))):
        laid = np.asarray(read(tmp_path / name, word))
        assert tuple(laid[0, 1]) == expected
        assert np.array_equal(laid[0, 0], left)
    with pictures.opened(tmp_path / name) as picture:
        assert pictures.transparent(picture)


def test_half_transparent_parts_are_mixed_and_opaque_pictures_stay(tmp_path: Path) -> None:
    Image.new("RGBA", (1, 1), (0, 0, 0, 128)).save(tmp_path / "a.png")
    assert read(tmp_path / "a.png", "white").getpixel((0, 0)) == (127, 127, 127)
    generator = np.random.default_rng(0)
    Image.fromarray(generator.integers(0, 256, (9, 7, 3), dtype=np.uint8)).save(tmp_path / "b.jpg")
    assert read(tmp_path / "b.jpg", "white").tobytes() == read(tmp_path / "b.jpg").tobytes()


def test_an_unknown_transparent_colour_is_refused(tmp_path: Path) -> None:
    content = png(np.repeat(RAMP[:, None], 3, 1), 2, chunk(b"tRNS", struct.pack(">HHH", 4369, 4369, 4369)))
    (tmp_path / "a.png").write_bytes(content)
    assert read(tmp_path / "a.png").getpixel((1, 0)) == (17, 17, 17)
    with pytest.raises(UnreadableImageError, match="its transparent colour is not given in 8 bits: convert it"):
        read(tmp_path / "a.png", "white")


def test_a_picture_in_memory_is_left_as_it_is() -> None:
    with Image.open(io.BytesIO(palette(1))) as picture:
        assert rgb(picture, "white").getpixel((1, 0)) == (255, 255, 255)
        assert rgb(picture).getpixel((1, 0)) == (0, 200, 0)
        assert picture.info["transparency"] == 1


def test_colours() -> None:
    assert [colour(name) for name in ("", "white", "White", "#fff", "rgb(255,255,255)", "#ff8000")] == ["", *["#ffffff"] * 4, "#ff8000"]
    for name, says in (
        ("whit", "background is 'whit', expected a colour such as white or #ff8000; did you mean 'white'?"),
        ("#12345", "background is '#12345', expected a colour"),
        ("#ffffff80", "expected a colour of red, green and blue from 0 to 255"),
        ("rgb(300,0,0)", "expected a colour of red, green and blue from 0 to 255"),
        ("\n", r"background is '\n', expected"),
    ):
        with pytest.raises(DepthubError) as caught:
            colour(name)
        assert says in str(caught.value)


@pytest.mark.parametrize("suffix", [".jfif", *([".avif"] if ".avif" in picture_formats.SUFFIXES else [])])
def test_other_endings_that_pillow_reads(tmp_path: Path, suffix: str) -> None:
    Image.new("RGB", (9, 7), (200, 10, 10)).save(tmp_path / f"a{suffix}")
    assert np.abs(np.asarray(read(tmp_path / f"a{suffix}"), dtype=int) - (200, 10, 10)).max() < 8


def test_the_first_of_several_frames_is_read(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (4, 4), name) for name in ("red", "blue")]
    for suffix in ("gif", "tif", "webp"):
        frames[0].save(tmp_path / f"a.{suffix}", save_all=True, append_images=frames[1:])
        red, _, blue = read(tmp_path / f"a.{suffix}").getpixel((1, 1))  # type: ignore[misc]
        assert red > 200 > 50 > blue


def test_no_other_program_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A PostScript file under the name of a picture: Pillow would hand it to Ghostscript."""
    ghostscript = tmp_path / "bin/gs"
    ghostscript.parent.mkdir()
    ghostscript.write_text(f"#!/bin/sh\ntouch {tmp_path}/was-run\n")
    ghostscript.chmod(0o755)
    monkeypatch.setenv("PATH", str(ghostscript.parent), prepend=os.pathsep)
    (tmp_path / "a.png").write_bytes(saved(Image.new("RGB", (9, 9)), "EPS"))
    with pytest.raises(UnreadableImageError, match=r"a\.png: it is PostScript \(EPS\), which is not read"):
        read(tmp_path / "a.png")
    assert dict(decode(tmp_path, ["a.png"])) == {"a.png": "cannot be decoded: it is PostScript (EPS), which is not read"}
    assert not (tmp_path / "was-run").exists()


def test_other_things_than_files_are_refused_before_they_are_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "nowhere.png").symlink_to(tmp_path / "gone.png")
    (tmp_path / "circle.png").symlink_to(tmp_path / "circle.png")
    (tmp_path / "device.png").symlink_to("/dev/zero")
    for name, what in (
        ("pipe.png", "a named pipe"),
        ("folder.png", "a folder"),
        ("nowhere.png", "a link that leads nowhere"),
        ("circle.png", "a link that leads in a circle"),
        ("device.png", "a device"),
        ("gone.png", "not there"),
    ):
        with pytest.raises(UnreadableImageError, match=rf"^cannot read image .*{name}: it is {what}; "):
            read(tmp_path / name)
        assert dict(decode(tmp_path, [name])) == {name: f"cannot be decoded: it is {what}"}


INSTEAD = {
    "empty": b"",
    "a Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n",
    "compressed with gzip": gzip.compress(saved(Image.new("RGB", (9, 9)), "PNG")),
    "a ZIP archive": b"PK\x03\x04" + bytes(40),
    "a web page": b"<!DOCTYPE html><html>404</html>",
    "SVG": b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>',
    "HEIC": b"\0\0\0\x18ftypheic" + bytes(20),
    "a PDF document": b"%PDF-1.7\n",
    "not a picture in": b"something else altogether",
}


@pytest.mark.parametrize("what", INSTEAD)
def test_the_kind_of_another_file_is_reported(tmp_path: Path, what: str) -> None:
    (tmp_path / "a.png").write_bytes(INSTEAD[what])
    with pytest.raises(UnreadableImageError, match=rf"^cannot read image .*a\.png: it is {what}.*; replace the file or move it away$"):
        read(tmp_path / "a.png")


def _broken(content: bytes, change: Callable[[bytearray], object]) -> bytes:
    changed = bytearray(content)
    change(changed)
    return bytes(changed)


def _set(place: slice, value: bytes) -> Callable[[bytearray], object]:
    return lambda content: content.__setitem__(place, value)


NOISE = Image.fromarray(np.random.default_rng(1).integers(0, 256, (20, 20, 3), dtype=np.uint8))
WHOLE = {form: saved(NOISE, form) for form in picture_formats.FORMATS}
BROKEN = {
    "chunk.png": _broken(WHOLE["PNG"], _set(slice(12, 16), b"\0\1\2\3")),  # SyntaxError
    "checksum.png": _broken(WHOLE["PNG"], _set(slice(29, 33), b"abcd")),  # SyntaxError
    "token.ppm": b"P6 99999999999999999999 1 255\n",  # ValueError
    "no size.ppm": b"P6 x y 255\n",
    "tags.tif": _broken(WHOLE["TIFF"], _set(slice(4, 8), b"\xff\xff\xff\x7f")),
    "huge.bmp": _broken(WHOLE["BMP"], _set(slice(18, 26), struct.pack("<ii", 2**30, 2**30))),
    "bomb.png": b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)) + chunk(b"IDAT", b""),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_pictures_are_named_in_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(BROKEN[name])
    with pytest.raises(UnreadableImageError, match=f"cannot read image .*{name}: ") as caught:
        read(tmp_path / name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("form", picture_formats.FORMATS)
@pytest.mark.filterwarnings("ignore")  # Pillow's remarks on skipped parts
def test_any_damage_is_read_or_named(tmp_path: Path, form: str) -> None:
    """Cut at any length, and with any few bytes changed: a picture or one line, nothing else."""
    generator, path = np.random.default_rng(2), tmp_path / "damaged.png"
    whole = WHOLE[form]
    damaged = [whole[:length] for length in range(0, len(whole), max(1, len(whole) // 40))]
    for _ in range(150):
        changed = bytearray(whole)
        for place in generator.integers(0, min(len(whole), 300), 3):
            changed[place] = generator.integers(256)
        damaged.append(bytes(changed))
    outcomes = set()
    for content in damaged:
        path.write_bytes(content)
        outcomes.add(outcome(path))
    assert {mode for mode, _, _ in outcomes} == {"RGB", "named"}
    assert {(named, lines) for mode, named, lines in outcomes if mode == "named"} == {(True, 1)}


def outcome(path: Path) -> tuple[str, bool, int]:
    """The mode of the picture; or "named", whether the message names the file, and the number of its lines."""
    try:
        return read(path).mode, True, 0
    except UnreadableImageError as error:
        return "named", str(path) in str(error), len(str(error).splitlines())
