"""Images per second from JPEG files to normalised pixels, beside torchvision's ImageFolder with the same transform."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from torchvision.datasets import ImageFolder
from torchvision.transforms import InterpolationMode

from benchmarks.measure import OURS, PLAIN, Benchmark, relative_error, side_by_side
from depthub.data.image_cache import cached
from depthub.data.own.folder import Folder
from depthub.data.views import Views, drafted, pixels, transform

SIZE = (224, 224)
STATISTICS = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
BATCH = 50
USUAL, LARGE = (375, 500), (1500, 2000)  # height and width of ImageNet's average picture, and of a camera's small one
DRAFT_TOLERANCE = 1e-2  # relative, of normalised pixels
Images = Dataset[tuple[Tensor, int]]


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[tuple[int, int], int], Path]:
    """Makes a folder with a number of pictures of a height and width, in two classes."""

    def make(shape: tuple[int, int], number: int) -> Path:
        folder = tmp_path_factory.mktemp("photographs")
        for row in range(number):
            for part in ("train", "test"):
                path = folder / part / f"class{row % 2}" / f"{row}.jpg"
                path.parent.mkdir(parents=True, exist_ok=True)
                _photograph(shape, row).save(path, quality=90)
        return folder

    return make


@pytest.mark.parametrize("workers", [0, 2])
def test_reading(benchmark: Benchmark, workers: int, photographs: Callable[[tuple[int, int], int], Path]) -> None:
    folder = photographs(USUAL, 100)
    ours = Views(Folder(folder).load().test, transform(SIZE, STATISTICS, augment=False))
    _measure(benchmark, f"100 JPEG files of 500 x 375, {workers} workers", ours, _plain(folder), workers, tolerance=0)


def test_decoded_cache(benchmark: Benchmark, photographs: Callable[[tuple[int, int], int], Path], tmp_path: Path) -> None:
    folder = photographs(USUAL, 100)
    ours = Views(cached(Folder(folder).load().test, SIZE, tmp_path), pixels(STATISTICS))
    _measure(benchmark, "100 JPEG files of 500 x 375, decoded before", ours, _plain(folder), 0, tolerance=0)


def test_drafts(benchmark: Benchmark, photographs: Callable[[tuple[int, int], int], Path]) -> None:
    folder = photographs(LARGE, 10)
    ours = Views(drafted(Folder(folder).load().test, SIZE), transform(SIZE, STATISTICS, augment=False))
    _measure(benchmark, "10 JPEG files of 2000 x 1500, drafts", ours, _plain(folder), 0, tolerance=DRAFT_TOLERANCE)


def _plain(folder: Path) -> Images:
    cut = [transforms.Resize(SIZE[0], interpolation=InterpolationMode.BICUBIC), transforms.CenterCrop(SIZE)]
    images: Images = ImageFolder(str(folder / "test"), transforms.Compose([*cut, transforms.ToTensor(), transforms.Normalize(*STATISTICS)]))
    return images


def _measure(benchmark: Benchmark, case: str, ours: Images, plain: Images, workers: int, *, tolerance: float) -> None:
    """Compare the pixels, then the times of one pass."""
    loaders = {name: DataLoader(images, BATCH, num_workers=workers) for name, images in ((PLAIN, plain), (OURS, ours))}
    columns = {name: [torch.cat(column) for column in zip(*loader, strict=True)] for name, loader in loaders.items()}
    assert torch.equal(columns[OURS][1], columns[PLAIN][1])
    error = relative_error(columns[OURS][0], columns[PLAIN][0])
    assert error <= tolerance
    benchmark.extra_info["pixel_error"] = error
    ways = {name: lambda loader=loader: [None for _ in loader] for name, loader in loaders.items()}
    side_by_side(benchmark, f"loading: {case}", 5, ways)
    for name in loaders:
        benchmark.extra_info[f"{name}_images_per_s"] = 1e3 * len(columns[name][1]) / benchmark.extra_info[f"{name}_ms"]


def _photograph(shape: tuple[int, int], seed: int) -> Image.Image:
    """Detail at every scale, as photographs have it."""
    generator, (height, width) = np.random.default_rng(seed), shape
    total = np.zeros((height, width, 3), np.float32)
    for octave in range(8):
        coarse = generator.normal(size=(3 * 2**octave, 4 * 2**octave, 3)).astype(np.float32)
        for channel in range(3):
            layer = Image.fromarray(np.ascontiguousarray(coarse[..., channel])).resize((width, height), Image.Resampling.BICUBIC)
            total[..., channel] += np.asarray(layer) * 0.5**octave
    return Image.fromarray(np.interp(total, (total.min(), total.max()), (0, 255)).astype(np.uint8))
