"""Arranges images from other tools and official archives in the usual folders; the only code that writes below a data root."""

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

from depthub.data.listing import PLAIN_PATHS, children, is_plain_path
from depthub.data.published import class_folders, splits
from depthub.data.published.cards import DatasetCard
from depthub.data.published.check import place as place_of
from depthub.data.published.on_disk import OnDisk, Place
from depthub.errors import DepthubError
from depthub.values.text import listed

ARCHIVES = tuple(ending for _, endings, _ in shutil.get_unpack_formats() for ending in endings)
UNREADABLE = (shutil.ReadError, tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error)


@dataclass(frozen=True)
class Placed:
    """The treatment of one file or folder of a data set.

    Args:
        target: its usual place.
        source: its place before.
        how: "linked", "copied", "unpacked", or "kept" if something was at the target already.
    """

    target: Path
    source: Path
    how: str

    def __str__(self) -> str:
        if self.how == "kept":
            return f"kept {self.target} as it was"
        return f"{self.how} {self.target}{'' if self.how == 'unpacked' else f' from {self.source}'}"


def prepare(dataset: OnDisk, sources: Sequence[Path], root: Path, *, copy: bool = False) -> list[Placed]:
    """Put a data set's images, lists and split file into their usual places. Nothing is overwritten.

    Args:
        dataset: the data set.
        sources: folders of other tools, and archives, which are unpacked.
        root: the data root; created if it does not exist.
        copy: copy files instead of linking to them.

    Returns:
        The treatment of each file and folder.

    Raises:
        DepthubError: if there are no images, an archive is damaged, or the system refuses.
    """
    for source in sources:
        if not source.is_dir() and not (source.is_file() and source.name.endswith(ARCHIVES)):
            raise DepthubError(f"--from: {source} is neither a folder nor an archive ({', '.join(ARCHIVES)})")
    archives = [source for source in sources if source.is_file()]
    if archives and dataset.card.layout == "folders" and len(dataset.card.parts) > 1:  # they do not divide training from validation
        raise DepthubError(f"{dataset.name}: the archives have to be unpacked by hand: {dataset.card.by_hand}")
    try:
        root.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=f".prepare-{dataset.name}-", dir=root) as temporary:
            unpacked = Path(temporary) / "unpacked"
            for archive in archives:
                _unpack_all(archive, unpacked)
            folders = [source.resolve() for source in sources if source.is_dir()] + [unpacked] * unpacked.exists()
            return [_place(target, source, unpacked, copy) for target, source in _items(dataset, folders, root)]
    except OSError as error:
        raise DepthubError(f"cannot write {error.filename or root}: {error.strerror or error}; where links fail, use --copy") from error


def _items(dataset: OnDisk, folders: Sequence[Path], root: Path) -> list[tuple[Path, Path]]:
    """(target, source) of every file and folder that a data set is read from."""
    card, place = dataset.card, place_of(dataset, root)
    needed = _needed(dataset, folders, place)
    candidates = (candidate for folder in folders for candidate in _candidates(card, folder))
    images = next((candidate for candidate in candidates if _fits(card, candidate, needed)), None)
    if images is None:
        usual = ", ".join(dict.fromkeys(str(PurePosixPath(*names)) for names in card.places))
        raise DepthubError(f"{card.name}: no images in {', '.join(map(str, folders))}; expected a folder such as {usual} in it")
    inside = sorted(needed) if card.images == "." else ["."]  # the data set's own directory is not a link
    items = [(place.images / name, _inner(images / name)) for name in inside if (images / name).is_dir()]
    for name in [card.class_list, *card.parts.values()] if card.layout == "lists" else [card.split_file]:
        files = (folder / name for folder in (images.parent, images, *folders) if name)
        items += [(place.directory / name, file) for file in islice(filter(Path.is_file, files), 1)]
    return items


def _needed(dataset: OnDisk, folders: Sequence[Path], place: Place) -> set[str]:
    """Names that identify the folder of the images, which has some of them; empty if the lists beside it identify it."""
    card = dataset.card
    if card.layout == "lists":
        return set()
    if card.layout != "split":
        return set(class_folders.imagenet_rows(card)) if "." in card.parts.values() else set(card.parts.values())
    directories = [PurePosixPath(directory) for directory, _ in card.places]
    beside = ["", *(str(end) for directory in directories for end in (directory, directory.name))]
    files = (folder / name / card.split_file for folder in folders for name in beside)
    file = next(filter(Path.is_file, files), dataset.split_file(place))
    if not file.is_file():
        raise DepthubError(f"{card.name}: which images it needs is not known without its split file; {splits.source(card, file)}")
    paths = [row.path for row in splits.read(file, card).rows()]
    if not_plain := [path for path in paths if not is_plain_path(path)]:  # nothing is ever put outside of a data set's own folder
        raise DepthubError(f"{file}: {PLAIN_PATHS}: {listed(not_plain)}; {splits.source(card, file)}")
    return {PurePosixPath(path).parts[0] for path in paths}


def _candidates(card: DatasetCard, folder: Path) -> Iterator[Path]:
    """Folders that may have the images: the ends of the usual places, the longest first.

    For the usual place "imagenet/images", below FOLDER: FOLDER/imagenet/images, FOLDER/images, and FOLDER itself.
    """
    places = [*card.places, *([(card.directory, card.misnamed)] if card.misnamed else [])]
    paths = [PurePosixPath(directory, images).parts for directory, images in places]
    ends = {path[start:] for path in paths for start in range(len(path))}
    yield from (folder.joinpath(*end) for end in sorted(ends, key=lambda end: (-len(end), end)))
    yield folder


def _fits(card: DatasetCard, images: Path, needed: Collection[str]) -> bool:
    """Whether a folder has images of the data set."""
    if card.layout == "lists":
        return images.is_dir() and (images.parent / card.class_list).is_file()
    return any((images / name).exists() for name in needed)


def _inner(folder: Path) -> Path:
    """A folder, or its only child if that has the same name: some archives are nested so."""
    inner = folder / folder.name
    return inner if inner.is_dir() and [child.name for child in children(folder)] == [folder.name] else folder


def _unpack_all(archive: Path, folder: Path) -> None:
    """Unpack an archive, then the archives in it, and so on."""
    _unpack(archive, folder)
    while inner := [path for path in folder.rglob("*") if path.name.endswith(ARCHIVES) and path.is_file()]:
        for nested in inner:
            _unpack(nested, nested.parent)
            nested.unlink()


def _unpack(archive: Path, folder: Path) -> None:
    try:
        shutil.unpack_archive(archive, folder, filter=None if archive.suffix == ".zip" else "data")
    except UNREADABLE as error:
        raise DepthubError(
            f"cannot unpack {archive}: {error or type(error).__name__}; it is damaged or incomplete: get it again"
        ) from error


def _place(target: Path, source: Path, unpacked: Path, copy: bool) -> Placed:
    """Move, link or copy one file or folder to its target."""
    if target.exists() or target.is_symlink():
        return Placed(target, source, "kept")
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_relative_to(unpacked):
        source.rename(target)
        return Placed(target, source, "unpacked")
    if not copy:
        target.symlink_to(source, target_is_directory=source.is_dir())
        return Placed(target, source, "linked")
    whole = unpacked.parent / "copied"  # on the same disk: the target appears whole or not at all
    whole = Path(shutil.copytree(source, whole) if source.is_dir() else shutil.copy2(source, whole))
    whole.rename(target)
    return Placed(target, source, "copied")
