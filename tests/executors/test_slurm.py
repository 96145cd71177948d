"""The executor Slurm on a real Slurm of one node, which a script starts beside whatever else runs here."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from depthub import DepthubError
from depthub.records.entries import HISTORY
from depthub.records.store import FILE, Store
from depthub.registry.plugins import installed
from depthub.testing.checks import CHECKS
from depthub.testing.executors import ExecutorCase
from tests.processes import LIMIT, started
from tests.suites.commands import board, carried_out, command, write_suite

SCRIPT = Path(__file__).parent / "slurm.sh"
NEEDED = ("sbatch", "slurmctld", "slurmd", "munged")
JOBS = ["--executor", "Slurm", "--executor.cpus", "1", "--executor.memory_gb", "1.5", "--executor.max_jobs", "2"]
TWELVE = ["--stack", "off", "--only", "CoOp", "KgCoOp on", "ZeroShot"]  # packs of one run each

pytestmark = pytest.mark.slurm


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    path = f"{os.environ['PATH']}:/usr/sbin"
    missing = [name for name in NEEDED if shutil.which(name, path=path) is None]
    if missing or os.geteuid() != 0:
        pytest.skip(f"a Slurm needs root, and Debian's slurm-wlm and munge; missing: {', '.join(missing) or 'root'}")
    folder = tmp_path_factory.mktemp("slurm")
    with socket.socket() as one, socket.socket() as other:
        one.bind(("", 0))
        other.bind(("", 0))
        ports = [str(place.getsockname()[1]) for place in (one, other)]
    subprocess.run([SCRIPT, "start", folder, *ports], check=True, timeout=LIMIT)
    os.environ["SLURM_CONF"] = str(folder / "slurm.conf")
    yield
    del os.environ["SLURM_CONF"]
    subprocess.run([SCRIPT, "stop", folder], check=True, timeout=LIMIT)


def jobs(state: str) -> list[str]:
    """Ids of the jobs in a state."""
    lines = subprocess.run(["squeue", "-h", "-r", "-t", state, "-o", "%A"], capture_output=True, text=True, timeout=LIMIT, check=True)
    return lines.stdout.split()


@pytest.mark.usefixtures("slurm")
def test_an_array_of_packs_with_a_cancelled_job_gives_the_board_of_local_processes(tmp_path: Path) -> None:
    cluster, local = (write_suite(_folder(tmp_path / name)) for name in ("cluster", "local"))
    with started(*command(cluster, *JOBS, *TWELVE), cwd=cluster) as child:
        child.wait_until(lambda: list(cluster.glob(f"runs/*/{FILE}")) and jobs("RUNNING"), "a job that runs after another has ended")
        (array,) = {path.name.partition("_")[0] for path in cluster.glob("runs/.executors/*/*_submitted.pkl")}
        assert len(list(cluster.glob(f"runs/.executors/*/{array}_*_submitted.pkl"))) == 12
        subprocess.run(["scancel", jobs("RUNNING")[0]], check=True, timeout=LIMIT)
        assert child.status() == 0, child.err
    assert carried_out(local, *TWELVE).returncode == 0
    assert board(cluster) == board(local)
    assert len(list(Store(cluster / "runs").results())) == 12
    assert list(cluster.glob("runs/*/earlier-*")) == []  # none was done twice
    assert jobs("RUNNING,PENDING") == []


@pytest.mark.usefixtures("slurm")
def test_a_job_that_never_ends_well_is_reported_with_its_log(tmp_path: Path) -> None:
    setup = ["--executor.retries", "0", "--executor.setup", "echo no such module: cuda >&2; exit 3"]
    ended = carried_out(write_suite(tmp_path), *JOBS, *setup, "--only", "ZeroShot")
    assert ended.returncode == 1
    assert "ended without an outcome, 1 times; the end of its log" in ended.stderr
    assert "no such module: cuda" in ended.stderr


@pytest.mark.usefixtures("slurm")
@pytest.mark.slow
def test_a_preempted_job_goes_on(tmp_path: Path) -> None:
    """Slurm requeues it, and starts it again after its own pause."""
    place = write_suite(tmp_path)
    with started(*command(place, *JOBS, "--only", "KgCoOp on"), cwd=place) as child:
        child.wait_until(lambda: list(place.glob(f"runs/*/{HISTORY}")), "an epoch")
        subprocess.run(["scancel", "--signal=USR2", *jobs("RUNNING")], check=True, timeout=LIMIT)
        assert child.status() == 0, child.err
    logs = "".join(path.read_text() for path in place.glob("runs/.executors/*/*.out"))
    assert "Requeued job" in logs
    assert len(list(Store(place / "runs").results())) == 2


@pytest.mark.usefixtures("slurm")
def test_it_keeps_the_contract() -> None:
    case = ExecutorCase("executors", installed().get("executors", "Slurm"), {"cpus": 1, "memory_gb": 1.5})
    for check in CHECKS:
        if "executors" in check.kinds:
            assert check(case) == ""


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"minutes": 0}, "minutes is 0, expected at least 1"),
        ({"sbatch": "-p gpu"}, "sbatch has '-p', expected long options such as '--account=vision --exclusive'"),
    ],
)
def test_settings_that_no_job_can_have_are_refused(settings: dict[str, object], says: str) -> None:
    with pytest.raises(DepthubError, match=says):
        installed().get("executors", "Slurm")(**settings)


def test_without_a_cluster_one_line_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_CONF", str(tmp_path / "nowhere.conf"))
    ended = carried_out(write_suite(tmp_path), "--executor", "Slurm")
    assert ended.returncode == 2
    assert "Slurm" in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "board").exists()


def _folder(path: Path) -> Path:
    path.mkdir()
    return path
