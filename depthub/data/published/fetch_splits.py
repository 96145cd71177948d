"""Official split files from their mirror into the user's cache; only `depthub data fetch-splits` comes here, never a run."""

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
        card: of a data set that has a split file.
        folder: where it goes; made if it does not exist.
        mirror: address of a folder that holds the split files; empty: the first that the card name.

    Returns:
        Whether it was downloaded; False if it was there.

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
        with TemporaryDirectory(prefix=".fetch-", dir=folder) as temporary:  # nobody reads there what is not verified yet
            got = _retrieve(url, card.split_sha256, Path(temporary))
            if not is_official(got.read_bytes(), card):
                raise DepthubError(f"{url} is not the official {card.split_file}; {advice}")
            got.replace(target)
    except (OSError, ValueError) as error:  # of the network or the disk; ValueError: a wrong SHA-256
        raise DepthubError(f"cannot fetch {url}: {_reason(error)}; {advice}") from error
    return True


def is_official(content: bytes, card: DatasetCard) -> bool:
    """Whether a split file's bytes have the hashes that are known of the official one; False if none is."""
    known = {card.split_sha256: hashlib.sha256(content).hexdigest(), card.split_git_blob: git_blob(content)}
    return any(known) and all(not wanted or wanted == found for wanted, found in known.items())


def _reason(error: BaseException) -> str:
    """The innermost of the errors that led to this one: what is around it repeats the address and the number of attempts."""
    while error.__context__ is not None:
        error = error.__context__
    return " ".join(str(error).split())[:200]


def _retrieve(url: str, sha256: str, folder: Path) -> Path:
    try:
        import pooch
    except ImportError:
        raise DepthubError("fetch-splits needs pooch: pip install 'depthub[data]'") from None
    pooch.get_logger().setLevel("WARNING")  # the command says itself what it does
    return Path(pooch.retrieve(url, f"sha256:{sha256}" if sha256 else None, fname="split.json", path=folder))
