"""The kind of a file by its first bytes, where a picture or a list was expected."""

from __future__ import annotations

LENGTH = 512  # bytes of a file that are looked at
EMPTY, WEB_PAGE = "empty", "a web page"

_STARTS = (
    (b"version https://git-lfs.github.com/spec/", "a Git LFS pointer instead of the file (`git lfs pull` gets the file)"),
    (b"/annex/objects/", "a git-annex pointer instead of the file (`git annex get` gets the file)"),
    (b"\x1f\x8b", "compressed with gzip (unpack it)"),
    (b"PK\x03\x04", "a ZIP archive (unpack it)"),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"BZh", "compressed with bzip2 (unpack it)"),
    (b"\xfd7zXZ\x00", "compressed with xz (unpack it)"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd (unpack it)"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive (unpack it)"),
    (b"Rar!\x1a\x07", "a RAR archive (unpack it)"),
    (b"%!PS", "PostScript (EPS), which is not read"),
    (b"\xc5\xd0\xd3\xc6", "PostScript (EPS), which is not read"),
    (b"%PDF", "a PDF document"),
    (b"8BPS", "a Photoshop document, which is not read"),
    (b"<svg", "SVG, which is not read"),
    (b"<!doctype", WEB_PAGE),
    (b"<html", WEB_PAGE),
    (b"<?xml", WEB_PAGE),
)
_BRANDS = {b"avif": "AVIF", b"avis": "AVIF", b"heic": "HEIC", b"heix": "HEIC", b"hevc": "HEIC", b"heim": "HEIC", b"mif1": "HEIC"}


def described(content: bytes) -> str:
    """The kind of a content, from its first `LENGTH` bytes or more, as the end of "it is ..."; empty: not known."""
    if not content.strip(b"\0 \t\r\n"):
        return EMPTY
    if content[4:8] == b"ftyp" and content[8:12] in _BRANDS:
        return f"{_BRANDS[content[8:12]]}, which is not read here"
    start = content.removeprefix(b"\xef\xbb\xbf").lstrip()[:LENGTH].lower()
    if start.startswith(b"<?xml") and b"<svg" in start:
        return "SVG, which is not read"
    return next((kind for sign, kind in _STARTS if content.startswith(sign) or start.startswith(sign)), "")
