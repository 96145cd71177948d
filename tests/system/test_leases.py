"""Leases on one file system: one owner at a time, whoever is killed, and nothing left behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from depthub.system.leases import Leases

LONG_AGO = (0.0, 0.0)


def test_one_of_many_gets_it_and_gives_it_back(tmp_path: Path) -> None:
    one, other = Leases(tmp_path), Leases(tmp_path)
    lease = one.take("cat")
    assert lease
    assert lease.held
    assert other.take("cat") is None
    assert other.take("dog")
    lease.release()
    again = other.take("cat")
    assert again
    assert again.held
    assert not lease.held


def test_a_lease_that_nobody_renews_is_taken_over_once(tmp_path: Path) -> None:
    lost = Leases(tmp_path, seconds=60).take("cat")
    assert lost
    os.utime(lost.path, LONG_AGO)
    takers = [Leases(tmp_path, seconds=60).take("cat") for _ in range(3)]
    assert [bool(taker) for taker in takers] == [True, False, False]
    assert not lost.held
    lost.renew()
    lost.release()  # of a former owner: neither does anything
    (taker,) = filter(None, takers)
    assert taker.held
    taker.release()
    assert not tmp_path.exists()  # nothing is left in it


def test_a_former_owner_does_not_renew_what_was_made_anew(tmp_path: Path) -> None:
    former = Leases(tmp_path).take("cat")
    assert former
    os.utime(former.path, LONG_AGO)
    second = Leases(tmp_path).take("cat")
    assert second
    second.release()
    third = Leases(tmp_path).take("cat")  # its file has the name of the former owner's
    assert third
    assert third.path == former.path
    os.utime(third.path, LONG_AGO)
    former.renew()
    assert third.path.stat().st_mtime == 0
    assert (former.held, third.held) == (False, True)


def test_it_is_renewed_while_work_is_done(tmp_path: Path) -> None:
    leases = Leases(tmp_path, seconds=0.2)
    lease = leases.take("cat")
    assert lease
    with leases.kept(lease):
        before = lease.path.stat().st_mtime_ns
        while lease.path.stat().st_mtime_ns == before:
            pass
        assert Leases(tmp_path, seconds=60).take("cat") is None
    assert not tmp_path.exists()  # nothing is left in it


PROCESS = """
import sys
from pathlib import Path
from depthub.system.leases import Leases
leases, wins = Leases(Path(sys.argv[1])), 0
for name in range(200):
    wins += leases.take(str(name)) is not None
print(wins, flush=True)
sys.stdin.read()  # a lease ends with its process
"""


def test_processes_share_without_doing_anything_twice(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROCESS, str(tmp_path / "leases")]
    workers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert sum(int(worker.stdout.readline()) for worker in workers if worker.stdout) == 200
    leases = Leases(tmp_path / "leases")
    assert leases.names() == {str(name): False for name in range(200)}
    assert leases.take("0") is None
    for worker in workers:
        worker.communicate()
    assert leases.names() == {str(name): True for name in range(200)}, "the lease of a process that has ended is lost at once"
    assert leases.take("0")


def test_what_killed_workers_left_is_removed(tmp_path: Path) -> None:
    leases = Leases(tmp_path / "leases", seconds=60)
    lost = leases.take("cat")
    assert lost
    os.utime(lost.path, LONG_AGO)
    assert leases.names() == {"cat": True}
    assert leases.remove_lost() == 1
    assert not leases.folder.exists()
    assert leases.names() == {}


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Exception, match="cannot write to"):
        Leases(tmp_path / "file/leases").take("cat")
