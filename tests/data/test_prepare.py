"""`depthub data prepare` and `fetch-splits`: links to folders of other tools; split files are stored only if verified."""

from __future__ import annotations

import shutil
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from depthub.cli import main
from depthub.data.published.cards import DatasetCard
from depthub.data.published.check import check
from depthub.data.published.fetch_splits import fetch_split
from depthub.data.published.on_disk import OnDisk
from depthub.data.published.prepare import prepare
from depthub.data.published.splits import git_blob
from depthub.errors import DepthubError
from tests import damage, miniature


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All miniatures; tests do not change it."""
    return miniature.make_all(tmp_path_factory.mktemp("data"))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache."""
    monkeypatch.setenv("DEPTHUB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def data_set(healthy: Path, name: str) -> OnDisk:
    return OnDisk(miniature.official(healthy, name))


def copied(healthy: Path, name: str, target: Path) -> Path:
    """A miniature's directory elsewhere."""
    return Path(shutil.copytree(healthy / miniature.card(name).directory, target))


def test_mirrors_in_the_usual_layout_are_linked(healthy: Path, tmp_path: Path) -> None:
    for name in miniature.CLASSES:
        placements = prepare(data_set(healthy, name), [healthy], tmp_path / "root")
        assert {placed.how for placed in placements} == {"linked"}
        assert check(data_set(healthy, name), tmp_path / "root").good
    (linked,) = (path for path in (tmp_path / "root/caltech-101").iterdir() if path.is_dir())
    assert linked.readlink() == healthy / "caltech-101/101_ObjectCategories"


# (data set, its directory in the other tool, renamed folders in it, the folder for --from)
ELSEWHERE = [
    ("caltech101", "caltech101", {}, "."),
    ("oxford_pets", "oxford-iiit-pet", {}, "."),
    ("oxford_pets", "oxford-iiit-pet", {}, "oxford-iiit-pet"),
    ("oxford_flowers", "flowers-102", {}, "."),
    ("fgvc_aircraft", "fgvc-aircraft-2013b/data", {}, "."),
    ("fgvc_aircraft", "fgvc-aircraft-2013b/data", {}, "fgvc-aircraft-2013b"),
    ("dtd", "dtd/dtd", {}, "."),
    ("imagenet_sketch", "imagenet-sketch", {"images": "sketch"}, "."),
    ("imagenet_sketch", "unpacked", {"images": "sketch"}, "unpacked/sketch"),
    ("imagenet_a", "downloads", {}, "downloads"),
    ("stanford_cars", "cars196", {}, "cars196"),
    ("stanford_cars", "kaggle", {"cars_test": "twice"}, "kaggle"),
]


@pytest.mark.parametrize(("name", "directory", "renamed", "source"), ELSEWHERE)
def test_the_folders_of_other_tools_are_linked(
    healthy: Path, tmp_path: Path, name: str, directory: str, renamed: dict[str, str], source: str
) -> None:
    there = copied(healthy, name, tmp_path / "tools" / directory)
    for usual, other in renamed.items():
        (there / usual).rename(there / other)
    if (there / "twice").exists():  # as in archives whose only content is a folder of their own name
        (there / "cars_test").mkdir()
        (there / "twice").rename(there / "cars_test/cars_test")
    root = tmp_path / "root"
    placements = prepare(data_set(healthy, name), [tmp_path / "tools" / source], root)
    assert {placed.how for placed in placements} == {"linked"}
    assert check(data_set(healthy, name), root).good
    assert [path for path in root.rglob("*") if path.is_file() and not path.is_symlink()] == []


def test_imagenet_of_torchvision_is_linked(healthy: Path, tmp_path: Path) -> None:
    shutil.copytree(healthy / "imagenet/images", tmp_path / "tools/train_and_val")
    prepare(data_set(healthy, "imagenet"), [tmp_path / "tools/train_and_val"], tmp_path / "root")
    assert check(data_set(healthy, "imagenet"), tmp_path / "root").good


def test_nothing_is_overwritten_and_sources_stay(healthy: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "dtd").mkdir(parents=True)
    split_file = root / "dtd" / miniature.card("dtd").split_file
    split_file.write_text("mine")
    before = sorted(healthy.rglob("*"))
    placements = prepare(data_set(healthy, "dtd"), [healthy], root)
    assert [str(placed).replace(str(root), "") for placed in placements] == [
        f"linked /dtd/images from {healthy}/dtd/images",
        f"kept /dtd/{split_file.name} as it was",
    ]
    assert split_file.read_text() == "mine"
    assert {placed.how for placed in prepare(data_set(healthy, "dtd"), [healthy], root)} == {"kept"}
    assert sorted(healthy.rglob("*")) == before


@pytest.mark.parametrize("spoil", [damage.absolute_path, damage.dotted_path, damage.backslash_path])
def test_nothing_is_put_outside_of_the_data_sets_folder(healthy: Path, tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    shutil.copytree(healthy / "dtd", tmp_path / "tools/dtd")
    spoil(tmp_path / "tools")
    with pytest.raises(DepthubError, match="paths must be relative, with / between names"):
        prepare(data_set(healthy, "dtd"), [tmp_path / "tools"], tmp_path / "root")
    assert list((tmp_path / "root").iterdir()) == []


def test_copies_are_whole_files(healthy: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    assert {placed.how for placed in prepare(data_set(healthy, "eurosat"), [healthy], root, copy=True)} == {"copied"}
    assert check(data_set(healthy, "eurosat"), root, deep=True).good
    assert [path for path in root.rglob("*") if path.is_symlink()] == []
    assert {path.name for path in root.iterdir()} == {"eurosat"}


def tarred(folder: Path, archive: Path) -> Path:
    with tarfile.open(archive, "w:gz") as file:
        file.add(folder, folder.name)
    return archive


def test_archives_are_unpacked(healthy: Path, tmp_path: Path) -> None:
    archives = [tarred(healthy / "stanford_cars" / part, tmp_path / f"{part}.tgz") for part in ("cars_train", "cars_test")]
    split = tmp_path / "splits"
    split.mkdir()
    shutil.copy(healthy / "stanford_cars" / miniature.card("stanford_cars").split_file, split)
    root = tmp_path / "root"
    placements = prepare(data_set(healthy, "stanford_cars"), [*archives, split], root)
    assert [placed.how for placed in placements] == ["unpacked", "unpacked", "linked"]
    assert check(data_set(healthy, "stanford_cars"), root).good
    assert {path.name for path in root.iterdir()} == {"stanford_cars"}  # nothing temporary stays


def test_archives_within_archives_are_unpacked(healthy: Path, tmp_path: Path) -> None:
    inner = tarred(healthy / "caltech-101/101_ObjectCategories", tmp_path / "101_ObjectCategories.tar.gz")
    with zipfile.ZipFile(tmp_path / "caltech-101.zip", "w") as file:
        file.write(inner, f"caltech-101/{inner.name}")
        file.write(
            healthy / "caltech-101" / miniature.card("caltech101").split_file, f"caltech-101/{miniature.card('caltech101').split_file}"
        )
    prepare(data_set(healthy, "caltech101"), [tmp_path / "caltech-101.zip"], tmp_path / "root")
    assert check(data_set(healthy, "caltech101"), tmp_path / "root").good


def test_a_damaged_archive_leaves_nothing(healthy: Path, tmp_path: Path) -> None:
    archive = tarred(healthy / "eurosat/2750", tmp_path / "EuroSAT.tar.gz")
    archive.write_bytes(archive.read_bytes()[:1500])
    with pytest.raises(DepthubError, match=r"cannot unpack .*EuroSAT.tar.gz: .*; it is damaged or incomplete: get it again"):
        prepare(data_set(healthy, "eurosat"), [archive], tmp_path / "root")
    assert list((tmp_path / "root").iterdir()) == []


def test_sources_without_the_data_set_are_refused(healthy: Path, tmp_path: Path, cache: Path) -> None:
    (cache / "splits").mkdir(parents=True)
    shutil.copy(healthy / "dtd" / miniature.card("dtd").split_file, cache / "splits")
    tarred(healthy / "imagenet/images", tmp_path / "all.tar")
    (tmp_path / "note.txt").write_text("not an archive")
    for name, source, says in (
        ("dtd", healthy / "food-101", r"dtd: no images in .*food-101; expected a folder such as dtd/images, dtd/dtd/images in it"),
        ("dtd", tmp_path / "nothing", r"--from: .*nothing is neither a folder nor an archive"),
        ("dtd", tmp_path / "note.txt", r"--from: .*note.txt is neither a folder nor an archive"),
        ("imagenet", tmp_path / "all.tar", r"imagenet: the archives have to be unpacked by hand"),
        ("stanford_cars", tmp_path, r"stanford_cars: which images it needs is not known without its split file; .*fetch-splits"),
    ):
        with pytest.raises(DepthubError, match=says):
            prepare(data_set(healthy, name), [source], tmp_path / "root")


def test_the_command_links_and_checks(healthy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "tools").mkdir()
    copied(healthy, "imagenet_sketch", tmp_path / "tools/x")
    (tmp_path / "tools/x/images").rename(tmp_path / "tools/sketch")
    args = ["imagenet_sketch", "--from", str(tmp_path / "tools"), "--data_root", str(tmp_path / "root")]
    assert main(["data", "prepare", *args]) == 1  # the published one has more images, and the check says so
    out = capsys.readouterr().out
    assert out.startswith(f"linked {tmp_path}/root/imagenet-sketch/images from {tmp_path}/tools/sketch\n")
    assert "imagenet_sketch: fault, layout: imagenet-sketch/images: " in out


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[str]:
    """The address of a server of the folder `mirror`."""
    (tmp_path / "mirror").mkdir()
    handler = partial(_Quiet, directory=tmp_path / "mirror")
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def only_blob(card: DatasetCard) -> DatasetCard:
    """A card with git's id as the only known hash, as two of the published ones."""
    return replace(card, split_sha256="", split_canonical="")


@pytest.mark.parametrize("hashes", [lambda card: card, only_blob], ids=["sha256", "git blob"])
def test_split_files_are_fetched_once(healthy: Path, tmp_path: Path, mirror: str, hashes: Callable[[DatasetCard], DatasetCard]) -> None:
    pytest.importorskip("pooch")
    card = hashes(miniature.official(healthy, "dtd"))
    official = healthy / "dtd" / card.split_file
    shutil.copy(official, tmp_path / "mirror")
    folder = tmp_path / "splits"
    assert fetch_split(card, folder, mirror)
    assert (folder / card.split_file).read_bytes() == official.read_bytes()
    assert not fetch_split(card, folder, "http://127.0.0.1:1")  # it is there: nobody is asked
    (folder / card.split_file).write_text("{}")
    assert fetch_split(card, folder, f"{mirror}/")
    assert [path.name for path in folder.iterdir()] == [card.split_file]


@pytest.mark.parametrize("hashes", [lambda card: card, only_blob], ids=["sha256", "git blob"])
@pytest.mark.parametrize("content", ["<!DOCTYPE html>", None], ids=["another file", "no file"])
def test_another_file_than_the_official_one_is_not_stored(
    healthy: Path, tmp_path: Path, mirror: str, hashes: Callable[[DatasetCard], DatasetCard], content: str | None
) -> None:
    pytest.importorskip("pooch")
    card = hashes(miniature.official(healthy, "dtd"))
    if content is not None:
        (tmp_path / "mirror" / card.split_file).write_text(content)
    with pytest.raises(DepthubError, match=rf"{mirror}/{card.split_file}.*; nothing was stored; try again, give another --mirror URL"):
        fetch_split(card, tmp_path / "splits", mirror)
    assert list((tmp_path / "splits").iterdir()) == []


def test_a_downloaded_split_is_used_if_the_data_root_has_none(healthy: Path, tmp_path: Path, mirror: str, cache: Path) -> None:
    pytest.importorskip("pooch")
    dtd = data_set(healthy, "dtd")
    copied(healthy, "dtd", tmp_path / "root/dtd")
    split_file = tmp_path / "root/dtd" / dtd.card.split_file
    split_file.rename(tmp_path / "mirror" / split_file.name)
    assert not check(dtd, tmp_path / "root").good
    fetch_split(dtd.card, cache / "splits", mirror)
    assert check(dtd, tmp_path / "root").good
    assert not split_file.exists()
    assert len(dtd.load(tmp_path / "root").train) > 0


def test_the_command_fetches_into_the_cache(tmp_path: Path, mirror: str, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pooch")
    assert main(["data", "fetch-splits", "dtd", "--mirror", mirror]) == 2
    assert "404" in capsys.readouterr().err
    assert main(["data", "fetch-splits", "imagenet", "--mirror", mirror]) == 2
    assert "imagenet: no split file is needed" in capsys.readouterr().err
    assert list((cache / "splits").iterdir()) == []


def test_gits_id_of_a_file() -> None:
    assert git_blob(b"hello\n") == "ce013625030ba8dba906f756967f9e9ca394464a"  # printf 'hello\n' | git hash-object --stdin
