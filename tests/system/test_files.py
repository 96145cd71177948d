"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from depthub.errors import DepthubError
from depthub.system.files import atomic_write


@pytest.mark.parametrize("fault", [OSError("no room"), KeyboardInterrupt()])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(fault: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = atomic_write(tmp_path / "new" / "file", b"old")

    def fail(handle: int) -> None:
        raise fault

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(DepthubError if isinstance(fault, OSError) else KeyboardInterrupt):
        atomic_write(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(path.parent.iterdir()) == [path]


def test_a_file_in_the_way_is_a_users_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DepthubError, match="cannot write"):
        atomic_write(tmp_path / "file" / "run.json", b"")


def test_readers_never_see_half_a_file(tmp_path: Path) -> None:
    """A writer that is killed in the middle of its work, again and again."""
    program = (
        "import sys; from pathlib import Path; from depthub.system.files import atomic_write\n"
        "while True:\n for b in (b'a', b'b'): atomic_write(Path(sys.argv[1]), b * 300_000)"
    )
    path = tmp_path / "file"
    atomic_write(path, b"a" * 300_000)
    for _ in range(3):
        writer = subprocess.Popen([sys.executable, "-c", program, str(path)])
        for _ in range(50):
            content = path.read_bytes()
            assert content in (b"a" * 300_000, b"b" * 300_000)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
