"""Download of official split files into the user's cache; only for `depthub data fetch-splits`, never during a run."""

from __future__ import annotations

import hashlib
from pathlib import Path
from tempfile import TemporaryDirectory

from depthub.data.published.cards import DatasetCard
from depthub.data.published.splits import git_blob
from depthub.errors import DepthubError


def fetch_split(card: DatasetCard, folder: Path, mirror: str = "") -> bool:
    """Put a data set's official split file into a folder, whole and verified or not at all.

    Args:
        card: card of a data set with a split file.
        folder: target folder; created if it does not exist.
        mirror: address of a folder with the split files; empty: the first mirror of the card.

    Returns:
        Whether it was downloaded; False if it was there already.

    Raises:
        DepthubError: if it cannot be downloaded, is not the official one, or cannot be written.
    """
    target = folder / card.split_file
    if target.is_file() and is_official(target.read_bytes(), card):
        return False
    url = f"{(mirror or card.mirrors[0]).rstrip('/')}/{card.split_file}"
    advice = f"nothing was stored; try again, give another --mirror URL, or get it by other means and put it into {card.directory}/"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".fetch-", dir=folder) as temporary:  # not read before it is verified
            file = _retrieve(url, card.split_sha256, Path(temporary))
            if not is_official(file.read_bytes(), card):
                raise DepthubError(f"{url} is not the official {card.split_file}; {advice}")
            file.replace(target)
    except (OSError, ValueError) as error:  # of the network or the disk; ValueError: a wrong SHA-256
        raise DepthubError(f"cannot fetch {url}: {_reason(error)}; {advice}") from error
    return True


def is_official(content: bytes, card: DatasetCard) -> bool:
    """Whether a split file has every known hash of the official one; False if no hash is known."""
    hashes = {card.split_sha256: hashlib.sha256(content).hexdigest(), card.split_git_blob: git_blob(content)}  # expected to actual
    return any(hashes) and all(not expected or expected == actual for expected, actual in hashes.items())


def _reason(error: BaseException) -> str:
    """The innermost of the errors that led to this one; the outer ones only repeat the address and the number of attempts."""
    while error.__context__ is not None:
        error = error.__context__
    return " ".join(str(error).split())[:200]


def _retrieve(url: str, sha256: str, folder: Path) -> Path:
    """Download a file into a folder."""
    try:
        import pooch
    except ImportError:
        raise DepthubError("fetch-splits needs pooch: pip install 'depthub[data]'") from None
    pooch.get_logger().setLevel("WARNING")  # the command prints its own messages
    return Path(pooch.retrieve(url, f"sha256:{sha256}" if sha256 else None, fname="split.json", path=folder))
