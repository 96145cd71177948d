"""Image features are computed once, equal those of a training step, and are never those of another image or model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from depthub_shapes import datasets as shapes
from PIL import Image
from torch import Tensor

import depthub
from depthub import BackboneSpec, Component, RunSpec, Training
from depthub.cli import main
from depthub.data.dataset import Examples, Fingerprinting
from depthub.data.own.folder import Folder
from depthub.data.reader import FolderReader
from depthub.data.views import Views, transform
from depthub.encoding import image_features
from depthub.encoding.backbone import Backbone
from depthub.encoding.image_features import ImageFeatures, ViewFeatures
from depthub.encoding.loading.load import load_backbone
from depthub.records.store import Store
from depthub.registry.plugins import installed
from depthub.registry.settings import complete, make
from depthub.running import models
from depthub.system.disk_cache import Cache
from depthub.training.loop import fit
from depthub.training.tuner import Tuner
from tests.models import CLASSES, write_backbone, write_pictures

SPEC = BackboneSpec("tiny", "random")


@dataclass(frozen=True)
class Plain:
    """Draws gray pictures; two that differ give other pictures for the same id."""

    shift: int

    def __call__(self, name: str) -> Image.Image:
        return Image.new("RGB", (40, 40), (self.shift + int(name),) * 3)


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """How many different images are in every batch of pixels that a backbone encodes."""
    sizes: list[int] = []
    encode = Backbone.encode_image

    def counting(self: Backbone, images: Tensor, prompts: Sequence[Tensor] = ()) -> Tensor:
        sizes.extend([len(images.unique(dim=0))] if images.ndim == 4 else [])
        return encode(self, images, prompts)

    monkeypatch.setattr(Backbone, "encode_image", counting)
    models.features_of.cache_clear()  # what earlier tests left in memory
    yield sizes
    models.features_of.cache_clear()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> BackboneSpec:
    return write_backbone(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def backbone(model: BackboneSpec) -> Backbone:
    return load_backbone(model, {})


@pytest.fixture
def pictures(tmp_path: Path) -> Examples:
    """Ten pictures on disk, of five classes."""
    write_pictures(tmp_path / "colours", train=2, test=1)
    return Folder(tmp_path / "colours").load().named("colours").train


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache", limit=10**8)


def test_each_image_is_encoded_once_for_each_reader(backbone: Backbone, cache: Cache, encoded: list[int]) -> None:
    features = ImageFeatures(backbone, SPEC, cache)
    first = features.of(Examples(("1", "2", "3"), (0, 1, 0), Plain(0)))
    again = features.of(Examples(("3", "1"), (1, 1), Plain(0)))
    assert encoded == [3]
    assert torch.equal(again.tensors[0], first.tensors[0][[2, 0]])
    assert again.tensors[1].tolist() == [1, 1]
    other = features.of(Examples(("1", "2", "3"), (0, 1, 0), Plain(90)))
    assert encoded == [3, 3]
    assert not torch.allclose(other.tensors[0], first.tensors[0])
    assert cache.files() == []  # the reader cannot tell whether its images stay the same


def test_features_do_not_depend_on_how_many_are_encoded_at_once(pictures: Examples, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few images go with copies beside them: products of a few rows may add up in another order."""
    embedded = installed().get("backbones", "shapes")
    model = load_backbone(BackboneSpec("shapes"), {"shapes": embedded})
    sizes, encode = [], Backbone.encode_image
    monkeypatch.setattr(Backbone, "encode_image", lambda self, images, *more: sizes.append(len(images)) or encode(self, images, *more))
    together = ImageFeatures(model, SPEC).of(pictures).tensors[0]
    for count in (1, 2, 7):
        few = pictures.take(list(range(count)))
        assert torch.allclose(ImageFeatures(model, SPEC).of(few).tensors[0], together[:count], rtol=1e-5, atol=1e-6)
    assert sizes == [10, 8, 8, 8]


def test_what_is_on_disk_is_not_encoded_again(backbone: Backbone, pictures: Examples, cache: Cache, encoded: list[int]) -> None:
    few = pictures.take([7, 1, 4])
    first = ImageFeatures(backbone, SPEC, cache).of(few).tensors[0]
    everything = ImageFeatures(backbone, SPEC, cache).of(pictures)
    assert encoded == [3, 7]
    assert torch.equal(everything.tensors[0][[7, 1, 4]], first)
    again = ImageFeatures(backbone, SPEC, cache).of(pictures)
    assert encoded == [3, 7]
    assert torch.equal(again.tensors[0], everything.tensors[0])
    assert again.tensors[1].tolist() == list(pictures.labels)
    pixels = torch.stack([image for image, _ in Views(pictures, transform((32, 32), backbone.image_statistics, augment=False))])
    assert torch.allclose(everything.tensors[0], backbone.encode_image(pixels), rtol=1e-4, atol=1e-5)


def test_progress_is_told_of_what_is_encoded(
    backbone: Backbone, pictures: Examples, encoded: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_features, "BATCH", 2)
    monkeypatch.setattr(image_features, "PIECE", 4)
    features, progress = ImageFeatures(backbone, SPEC), list[tuple[int, int]]()
    features.of(pictures.take([1, 4, 5]))
    features.of(pictures, on_progress=lambda *done: progress.append(done))
    features.of(pictures, on_progress=lambda *done: progress.append(done))  # nothing is left to encode
    assert progress == [(2, 7), (4, 7), (6, 7), (7, 7)]
    views = ViewFeatures(features, pictures, 1, on_progress=lambda *done: progress.append(done))
    views.epoch = 0
    assert progress[4:] == [(2, 10), (4, 10), (6, 10), (8, 10), (10, 10)]


def test_a_picture_that_cannot_be_read_is_one_line_whoever_reads_it(backbone: Backbone, pictures: Examples) -> None:
    assert isinstance(pictures.read, FolderReader)
    (pictures.read.root / pictures.ids[3]).write_bytes(b"no picture")
    for workers in (0, 1):
        with pytest.raises(depthub.DepthubError, match="cannot read image") as caught:
            ImageFeatures(backbone, SPEC).of(pictures, workers)
        assert "\n" not in str(caught.value)


def test_random_views_are_those_of_the_step_in_every_epoch(
    backbone: Backbone, pictures: Examples, cache: Cache, encoded: list[int]
) -> None:
    views = Views(pictures, transform((32, 32), backbone.image_statistics, augment=True), seed=3)
    cached, again = (ViewFeatures(ImageFeatures(backbone, SPEC, cache), pictures, 3) for _ in range(2))
    epochs = []
    for epoch in range(3):
        views.epoch = cached.epoch = again.epoch = epoch
        expected = backbone.encode_image(torch.stack([image for image, _ in views]))
        for of_epoch in (cached, again):
            rows, labels = zip(*(of_epoch[i] for i in range(len(of_epoch))), strict=True)
            assert torch.allclose(torch.stack(rows), expected, rtol=1e-4, atol=1e-5)
            assert labels == pictures.labels
        epochs.append(expected)
    assert encoded == [10, 10] * 3  # here, and for the cache: the second reads the first's files
    assert not torch.allclose(epochs[0], epochs[1], atol=1e-3)
    assert not torch.allclose(epochs[1], epochs[2], atol=1e-3)
    ViewFeatures(ImageFeatures(backbone, SPEC, cache), pictures, 4).epoch = 0
    ViewFeatures(ImageFeatures(backbone, SPEC, cache), pictures.take([1, 0]), 3).epoch = 0
    assert encoded[6:] == [10, 2]  # another seed, and another place in the order: other views


def test_training_on_cached_views_is_training_on_pixels(backbone: Backbone, pictures: Examples) -> None:
    plugins = installed()
    method, recipe = complete(Component("CoOp", {"n_ctx": 3}), "methods", plugins), Training(epochs=3, batch_size=4, lr=0.05)
    tuned = []
    pixels = Views(pictures, transform((32, 32), backbone.image_statistics, augment=True), seed=1)
    for images in (pixels, ViewFeatures(ImageFeatures(backbone, SPEC), pictures, 1)):
        torch.manual_seed(7)
        tuner = Tuner(backbone, make(method, "methods", plugins, backbone, CLASSES), depthub.ITM(backbone.dim, CLASSES))
        start = [p.detach().clone() for p in tuner.tuned().values()]
        fit(tuner, images, CLASSES, recipe, 1, Accelerator(cpu=True))
        tuned.append([p.detach() for p in tuner.tuned().values()])
    for at_first, one, other in zip(start, *tuned, strict=True):
        assert (one - other).norm() < 1e-3 * (one - at_first).norm()


def test_another_picture_under_the_same_name_is_encoded(backbone: Backbone, pictures: Examples, cache: Cache, encoded: list[int]) -> None:
    features = ImageFeatures(backbone, SPEC, cache)
    before = features.of(pictures).tensors[0]
    assert isinstance(pictures.read, FolderReader)
    path = pictures.read.root / pictures.ids[4]
    Image.new("RGB", (40, 36), (1, 2, 3)).save(path)
    for source in (features, ImageFeatures(backbone, SPEC, cache)):  # in memory, and on disk
        after = source.of(pictures).tensors[0]
        assert (after != before).any(dim=1).tolist() == [row == 4 for row in range(10)]
    state = path.stat()
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns + 10**9))
    ImageFeatures(backbone, SPEC, cache).of(pictures)
    assert encoded == [10, 1]  # the content counts, not its date


def test_another_model_encodes_anew(backbone: Backbone, model: BackboneSpec, pictures: Examples, cache: Cache, encoded: list[int]) -> None:
    first = ImageFeatures(backbone, SPEC, cache).of(pictures).tensors[0]
    other = load_backbone(model, {})
    with torch.no_grad():
        other.clip.visual.proj.mul_(2)
    assert torch.allclose(ImageFeatures(other, SPEC, cache).of(pictures).tensors[0], 2 * first, rtol=1e-4)
    assert encoded == [10, 10]
    ImageFeatures(backbone, BackboneSpec("other"), cache).of(pictures)  # the same weights in another architecture
    ImageFeatures(load_backbone(model, {}), SPEC, cache).of(pictures)
    assert encoded == [10, 10, 10]


def test_a_damaged_file_is_made_again(backbone: Backbone, pictures: Examples, cache: Cache, encoded: list[int]) -> None:
    first = ImageFeatures(backbone, SPEC, cache).of(pictures).tensors[0]
    (file,) = cache.files()
    content = file.path.read_bytes()
    file.path.write_bytes(content[:-9])
    assert torch.equal(ImageFeatures(backbone, SPEC, cache).of(pictures).tensors[0], first)
    assert len(file.path.read_bytes()) == len(content)
    assert encoded == [10, 10]


def test_encoding_goes_on_where_it_was_interrupted(
    backbone: Backbone, pictures: Examples, cache: Cache, encoded: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_features, "PIECE", 4)
    missing = replace(pictures, read=FolderReader(pictures.read.root))  # type: ignore[attr-defined]
    path = missing.read.root / pictures.ids[9]  # type: ignore[attr-defined]
    whole = path.read_bytes()
    path.write_bytes(whole[:50])
    with pytest.raises(depthub.DepthubError, match="cannot read image"):
        ImageFeatures(backbone, SPEC, cache).of(missing)
    path.write_bytes(whole)
    ImageFeatures(backbone, SPEC, cache).of(pictures)
    assert encoded == [4, 4, 2]


def test_memory_is_bounded(backbone: Backbone, encoded: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_features, "MEMORY", 3 * 24 * 4)  # three images of 24 numbers
    features = ImageFeatures(backbone, SPEC)
    for ids in (("1", "2"), ("3",), ("1", "2"), ("4",), ("1", "2", "4"), ("3",), ("1", "2", "3", "4", "5")):
        assert features.of(Examples(ids, (0,) * len(ids), Plain(0))).tensors[0].shape == (len(ids), 24)
    assert encoded == [2, 1, 1, 1, 2]  # 3 was forgotten for 4, then 1 for 3


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> RunSpec:
    folder = tmp_path_factory.mktemp("small")
    quick = Training(epochs=2, batch_size=4, augmentation="published")
    return RunSpec(data=write_pictures(folder / "colours"), backbone=write_backbone(folder / "model"), training=quick, shots=4)


TRAIN, TEST = 12, 25  # images of three base classes, and of base and new ones


def test_runs_share_what_was_encoded(
    spec: RunSpec, tmp_path: Path, encoded: list[int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DEPTHUB_CACHE", str(tmp_path / "cache"))

    def images(changed: RunSpec, *, cache: bool = True) -> int:
        """Images encoded in this run, which begins with nothing in memory."""
        models.features_of.cache_clear()
        encoded.clear()
        depthub.run(changed, runs=tmp_path / "runs", force=True, cache=cache)
        return sum(encoded)

    def interrupt(epoch: int, _: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        depthub.run(spec, runs=tmp_path / "runs", on_epoch=interrupt)
    assert sum(encoded) == TRAIN
    assert images(spec) == TRAIN + TEST  # the second epoch's views and the test sets
    assert images(spec) == 0
    assert images(replace(spec, method=Component("KgCoOp"), head=Component("DePT"))) == 0
    assert images(replace(spec, seed=2)) == 2 * TRAIN
    assert images(replace(spec, training=replace(spec.training, augmentation="none"))) == TRAIN
    files = len(Cache(tmp_path / "cache" / "features", 0).files())
    assert images(spec, cache=False) == 2 * TRAIN + TEST
    monkeypatch.setenv("DEPTHUB_CACHE", "off")
    assert images(spec) == 2 * TRAIN + TEST
    monkeypatch.setenv("DEPTHUB_CACHE", str(tmp_path / "cache"))
    tuned = replace(spec, method=Component("VisualPrompts"), shots=1)
    assert images(tuned) > TEST
    assert images(tuned) > TEST
    assert len(Cache(tmp_path / "cache" / "features", 0).files()) == files
    assert main(["cache", "info"]) == 0
    assert f"folder:{Path(spec.data.name).name}" in capsys.readouterr().out  # and not where it lies


def test_the_command_line_can_leave_the_disk_alone(spec: RunSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEPTHUB_CACHE", str(tmp_path / "cache"))
    line = ["run", "--data", spec.data.name, "--backbone.model", spec.backbone.model, "--backbone.pretrained", spec.backbone.pretrained]
    line += ["--training.epochs", "1", "--shots", "1", "--runs", str(tmp_path / "runs"), "--cache", "off"]
    assert main(line) == 0
    assert not (tmp_path / "cache/features").exists()


OTHER_PROCESS = """
import json, sys
from pathlib import Path
import depthub
from depthub.encoding.backbone import Backbone
def encode_image(self, images, prompts=()):
    assert images.ndim == 2, f"{len(images)} images are encoded"
    return images
Backbone.encode_image = encode_image
depthub.run(depthub.RunSpec.of(json.loads(sys.argv[1])), runs=Path(sys.argv[2]))
"""


def test_another_process_encodes_nothing(spec: RunSpec, tmp_path: Path) -> None:
    here = depthub.run(spec, runs=tmp_path / "here")
    there = replace(spec, head=Component("ITM"))
    command = [sys.executable, "-c", OTHER_PROCESS, json.dumps(there.as_dict()), str(tmp_path / "there")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (again,) = Store(tmp_path / "there").results()
    assert again.counts == here.counts


def test_rendered_images_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    painter = shapes.Painter("tones", 1)
    assert isinstance(painter, Fingerprinting)
    prints = {painter.fingerprint("test/0/0"), painter.fingerprint("test/0/1")}
    prints |= {shapes.Painter(*of).fingerprint("test/0/0") for of in (("tones", 2), ("flags", 1))}
    assert len(prints) == 4
    assert shapes.Painter("tones", 1).fingerprint("test/0/0") in prints
    (tmp_path / "datasets.py").write_text("other code")
    monkeypatch.setattr(shapes, "__file__", str(tmp_path / "datasets.py"))
    shapes._code.cache_clear()
    assert painter.fingerprint("test/0/0") not in prints
    shapes._code.cache_clear()
