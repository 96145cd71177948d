"""The cards of the published data sets, and their split files."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from depthub.data.published import imagenet, splits
from depthub.data.published.cards import DatasetCard
from depthub.errors import DepthubError
from tests import damage, miniature
from tests.miniature import CLASSES, IMAGENETS, TARGETS, alone, card, official, rows


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with one data set; not to be changed."""
    return miniature.make(tmp_path_factory.mktemp("data"), "dtd").parent


def test_states_of_a_split_file(whole: Path, tmp_path: Path) -> None:
    root, dtd = alone(whole, "dtd", tmp_path), official(whole, "dtd")
    unknown_content = replace(dtd, split_canonical="", split_sha256="", split_bytes=0)  # as with two of the published ones
    path = root / "dtd" / dtd.split_file
    states = []
    for spoil in (None, damage.same_content_other_bytes, damage.self_made_split, "fewer"):
        if callable(spoil):
            spoil(root)
        elif spoil:
            miniature.write_split(path, {part: listed[1:] for part, listed in rows("dtd").items()})
        split, content = splits.read(path, dtd), path.read_bytes()
        states.append(splits.state(split, content, dtd))
        assert splits.state(split, content, unknown_content) == states[-1]
    assert states == ["official", "same content, other bytes", "self-made", "unknown"]


def test_miscounts_name_part_and_half(whole: Path) -> None:
    dtd = official(whole, "dtd")
    split = splits.read(whole / "dtd" / dtd.split_file, dtd)
    assert splits.miscounts(split, dtd) == []
    fewer = replace(split, train=split.train[1:])
    assert splits.miscounts(fewer, dtd) == [
        "19 train images instead of 20",
        "9 train/base images instead of 10",
    ]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"\xff\xfe\x00", "is not JSON"),
        (b'{"train": []', "is cut off after 12 bytes"),
        (b'{"train": nothing}', "is not JSON"),
        (b"[]", "has no list 'train', expected train, val and test"),
        (b'{"train": [], "test": []}', "has no list 'val'"),
        (b'{"train": [["a.jpg", "0", "a"]], "val": [], "test": []}', "train[0] is ['a.jpg', '0', 'a'], expected [path, label, class name]"),
        (b'{"train": [["a.jpg", true, "a"]], "val": [], "test": []}', "expected [path, label, class name]"),
        (b'{"train": [["a\\ud800.jpg", 0, "a"]], "val": [], "test": []}', "expected [path, label, class name]"),
        (b'{"train": [["a\\tb.jpg", 0, "a"]], "val": [], "test": []}', "expected [path, label, class name]"),
        (b"[" * 100_000, "is not JSON (maximum recursion depth exceeded"),
    ],
)
def test_another_file_than_a_split_file_is_refused_with_the_remedy(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "split.json").write_bytes(content)
    with pytest.raises(DepthubError) as caught:
        splits.read(tmp_path / "split.json", card("dtd"))
    assert says in str(caught.value)
    assert "`depthub data fetch-splits dtd` gets the official one (SHA-256 f26ebeccd2b58e68...)" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_hashes_are_those_of_the_definitions() -> None:
    split = splits.Split(train=(splits.Row("a/ö.jpg", 0, "a b"),), test=(splits.Row("c.jpg", 1, "c"),))
    lines = "train\ta/ö.jpg\t0\ta b\ntest\tc.jpg\t1\tc\n"
    expected = subprocess.run(["sha256sum"], input=lines.encode(), capture_output=True, check=True).stdout.split()[0].decode()
    assert splits.canonical_sha256(split) == expected
    assert splits.git_blob(b"what is up, doc?") == "bd9dbf5aae1a3862dd1526723246b20206e5fc37"  # the example of git's own book


@pytest.mark.parametrize("name", CLASSES)
def test_cards_are_consistent(name: str) -> None:
    published = card(name)
    assert published.n_base + published.n_new in (0, published.n_classes)
    assert published.n_base in (0, -(-published.n_classes // 2))
    for part in ("train", "val", "test"):
        halves = [published.counts[key] for half in ("base", "new") if (key := f"{part}/{half}") in published.counts]
        assert not halves or sum(halves) == published.counts[part]
    for half, target in published.zero_shot.items():
        total = published.counts[f"test/{half}"]
        assert [round(100 * n / total, 2) for n in (target.least, target.most)] == [target.percent] * 2
    assert (published.layout == "split") == bool(published.split_file) == bool(published.mirrors)
    assert published.template.count("{}") == 1
    assert all(template.count("{}") == 1 for template in published.templates.values())
    assert len(published.fingerprints) == (30 if name in TARGETS else 0)


def test_targets_and_variants_are_the_published_ones() -> None:
    assert sorted(card("imagenet").targets) == sorted(TARGETS)
    assert card("imagenet").variants == ("imagenetv2", "imagenet_sketch", "imagenet_a", "imagenet_r")


@pytest.mark.parametrize("name", IMAGENETS)
def test_imagenet_names_of_the_installed_packages_are_the_published_ones(name: str) -> None:
    row = {wordnet_id: i for i, wordnet_id in enumerate(imagenet.wordnet_ids())}
    ids = imagenet.wordnet_ids(card(name).class_list)
    assert len(ids) == card(name).n_classes
    assert splits.names_sha256(imagenet.class_names()[row[i]] for i in ids) == card(name).names_sha256


def test_unknown_fields_of_a_card_are_refused() -> None:
    with pytest.raises(DepthubError, match=r"data set 'x': unknown field 'templat'; did you mean 'template'\?"):
        DatasetCard.of({"name": "x", "templat": ""})
    with pytest.raises(DepthubError, match=r"layout 'split-file'; did you mean 'split'\?"):
        replace(card("dtd"), layout="split-file")  # type: ignore[arg-type]


def test_cards_and_names_do_not_need_torch() -> None:
    code = (
        "import sys; from depthub_datasets import depthub_datasets; from depthub.data.published import imagenet, splits; "
        "imagenet.class_names(); "
        "assert len(depthub_datasets()) == 15; assert not {'torch', 'open_clip', 'timm'} & sys.modules.keys()"
    )
    assert subprocess.run([sys.executable, "-c", code], env={**os.environ}, check=False).returncode == 0
