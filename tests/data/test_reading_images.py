"""Faster ways to read images: those with the same numbers, and drafts, which change pixels slightly."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

import depthub
from depthub import Component, DataSpec, DepthubError, Examples, RunSpec, Training
from depthub.cli import main
from depthub.data.image_cache import cached
from depthub.data.own.folder import Folder, FolderReader
from depthub.data.views import Views, centre, drafted, pixels, transform
from depthub.records.store import read
from depthub.running.runner import resolve
from tests.models import write_backbone, write_pictures

ROOT = Path(__file__).parents[2]
STATISTICS = ((0.5, 0.4, 0.3), (0.2, 0.3, 0.4))
SIZES = [(32, 32), (24, 32)]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    write_pictures(folder)
    return folder


@pytest.fixture(scope="module")
def spec(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> RunSpec:
    """Training that reads the images in every epoch: the method tunes the image side."""
    recipe = Training(epochs=2, augmentation="none")
    backbone = write_backbone(tmp_path_factory.mktemp("model"))
    return RunSpec(
        Component("MaPLe", {"depth": 2}),
        Component("DePT"),
        data=DataSpec(f"folder:{pictures}"),
        backbone=backbone,
        training=recipe,
        shots=2,
    )


def photograph(path: Path, height: int, width: int) -> Examples:
    """A smooth picture under a fine texture, as a JPEG file, for lack of a real one."""
    generator = np.random.default_rng(height)
    smooth = Image.fromarray(generator.integers(0, 256, (6, 8, 3), dtype=np.uint8)).resize((width, height), Image.Resampling.BICUBIC)
    texture = generator.normal(0, 12, (height, width, 1))
    picture = Image.fromarray(np.clip(np.asarray(smooth) + texture, 0, 255).astype(np.uint8))
    picture.save(path / "photograph.jpg", quality=90)
    return Examples(("photograph.jpg",), (0,), FolderReader(path), "photographs")


@pytest.mark.parametrize(
    ("height", "width", "size", "decoded"), [(600, 800, 32, (100, 75)), (480, 512, 64, (256, 240)), (800, 640, 40, (80, 100))]
)
def test_drafts_are_smaller_and_nearly_the_same(height: int, width: int, size: int, decoded: tuple[int, int], tmp_path: Path) -> None:
    whole = photograph(tmp_path, height, width)
    draft = drafted(whole, (size, size))
    (name,) = whole.ids
    assert whole.read(name).size == (width, height)
    assert draft.read(name).size == decoded
    assert min(decoded) >= 2 * size
    exact, near = (np.asarray(centre((size, size))(examples.read(name)), dtype=int) for examples in (whole, draft))
    difference = np.abs(exact - near)
    assert 0 < difference.mean() < 0.5
    assert difference.max() <= 4


def test_drafts_of_small_or_other_pictures_are_the_pictures(pictures: Path, tmp_path: Path) -> None:
    small = photograph(tmp_path, 120, 160)
    for whole in (small, Folder(pictures).load().test):
        name = whole.ids[0]
        assert drafted(whole, (32, 32)).read(name).tobytes() == whole.read(name).tobytes()


def test_exact_decoding_is_not_part_of_a_specs_name_and_drafts_are() -> None:
    results = [result for board in (ROOT / "leaderboards").glob("*/runs") for result in depthub.results(board)]
    assert len(results) >= 105
    for result in results:
        assert replace(result.spec, data=replace(result.spec.data, decoding="draft")).run_id != result.spec.run_id
    assert "decoding" not in RunSpec(data=DataSpec("a", decoding="exact")).as_dict()["data"]
    draft = RunSpec(data=DataSpec("a", decoding="draft"))
    assert RunSpec.of(json.loads(json.dumps(draft.as_dict()))) == draft
    with pytest.raises(DepthubError, match=r"decoding is 'drafts', expected .*exact"):
        DataSpec(decoding="drafts")  # type: ignore[arg-type]


def test_drafts_need_files(tmp_path: Path) -> None:
    spec = RunSpec(Component("ZeroShot"), data=DataSpec("tones", decoding="draft"))
    with pytest.raises(DepthubError, match=r"data set 'tones' has no image files to decode as drafts; leave data.decoding at 'exact'"):
        depthub.run(spec, runs=tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("workers", [0, 1])
def test_cached_images_are_those_of_the_transform(pictures: Path, size: tuple[int, int], workers: int, tmp_path: Path) -> None:
    examples = Folder(pictures).load().test
    from_cache = cached(examples, size, tmp_path, workers)
    plain, quick = Views(examples, transform(size, STATISTICS, augment=False)), Views(from_cache, pixels(STATISTICS))
    for (image, label), (same, its) in zip(plain, quick, strict=True):
        assert torch.equal(image, same)
        assert label == its
    assert len(pickle.dumps(from_cache.read)) < 10_000
    again = pickle.loads(pickle.dumps(from_cache.read))
    assert again == from_cache.read
    assert again(examples.ids[3]).tobytes() == from_cache.read(examples.ids[3]).tobytes()


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-2000] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage", [_flip, lambda path: path.write_bytes(path.read_bytes()[:-1]), lambda path: path.write_bytes(b""), Path.unlink]
)
def test_damaged_files_are_written_again(pictures: Path, damage: Callable[[Path], object], tmp_path: Path) -> None:
    examples = Folder(pictures).load().test.take([0, 7, 9])
    cached(examples, (32, 32), tmp_path)
    (path,) = tmp_path.iterdir()
    content, inode = path.read_bytes(), path.stat().st_ino
    cached(examples, (32, 32), tmp_path)
    assert path.stat().st_ino == inode  # nothing is written again without need
    damage(path)
    cached(examples, (32, 32), tmp_path)
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


def test_other_images_sizes_and_drafts_have_other_files(tmp_path: Path) -> None:
    examples, folder = photograph(tmp_path, 200, 300), tmp_path / "kept"
    first = cached(examples, (32, 32), folder)
    before = first.read(*first.ids).tobytes()
    Image.new("RGB", (300, 200)).save(tmp_path / "photograph.jpg")
    second = cached(examples, (32, 32), folder)
    assert second.read(*second.ids).tobytes() != before
    cached(examples, (24, 32), folder)
    cached(drafted(examples, (32, 32)), (32, 32), folder)
    assert len(list(folder.iterdir())) == 4


def test_an_unreadable_image_leaves_no_file(tmp_path: Path) -> None:
    examples = photograph(tmp_path, 20, 30)
    (tmp_path / "photograph.jpg").write_text("<html>")
    with pytest.raises(DepthubError, match=r"cannot read image .*photograph\.jpg"):
        cached(examples, (32, 32), tmp_path / "kept")
    assert not list((tmp_path / "kept").iterdir())
    with pytest.raises(TypeError, match="function is not Fingerprinting, so its images cannot be kept on disk"):
        cached(replace(examples, read=Image.open), (32, 32), tmp_path / "kept")


@pytest.mark.parametrize("augmentation", ["none", "published"])
def test_runs_give_the_same_numbers_with_workers_and_cached_images(spec: RunSpec, augmentation: str, tmp_path: Path) -> None:
    spec = replace(spec, training=Training(epochs=2, augmentation=augmentation))
    losses: dict[str, list[float]] = {}
    counts = {}
    ways = {
        "plain": {},
        "workers": {"workers": 2},
        "first": {"image_cache": tmp_path / "kept"},
        "again": {"image_cache": tmp_path / "kept"},
    }
    for way, options in ways.items():
        losses[way] = []
        on_epoch = partial(_append_loss, losses[way])
        counts[way] = depthub.run(spec, runs=tmp_path / way, on_epoch=on_epoch, **options).counts
    assert len(losses["plain"]) == 2
    assert all(by_epoch == losses["plain"] for by_epoch in losses.values())
    assert all(of_way == counts["plain"] for of_way in counts.values())
    assert len(list((tmp_path / "kept").iterdir())) == (3 if augmentation == "none" else 2)  # training images, base and new test images


def _append_loss(losses: list[float], epoch: int, loss: float) -> None:
    losses.append(loss)


class Threads(Dataset[Tensor]):
    """Its item is the number of threads of the process that reads it."""

    def __len__(self) -> int:
        return 1

    def __getitem__(self, i: int) -> Tensor:
        return torch.tensor(torch.get_num_threads())


def test_a_worker_has_one_thread() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert next(iter(DataLoader(Threads(), num_workers=1))).item() == 1
    finally:
        torch.set_num_threads(before)


def test_the_command_line_offers_all(spec: RunSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = ["--backbone.model", spec.backbone.model, "--backbone.pretrained", spec.backbone.pretrained]
    line = ["run", "--method", "MaPLe", "--data", spec.data.name, *model, "--training.epochs", "1", "--shots", "2", "--runs", str(tmp_path)]
    line += ["--method.depth", "2"]
    monkeypatch.setenv("DEPTHUB_CACHE", str(tmp_path / "kept"))
    assert main([*line, "--decoding", "draft", "--workers", "1", "--image_cache", "auto"]) == 0
    assert len(list((tmp_path / "kept/images").iterdir())) == 2
    (path,) = tmp_path.glob("*/run.json")
    assert read(path).spec.data.decoding == "draft"
    assert json.loads(path.read_text())["spec"]["data"]["decoding"] == "draft"
    monkeypatch.setenv("DEPTHUB_CACHE", "off")
    assert main([*line, "--image_cache", "auto"]) == 2
    assert main([*line, "--workers", "-1"]) == 2


def test_drafts_are_another_run(spec: RunSpec) -> None:
    ids = {resolve(replace(spec, data=replace(spec.data, decoding=decoding))).run_id for decoding in ("exact", "draft")}  # type: ignore[arg-type]
    assert len(ids) == 2
