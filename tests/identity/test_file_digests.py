"""SHA-256 of files: always that of the content, whatever is in the cache or wrong with it."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from depthub.errors import DepthubError
from depthub.identity.file_digests import NAME, file_sha256, files_sha256

LONG_AGO = 1_000_000_000 * 10**9  # in 2001


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DEPTHUB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Seven files that have not changed for a while by the clock of the digests."""
    paths = [tmp_path / f"{i}.bin" for i in range(7)]
    for i, path in enumerate(paths):
        path.write_bytes(bytes([i]) * (3 * 2**20 if i == 6 else i))
    now = max(path.stat().st_ctime_ns for path in paths)
    monkeypatch.setattr("time.time_ns", lambda: now + 5 * 10**9)
    return paths


def plain(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def stored(cache: Path) -> dict[str, str]:
    """The digests in the cache, by file name."""
    if not (cache / NAME).exists():
        return {}
    with closing(sqlite3.connect(cache / NAME)) as database:
        return {Path(os.fsdecode(path)).name: sha256 for path, sha256 in database.execute("SELECT path, sha256 FROM files")}


def poison(cache: Path) -> None:
    """Every digest becomes that of no file, so that using the cache shows."""
    with closing(sqlite3.connect(cache / NAME)) as database, database:
        database.execute("UPDATE files SET sha256 = ?", ("0" * 64,))


def test_digests_are_those_of_the_contents_and_are_kept(cache: Path, files: list[Path]) -> None:
    expected = [plain(path) for path in files]
    assert files_sha256(files) == [file_sha256(path) for path in files] == expected
    assert list(stored(cache).values()) == expected
    poison(cache)
    assert files_sha256(files) == ["0" * 64] * 7


def test_many_files_and_some_twice(cache: Path, tmp_path: Path) -> None:
    paths = [tmp_path / f"{i}.bin" for i in range(1203)]
    for i, path in enumerate(paths):
        path.write_bytes(str(i).encode())
    repeated = [*paths, *paths[:5]]
    assert files_sha256(repeated) == [plain(path) for path in repeated]
    assert files_sha256([]) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_bytes(b"YYYY"),
        lambda path: (path.write_bytes(b"YYYY"), os.utime(path, ns=(LONG_AGO, LONG_AGO))),  # the time of its content set back
        lambda path: (path.with_name("other").write_bytes(b"YYYY"), path.with_name("other").replace(path)),
        lambda path: (path.unlink(), path.with_name("other").write_bytes(b"YYYY"), path.symlink_to(path.with_name("other"))),
    ],
    ids=["written", "written and dated back", "replaced", "a link"],
)
def test_another_content_is_another_digest(cache: Path, files: list[Path], change: Callable[[Path], object]) -> None:
    path = files[4]
    os.utime(path, ns=(LONG_AGO, LONG_AGO))
    before = file_sha256(path)
    assert stored(cache)
    change(path)
    assert file_sha256(path) == plain(path) == hashlib.sha256(b"YYYY").hexdigest() != before


def test_files_that_have_just_changed_are_not_kept(cache: Path, tmp_path: Path) -> None:
    path = tmp_path / "new.bin"
    for content in (b"one", b"two"):  # perhaps within one tick of the clock
        path.write_bytes(content)
        assert file_sha256(path) == plain(path)
    assert stored(cache) == {}


def _text(cache: Path) -> None:
    (cache / NAME).write_text("no database" * 100)


def _cut(cache: Path) -> None:
    (cache / NAME).write_bytes((cache / NAME).read_bytes()[:5000])


def _flipped(cache: Path) -> None:
    content = bytearray((cache / NAME).read_bytes())
    content[4096:] = bytes(255 - byte for byte in content[4096:])
    (cache / NAME).write_bytes(content)


def _folder(cache: Path) -> None:
    (cache / NAME).unlink()
    (cache / NAME).mkdir()


def _other_table(cache: Path) -> None:
    with closing(sqlite3.connect(cache / NAME)) as database, database:
        database.execute("DROP TABLE files")
        database.execute("CREATE TABLE files (name TEXT)")


def _other_types(cache: Path) -> None:
    with closing(sqlite3.connect(cache / NAME)) as database, database:
        database.execute("UPDATE files SET sha256 = 7")


def _no_folder(cache: Path) -> None:
    shutil.rmtree(cache)
    cache.write_text("a file where the folder should be")


@pytest.mark.parametrize("damage", [_text, _cut, _flipped, _folder, _other_table, _other_types, _no_folder])
def test_a_damaged_cache_is_no_obstacle(cache: Path, files: list[Path], damage: Callable[[Path], None]) -> None:
    files_sha256(files)
    damage(cache)
    assert files_sha256(files) == [plain(path) for path in files]


def test_a_full_cache_is_no_obstacle(cache: Path, files: list[Path]) -> None:
    file_sha256(files[0])
    with closing(sqlite3.connect(cache / NAME)) as database, database:
        database.execute("CREATE TRIGGER full BEFORE INSERT ON files BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END")
    assert files_sha256(files) == [plain(path) for path in files]
    assert len(stored(cache)) == 1


def test_a_locked_cache_is_no_obstacle(cache: Path, files: list[Path]) -> None:
    file_sha256(files[0])
    with closing(sqlite3.connect(cache / NAME)) as database:
        database.execute("BEGIN EXCLUSIVE")
        assert file_sha256(files[1]) == plain(files[1])


def test_a_cache_that_is_off_is_not_written(files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEPTHUB_CACHE", "off")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    assert files_sha256(files) == [plain(path) for path in files]
    assert not (tmp_path / "home").exists()


def test_many_processes_share_one_cache(cache: Path, files: list[Path]) -> None:
    code = "import sys; from pathlib import Path; from depthub.identity.file_digests import files_sha256\n"
    code += "for _ in range(9): files_sha256([Path(name) for name in sys.argv[1:]])"
    for path in files:
        os.utime(path, ns=(LONG_AGO, LONG_AGO))
    with ThreadPoolExecutor(4) as threads:
        ends = list(threads.map(lambda _: subprocess.run([sys.executable, "-c", code, *map(str, files)], check=False).returncode, range(4)))
    assert ends == [0] * 4
    assert files_sha256(files) == [plain(path) for path in files]
    with closing(sqlite3.connect(cache / NAME)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_names_that_are_not_utf8_and_large_inodes_do(cache: Path, tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/x\xff?#%.bin"))
    path.write_bytes(b"7")
    assert file_sha256(path) == plain(path)


def test_pipes_folders_and_missing_files_are_refused_at_once(cache: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    for name, reason in (
        ("pipe", "not a regular file"),
        (".", "not a regular file"),
        ("gone", "No such file"),
        ("nowhere", "No such file"),
        ("circle", "symbolic links"),
        ("a\0b", "null"),
    ):
        with pytest.raises(DepthubError, match=f"^cannot read .*: .*{reason}.*; expected a file"):
            file_sha256(tmp_path / name)


def test_torch_is_not_needed() -> None:
    code = "import sys; import depthub.identity.file_digests; assert not {'torch', 'numpy', 'PIL'} & sys.modules.keys()"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
