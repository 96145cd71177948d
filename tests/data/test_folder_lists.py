"""Nothing is read twice: lists of files, contents, weights; and lists on disk for the next command."""

from __future__ import annotations

import functools
import os
import time
from collections import Counter
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from depthub import BackboneSpec
from depthub.cli import main
from depthub.data.own.folder import Folder
from depthub.data.published import folder_lists, on_disk
from depthub.registry.plugins import installed
from depthub.system.files import cache_folder
from tests import miniature
from tests.models import write_backbone, write_pictures


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> BackboneSpec:
    return write_backbone(tmp_path_factory.mktemp("model"))


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder, and files that count as settled at once."""
    monkeypatch.setenv("DEPTHUB_CACHE", str(tmp_path / "cache"))
    for module in ("running.recall", "identity.file_digests", "data.published.folder_lists"):
        monkeypatch.setattr(f"depthub.{module}.FRESH", 0)
    return tmp_path / "cache"


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Callable[..., object]], Counter[object]]:
    """Counts the calls of a real function of depthub, by a key from the arguments."""

    def count(target: str, about: Callable[..., object]) -> Counter[object]:
        place, _, name = target.rpartition(".")
        owner = _owner(place)
        real, calls = getattr(owner, name), Counter[object]()

        @functools.wraps(real)
        def call(*args: Any, **options: Any) -> Any:
            calls[about(*args, **options)] += 1
            return real(*args, **options)

        monkeypatch.setattr(owner, name, call)
        return calls

    return count


def _owner(place: str) -> Any:
    """A module, or a class in a module."""
    try:
        return import_module(place)
    except ModuleNotFoundError:
        module, _, name = place.rpartition(".")
        return getattr(import_module(module), name)


def line(backbone: BackboneSpec, tmp_path: Path, *more: str) -> list[str]:
    common = ["run", "--shots", "2", "--training.epochs", "1", "--runs", str(tmp_path / "runs"), "--seeds", "1", "2", "3"]
    return [*common, "--backbone.model", backbone.model, "--backbone.pretrained", backbone.pretrained, *more]


@pytest.mark.parametrize("cache", ["on", "off"])
def test_a_command_reads_everything_once(
    backbone: BackboneSpec, own_cache: Path, tmp_path: Path, counted: Callable[..., Counter[object]], cache: str
) -> None:
    write_pictures(tmp_path / "colours")
    write_pictures(tmp_path / "paler")
    divisions = counted("depthub.data.own.folder.Folder.divide", lambda folder: folder.space)
    loaded = counted("depthub.data.own.own_pictures.OwnPictures.load", lambda folder, *_: folder.space)
    hashed = counted("depthub.identity.file_digests._content_sha256", lambda path: path)
    weights = counted("depthub.running.weights.weights_digest", lambda spec, *_: spec.pretrained)
    options = ["--data", f"folder:{tmp_path}/colours", "--protocol", "DomainGeneralization", "--cache", cache]
    assert main(line(backbone, tmp_path, *options, "--protocol.variants", f"[folder:{tmp_path}/paler]")) == 0
    assert divisions == {"folder:colours": 1, "folder:paler": 1}
    assert loaded == {"folder:colours": 1, "folder:paler": 1}
    assert weights == {backbone.pretrained: 1}
    assert set(hashed.values()) == {1}
    assert len([path for path in hashed if str(path).endswith(".png")]) == 2 * 5 * 11
    assert hashed[Path(backbone.pretrained)] == 1


def test_a_published_set_is_listed_once(
    backbone: BackboneSpec, own_cache: Path, tmp_path: Path, counted: Callable[..., Counter[object]]
) -> None:
    root = miniature.make_all(tmp_path / "data")
    split = counted("depthub.data.published.on_disk.OnDisk.split", lambda one, *_: one.name)
    listed = counted("depthub.data.published.class_folders._pictures", lambda folder: folder.relative_to(root).as_posix())
    hashed = counted("depthub.identity.file_digests._content_sha256", lambda path: path)
    options = ["--method", "ZeroShot", "--data", "imagenet", "--data_root", str(root), "--protocol", "CrossDataset"]
    assert main(line(backbone, tmp_path, *options, "--protocol.targets", "[dtd]")) == 0
    assert split == {"imagenet": 1, "dtd": 1}
    assert len(listed) == 2 * 10
    assert set(listed.values()) == {1}
    assert set(hashed.values()) == {1}
    listed.clear()
    assert main(line(backbone, tmp_path, *options, "--protocol.targets", "[dtd]", "--force")) == 0
    assert listed == {}


def names(root: Path) -> tuple[str, ...]:
    data_set: on_disk.OnDisk = installed().get("datasets", "imagenet")
    return (*data_set.load(root).train.ids, *data_set.load(root).test.ids, data_set.digest(root))


@pytest.fixture
def imagenet(tmp_path: Path, own_cache: Path) -> Path:
    miniature.make(tmp_path / "data", "imagenet")
    return tmp_path / "data"


def stored() -> list[Path]:
    return sorted((cache_folder() / folder_lists.FOLDER).glob(f"*{folder_lists.SUFFIX}"))


def test_a_list_comes_back_as_it_was(imagenet: Path, counted: Callable[..., Counter[object]]) -> None:
    odd = imagenet / "imagenet/images/train/n01440764/an odd  näme.jpeg"
    odd.write_bytes(miniature.picture(0, 999))
    raw = os.fsencode(odd.parent) + b"/not utf-8 \xff\n.jpg"
    Path(os.fsdecode(raw)).write_bytes(miniature.picture(0, 998))
    listed = counted("depthub.data.published.class_folders._pictures", lambda folder: folder)
    first = names_of(imagenet)
    assert len(listed) == 20
    assert len(stored()) == 2
    listed.clear()
    assert names_of(imagenet) == first
    assert listed == {}
    assert any("an odd  näme" in name for name in first)
    assert any("\udcff\n" in name for name in first)


def names_of(root: Path) -> list[str]:
    data_set: on_disk.OnDisk = installed().get("datasets", "imagenet")
    return [row.path for row in data_set.split(data_set.place(root)).rows()]


@pytest.mark.parametrize("what", ["added", "removed", "renamed", "another class folder"])
def test_a_changed_folder_is_listed_again(imagenet: Path, what: str) -> None:
    before = names(imagenet)
    folder = imagenet / "imagenet/images/train/n01443537"
    one = sorted(folder.iterdir())[0]
    if what == "added":
        (folder / "new.jpg").write_bytes(one.read_bytes())
    elif what == "removed":
        one.unlink()
    elif what == "renamed":
        one.rename(folder / "renamed.jpg")
    else:
        folder.rename(imagenet / "aside")
        folder.mkdir()
        (folder / "new.jpg").write_bytes(next((imagenet / "aside").iterdir()).read_bytes())
    after = names(imagenet)
    assert after != before
    assert len(stored()) == 2  # one for each folder of class folders, however often they change


@pytest.mark.parametrize(
    "damage", [lambda _: b"", lambda content: content[:-3], lambda content: content.replace(b"_01", b"_91"), lambda _: b"[" * 9999]
)
def test_a_damaged_list_is_made_again(imagenet: Path, damage: Callable[[bytes], bytes]) -> None:
    before = names_of(imagenet)
    whole = [path.read_bytes() for path in stored()]
    for path in stored():
        path.write_bytes(damage(path.read_bytes()))
    assert names_of(imagenet) == before
    assert [path.read_bytes() for path in stored()] == whole


def test_a_fresh_change_is_not_stored(imagenet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("depthub.data.published.folder_lists.FRESH", time.time_ns())
    names_of(imagenet)
    assert stored() == []


def test_off_is_off(imagenet: Path, monkeypatch: pytest.MonkeyPatch, backbone: BackboneSpec, tmp_path: Path) -> None:
    options = ["--method", "ZeroShot", "--data", "imagenet", "--data_root", str(imagenet), "--cache", "off"]
    assert main(line(backbone, tmp_path, *options)) == 0
    assert stored() == []
    monkeypatch.setenv("DEPTHUB_CACHE", "off")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    names_of(imagenet)
    assert stored() == []


def test_a_cache_that_cannot_be_written_costs_only_time(imagenet: Path, own_cache: Path) -> None:
    own_cache.write_text("a file, not a folder")
    assert len(names_of(imagenet)) == 10 * (5 + 3)


def test_a_folder_object_lists_each_folder_once(tmp_path: Path, counted: Callable[..., Counter[object]]) -> None:
    write_pictures(tmp_path / "colours")
    listings = counted("depthub.data.own.folder.children", lambda folder: folder)
    one = Folder(tmp_path / "colours")
    one.load(), one.digest(), one.places()
    times = dict(listings)
    one.load(), one.digest(), one.places()
    assert dict(listings) == times
