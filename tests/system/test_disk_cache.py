"""The cache of image features: stored rows come back unchanged or not at all, and the files stay within the limit."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from depthub import DepthubError
from depthub.cli import main
from depthub.system import disk_cache as module
from depthub.system.disk_cache import Cache

KIND: dict[str, Any] = {"data": "tones", "backbone": {"model": "shapes"}, "view": None}
NAMES = ["a", "b", "c"]
ROWS = np.arange(12, dtype=np.float32).reshape(3, 4)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "features", limit=10**6)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cache:
    """The cache that a command line finds in this test."""
    monkeypatch.setenv("DEPTHUB_CACHE", str(tmp_path / "here"))
    cache = Cache.here()
    assert cache
    return cache


def only_file(cache: Cache) -> Path:
    (file,) = cache.files()
    return file.path


def test_rows_come_back_by_name_and_kind(cache: Cache) -> None:
    other = {**KIND, "view": {"seed": 1, "epoch": 0}}
    cache.add(KIND, NAMES, ROWS)
    cache.add(other, NAMES, ROWS + 100)
    cache.add(KIND, ["d"], ROWS[:1] + 50)
    for kind, shift in ((KIND, 0), (other, 100)):
        rows = Cache(cache.folder, cache.limit).find(kind, {"c", "a", "z"})
        assert rows.keys() == {"a", "c"}
        assert np.array_equal(rows["a"], ROWS[0] + shift)
        assert np.array_equal(rows["c"], ROWS[2] + shift)
    assert cache.find(KIND, {"b", "d"}).keys() == {"b", "d"}
    assert cache.find({**KIND, "data": "flags"}, {"a"}) == {}


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_numbers_keep_their_precision(cache: Cache, dtype: type) -> None:
    cache.add(KIND, NAMES, (ROWS / 3).astype(dtype))
    row = cache.find(KIND, {"b"})["b"]
    assert row.dtype == dtype
    assert np.array_equal(row, (ROWS / 3).astype(dtype)[1])


def flipped(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :] if place >= 0 else flipped(content, len(content) + place)


DAMAGES = {
    "a number": lambda content: flipped(content, -3),
    "a name": lambda content: content.replace(b'\\"b\\"', b'\\"x\\"'),
    "the shape": lambda content: content.replace(b'"shape":[3,4]', b'"shape":[4,3]'),
    "the type": lambda content: content.replace(b'"F32"', b'"I32"'),
    "the end": lambda content: content[:-5],
    "all but the beginning": lambda content: content[:20],
    "everything": lambda _: b"",
    "the header": lambda content: flipped(content, 0),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_no_file(cache: Cache, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    cache.add(KIND, NAMES, ROWS)
    path = only_file(cache)
    whole = path.read_bytes()
    path.write_bytes(DAMAGES[damage](whole))
    assert path.read_bytes() != whole
    assert cache.find(KIND, set(NAMES)) == {}
    (line,) = caplog.messages
    assert line.startswith(f"depthub: damaged image features are made again: {path} (")
    assert "\n" not in line
    assert cache.files() == []
    cache.add(KIND, NAMES, ROWS)
    assert cache.find(KIND, set(NAMES)).keys() == set(NAMES)


def test_a_file_under_the_name_of_another_is_damaged(cache: Cache, caplog: pytest.LogCaptureFixture) -> None:
    cache.add(KIND, NAMES, ROWS)
    first = only_file(cache)
    cache.add(KIND, ["a", "b"], ROWS[:2] + 1)
    (second,) = [file.path for file in cache.files() if file.path != first]
    first.write_bytes(second.read_bytes())
    assert np.array_equal(cache.find(KIND, {"a"})["a"], ROWS[0] + 1)
    assert len(caplog.messages) == 1


def test_the_least_recently_used_go_first(cache: Cache) -> None:
    kinds = [{**KIND, "view": {"seed": 1, "epoch": epoch}} for epoch in range(4)]
    for age, kind in enumerate(kinds[:3]):
        cache.add(kind, NAMES, ROWS)
        path = next(file.path for file in cache.files() if file.description()["kind"] == kind)
        os.utime(path, (1000 + age, 1000 + age))
    size = cache.files()[0].size
    assert cache.find(kinds[0], {"a"})  # now the most recently used
    Cache(cache.folder, limit=3.5 * size).add(kinds[3], NAMES, ROWS)
    assert [bool(cache.find(kind, {"a"})) for kind in kinds] == [True, False, True, True]
    Cache(cache.folder, limit=size / 2).add(kinds[1], NAMES, ROWS)
    assert cache.files() == []


def test_temporary_files_of_killed_writers_count_and_foreign_files_stay(cache: Cache) -> None:
    cache.add(KIND, NAMES, ROWS)
    path = only_file(cache)
    temporary = path.with_name(f".{path.name}.123-0a1b2c3d.tmp")
    foreign = path.with_name("mine.safetensors")
    for file in (temporary, foreign):
        file.write_bytes(b"x" * 10**6)
        os.utime(file, (1000, 1000))
    cache.add(KIND, ["d"], ROWS[:1])
    assert not temporary.exists()
    assert len(cache.clear()) == 2
    assert list(cache.folder.iterdir()) == [foreign]


WRITER = """
import sys, numpy as np
from pathlib import Path
from depthub.system.disk_cache import Cache
cache, kind = Cache(Path(sys.argv[1]), 10**6), {"data": "d", "backbone": {"model": "m"}}
rows = np.arange(200_000, dtype=np.float32).reshape(10, -1)[:, :4000]
names = [str(i) for i in range(10)]
for turn in range(40):
    cache.add(kind, names, rows)
    stored = cache.find(kind, set(names))
    assert stored.keys() == set(names) and all((stored[name] == row).all() for name, row in zip(names, rows))
"""


def test_writers_of_the_same_file_do_not_hurt_each_other(cache: Cache) -> None:
    command = [sys.executable, "-c", WRITER, str(cache.folder)]
    writers = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    assert [(writer.communicate()[1], writer.returncode) for writer in writers] == [("", 0)] * 2
    assert len(list(cache.folder.iterdir())) == 1


def test_where_nothing_can_be_written_one_line_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "taken").write_text("a file, not a folder")
    module._say_once.cache_clear()
    cache = Cache(tmp_path / "taken" / "features", 10**6)
    for _ in range(2):
        assert cache.find(KIND, {"a"}) == {}
        cache.add(KIND, NAMES, ROWS)
    (line,) = caplog.messages
    assert line.startswith(f"depthub: image features are not kept for later runs: cannot write {cache.folder}")


def test_the_environment_says_where_and_how_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEPTHUB_CACHE", str(tmp_path))
    assert Cache.here() == Cache(tmp_path / "features", 10 * 10**9)
    monkeypatch.setenv("DEPTHUB_CACHE_LIMIT", "0.5")
    assert Cache.here() == Cache(tmp_path / "features", 5 * 10**8)
    for wrong in ("much", "-1", "nan"):
        monkeypatch.setenv("DEPTHUB_CACHE_LIMIT", wrong)
        with pytest.raises(DepthubError, match=f"DEPTHUB_CACHE_LIMIT is '{wrong}', expected gigabytes"):
            Cache.here()
    monkeypatch.delenv("DEPTHUB_CACHE_LIMIT")
    monkeypatch.delenv("DEPTHUB_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    default = Cache.here()
    assert default
    assert default.folder.parent.name == ("Cache" if sys.platform == "win32" else "depthub")
    monkeypatch.setenv("DEPTHUB_CACHE", "off")
    assert Cache.here() is None


def test_the_command_shows_and_clears(here: Cache, capsys: pytest.CaptureFixture[str]) -> None:
    here.add(KIND, NAMES, ROWS)
    here.add(KIND, ["d"], ROWS[:1])
    here.add({**KIND, "data": "flags"}, NAMES, ROWS)
    assert main(["cache", "info"]) == 0
    shown = [line.replace("│", " ").split() for line in capsys.readouterr().out.splitlines()]
    assert shown[0][:3] == [f"{here.folder}:", "3", "files,"]
    assert [line[:4] for line in shown if line[:1] in (["tones"], ["flags"])] == [
        ["flags", "shapes", "1", "3"],
        ["tones", "shapes", "2", "4"],
    ]
    assert main(["cache", "clear", "--data", "tone"]) == 2
    assert "unknown data set in the cache: 'tone'; did you mean 'tones'? known: flags, tones" in capsys.readouterr().err
    assert main(["cache", "clear", "--data", "tones"]) == 0
    assert capsys.readouterr().out.startswith(f"removed from {here.folder}: 2 files, ")
    assert [file.description()["kind"]["data"] for file in here.files()] == ["flags"]
    only_file(here).write_bytes(b"broken")
    assert main(["cache", "info"]) == 0
    assert "(damaged)" in capsys.readouterr().out
    assert main(["cache", "clear"]) == 0
    assert here.files() == []


def test_the_command_clears_the_other_caches(here: Cache, capsys: pytest.CaptureFixture[str]) -> None:
    folder, name = here.folder.parent, "0" * 64
    ours = ["digests.sqlite", "digests.sqlite-journal", f"recall/{name}.json", f"lists/{name}.list", "linear.json"]
    ours += [f"recall/.{name}.json.12-0a1b2c3d.tmp", f"lists/.{name}.list.12-0a1b2c3d.tmp"]
    foreign = ["mine.json", "recall/mine.json", "lists/mine.list", f"lists/{name}.json", "splits/split.json", f"images/{name}.npy"]
    for path in (*ours, *foreign):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(b"x" * 1000)
    here.add(KIND, NAMES, ROWS)
    assert main(["cache", "info"]) == 0
    shown = capsys.readouterr().out.splitlines()
    for line in ("digests of files: 2 files, 2 kB", "finished commands: 1 file, 1 kB", "lists of images: 1 file, 1 kB"):
        assert line in shown
    assert main(["cache", "clear", "--data", "tones"]) == 0
    assert all((folder / path).exists() for path in ours)
    assert "digests" not in capsys.readouterr().out
    assert main(["cache", "clear"]) == 0
    assert "removed temporary files of killed processes: 2 files, 2 kB" in capsys.readouterr().out.splitlines()
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} == set(foreign)
    assert main(["cache", "clear"]) == 0


def test_the_command_says_that_the_cache_is_off(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("DEPTHUB_CACHE", "off")
    assert main(["cache", "info"]) == 2
    assert capsys.readouterr().err == "depthub: error: the cache is off: DEPTHUB_CACHE=off\n"


def test_the_command_needs_no_torch() -> None:
    code = "import sys; from depthub.cli import main; main(['cache', 'info']); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0
