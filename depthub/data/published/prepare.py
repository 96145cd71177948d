"""Arranges what other tools and the official archives give into the usual folders; the only code that writes below a data root."""

from __future__ import annotations

import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from depthub.data.listing import PLAIN_PATHS, children, strange
from depthub.data.published import imagenet, splits
from depthub.data.published.cards import DatasetCard
from depthub.data.published.check import place as where
from depthub.data.published.on_disk import OnDisk, Place
from depthub.errors import DepthubError
from depthub.values.text import listed

ARCHIVES = tuple(ending for _, endings, _ in shutil.get_unpack_formats() for ending in endings)
UNREADABLE = (shutil.ReadError, tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error)


@dataclass(frozen=True)
class Placed:
    """What became of one file or folder of a data set.

    Args:
        target: its usual place.
        source: where it was found.
        how: "linked", "copied", "unpacked", or "kept", if something was in its place.
    """

    target: Path
    source: Path
    how: str

    def __str__(self) -> str:
        if self.how == "kept":
            return f"kept {self.target} as it was"
        return f"{self.how} {self.target}{'' if self.how == 'unpacked' else f' from {self.source}'}"


def prepare(dataset: OnDisk, sources: Sequence[Path], root: Path, *, copy: bool = False) -> list[Placed]:
    """Put a data set's images, lists and split file where they are looked for. Nothing is overwritten.

    Args:
        dataset: which one.
        sources: folders as other tools leave them, and archives, which are unpacked.
        root: the data root; made if it does not exist.
        copy: the files, instead of linking to them.

    Returns:
        What was put where.

    Raises:
        DepthubError: if the images are not found, an archive is damaged, or the system refuses.
    """
    for source in sources:
        if not source.is_dir() and not (source.is_file() and source.name.endswith(ARCHIVES)):
            raise DepthubError(f"--from: {source} is neither a folder nor an archive ({', '.join(ARCHIVES)})")
    archives = [source for source in sources if source.is_file()]
    if archives and dataset.card.layout == "folders" and len(dataset.card.parts) > 1:  # they do not tell training from validation
        raise DepthubError(f"{dataset.name}: the archives have to be unpacked by hand: {dataset.card.by_hand}")
    try:
        root.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=f".prepare-{dataset.name}-", dir=root) as temporary:
            unpacked = Path(temporary) / "unpacked"
            for archive in archives:
                _unpack_all(archive, unpacked)
            folders = [source.resolve() for source in sources if source.is_dir()] + [unpacked] * unpacked.exists()
            return [_place(target, found, unpacked, copy) for target, found in _items(dataset, folders, root)]
    except OSError as error:
        raise DepthubError(f"cannot write {error.filename or root}: {error.strerror or error}; where links fail, use --copy") from error


def _items(dataset: OnDisk, folders: Sequence[Path], root: Path) -> list[tuple[Path, Path]]:
    """(its place, where it was found) of everything that is read of a data set."""
    card, place = dataset.card, where(dataset, root)
    needed = _needed(dataset, folders, place)
    images = next((found for folder in folders for found in _candidates(card, folder) if _fits(card, found, needed)), None)
    if images is None:
        usual = ", ".join(dict.fromkeys(str(PurePosixPath(*one)) for one in card.places))
        raise DepthubError(f"{card.name}: no images in {', '.join(map(str, folders))}; expected a folder such as {usual} in it")
    inside = sorted(needed) if card.images == "." else ["."]  # the data set's own directory is no link
    items = [(place.images / name, _inner(images / name)) for name in inside if (images / name).is_dir()]
    for name in [card.class_list, *card.parts.values()] if card.layout == "lists" else [card.split_file]:
        beside = (found for folder in (images.parent, images, *folders) if name and (found := folder / name).is_file())
        items += [(place.directory / name, found) for found in islice(beside, 1)]
    return items


def _needed(dataset: OnDisk, folders: Sequence[Path], place: Place) -> set[str]:
    """Names of which the folder of the images holds some; empty if that is known by the lists beside it."""
    card = dataset.card
    if card.layout == "lists":
        return set()
    if card.layout != "split":
        known = imagenet.wordnet_ids(card.class_list)
        inside = set(map(str, range(len(known)))) if card.layout == "numbered" else set(known)
        return inside if "." in card.parts.values() else set(card.parts.values())
    directories = [PurePosixPath(directory) for directory, _ in card.places]
    beside = ["", *(str(end) for directory in directories for end in (directory, directory.name))]
    found = (folder / name / card.split_file for folder in folders for name in beside)
    file = next((path for path in found if path.is_file()), dataset.split_file(place))
    if not file.is_file():
        raise DepthubError(f"{card.name}: which images it needs is not known without its split file; {splits.source(card, file)}")
    paths = [row.path for row in splits.read(file, card).rows()]
    if odd := [path for path in paths if strange(path)]:  # nothing is ever put beside a data set's own folder
        raise DepthubError(f"{file}: {PLAIN_PATHS}: {listed(odd)}; {splits.source(card, file)}")
    return {PurePosixPath(path).parts[0] for path in paths}


def _candidates(card: DatasetCard, folder: Path) -> Iterator[Path]:
    """Folders that may hold the images: the usual places, the most telling first."""
    places = [*card.places, *([(card.directory, card.misnamed)] if card.misnamed else [])]
    ways = [PurePosixPath(directory, images).parts for directory, images in places]
    ends = {way[start:] for way in ways for start in range(len(way))}
    yield from (folder.joinpath(*end) for end in sorted(ends, key=lambda end: (-len(end), end)))
    yield folder


def _fits(card: DatasetCard, images: Path, needed: Collection[str]) -> bool:
    if card.layout == "lists":
        return images.is_dir() and (images.parent / card.class_list).is_file()
    return any((images / name).exists() for name in needed)


def _inner(folder: Path) -> Path:
    """A folder, or the one of the same name that is all it holds: some archives are nested so."""
    inner = folder / folder.name
    return inner if inner.is_dir() and [child.name for child in children(folder)] == [folder.name] else folder


def _unpack_all(archive: Path, folder: Path) -> None:
    """Unpack an archive, and those that it holds in turn."""
    _unpack(archive, folder)
    while inner := [path for path in folder.rglob("*") if path.name.endswith(ARCHIVES) and path.is_file()]:
        for one in inner:
            _unpack(one, one.parent)
            one.unlink()


def _unpack(archive: Path, folder: Path) -> None:
    try:
        shutil.unpack_archive(archive, folder, filter=None if archive.suffix == ".zip" else "data")
    except UNREADABLE as error:
        raise DepthubError(
            f"cannot unpack {archive}: {error or type(error).__name__}; it is damaged or incomplete: get it again"
        ) from error


def _place(target: Path, source: Path, unpacked: Path, copy: bool) -> Placed:
    if target.exists() or target.is_symlink():
        return Placed(target, source, "kept")
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_relative_to(unpacked):
        source.rename(target)
        return Placed(target, source, "unpacked")
    if not copy:
        target.symlink_to(source, target_is_directory=source.is_dir())
        return Placed(target, source, "linked")
    whole = unpacked.parent / "copied"  # on the same disk: the target is there whole or not at all
    whole = Path(shutil.copytree(source, whole) if source.is_dir() else shutil.copy2(source, whole))
    whole.rename(target)
    return Placed(target, source, "copied")
