"""Several processes share a run: any number of them gives the numbers of one, and one that fails takes the others along."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate.utils import patch_environment

from depthub import DepthubError
from depthub.compute.device import accelerator
from depthub.compute.processes import broadcast, gathered, share, together
from depthub.encoding import image_features
from depthub.system import launch
from tests import shared
from tests.models import write_pictures

MINUTES = 600  # seconds after which a process hangs; no measure of speed
ROOT = Path(__file__).parents[2]
NAMES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", *launch.TASKS)


@dataclass
class Done:
    """What processes left in a folder."""

    folder: Path
    codes: dict[tuple[str, int], list[int]]

    def read(self, name: str) -> Any:
        return torch.load(self.folder / name, weights_only=False)

    def stderr_of(self, what: str, rank: int) -> str:
        return (self.folder / f"{what}-{rank}.txt").read_text()


def environment(**changes: object) -> dict[str, str]:
    """This process's without a word of other processes, and what is given."""
    others = {name: value for name, value in os.environ.items() if name not in NAMES and not name.startswith("ACCELERATE_")}
    return others | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)} | {name: str(value) for name, value in changes.items()}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    """Everything of `tests.shared`; processes start slowly, hence once for all."""
    folder = tmp_path_factory.mktemp("shared")
    write_pictures(folder / "pictures")
    subprocess.run([sys.executable, "-m", "tests.shared", "all", str(folder)], env=environment(), check=True, timeout=MINUTES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(image_features, "BATCH", image_features.BATCH)  # which encoding changes
        shared.train(str(folder))
        shared.encode(str(folder))
    return Done(folder, torch.load(folder / "codes.pt"))


@pytest.mark.parametrize("number", [2, 3, 7])
def test_any_number_of_processes_trains_and_tests_as_one(done: Done, number: int) -> None:
    """Ten images in batches of four and of one; with seven processes some have none."""
    assert done.codes["train", number] == [0] * number
    one, many = done.read("trained-1.pt"), done.read(f"trained-{number}.pt")
    assert one.keys() == many.keys()
    for case in one:
        for name, value in one[case][0].items():
            torch.testing.assert_close(many[case][0][name], value, rtol=0, atol=1e-5, msg=f"{case} {name}")
        assert many[case][1] == pytest.approx(one[case][1], abs=1e-5)  # the loss of an epoch is that of all images
        assert many[case][2] == one[case][2]


@pytest.mark.parametrize("number", [2, 3, 7])
def test_predictions_come_in_the_order_of_the_images(done: Done, number: int) -> None:
    one, many = (done.read(f"trained-{n}.pt")["CoOp", 4][3] for n in (1, number))
    for whole, divided in zip(one, many, strict=True):
        assert (divided["labels"] == whole["labels"]).all()
        assert (divided["best"] == whole["best"]).all()
        assert divided["scores"] == pytest.approx(whole["scores"], abs=1e-3)


@pytest.mark.parametrize("number", [2, 3, 7])
def test_images_are_encoded_once_and_known_to_all(done: Done, number: int) -> None:
    assert done.codes["encode", number] == [0] * number
    expected = done.read("encoded-1-0.pt")
    of_ranks = [done.read(f"encoded-{number}-{rank}.pt") for rank in range(number)]
    for of_rank in of_ranks:
        for one, other in zip(expected[:3], of_rank[:3], strict=True):
            assert torch.equal(one, other)  # bit for bit: images are encoded in the same batches
    assert sum(of_rank[3] for of_rank in of_ranks) == expected[3]
    assert max(of_rank[3] for of_rank in of_ranks) < expected[3]
    assert expected[4] == [(8, 25), (16, 25), (24, 25), (25, 25)]
    assert of_ranks[0][4][-1][1] == 25


@pytest.mark.parametrize(
    ("what", "code", "message"),
    [
        ("picture", 2, r"depthub: error: rank 1: cannot read image \d.png: truncated; replace the file\n"),
        ("late", 2, r"depthub: error: rank 0: cannot write the result: the disk is full; free some space\n"),
        ("bug", 1, r"depthub: error: rank 1: ValueError: a bug of two lines\n"),
    ],
)
def test_a_failure_of_one_process_ends_all_with_its_message(done: Done, what: str, code: int, message: str) -> None:
    assert done.codes[what, 3] == [code] * 3
    errors = [done.stderr_of(what, rank) for rank in range(3)]
    lines = [re.findall(r"^depthub: error: .*\n", text, re.MULTILINE) for text in errors]
    assert [len(of_rank) for of_rank in lines] == [1] * 3
    assert all(re.fullmatch(message, *of_rank) for of_rank in lines)
    assert [("Traceback" in text) for text in errors] == [False, what == "bug", False]  # where it happened, the bug shows


def test_the_others_of_a_process_that_is_killed_end(done: Done) -> None:
    assert done.codes["killed", 3][1] < 0
    assert [done.codes["killed", 3][rank] for rank in (0, 2)] == [1, 1]
    assert all("depthub: error: rank 1 ended silently" in done.stderr_of("killed", rank) for rank in (0, 2))


def test_what_all_processes_fail_with_is_an_exception_like_any_other(done: Done) -> None:
    """One process has the images that make the loss no number; all learn of it, and go on with the next training."""
    assert done.codes["diverged", 3] == [0] * 3
    assert all(done.stderr_of("diverged", rank).startswith("the loss is nan in epoch 1: the run diverged; lower") for rank in range(3))


def test_nothing_ends_processes_that_end_well(done: Done) -> None:
    assert done.codes["well", 3] == [0] * 3
    assert "".join(done.stderr_of("well", rank) for rank in range(3)) == ""


def started(what: str, folder: Path, **changes: object) -> list[subprocess.Popen[str]]:
    """Two processes that somebody starts by hand."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return [
        subprocess.Popen(
            [sys.executable, "-m", "tests.shared", what, str(folder)],
            env=environment(RANK=rank, WORLD_SIZE=2, MASTER_ADDR="127.0.0.1", MASTER_PORT=port, **changes),
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]


def ended(processes: Sequence[subprocess.Popen[str]]) -> list[tuple[int, str]]:
    """Exit code and standard error of each; none is left running."""
    try:
        errors = [process.communicate(timeout=MINUTES)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    return [(process.returncode, text) for process, text in zip(processes, errors, strict=True)]


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits of file sizes")
def test_a_full_disk_of_the_main_process_ends_processes_started_by_hand(tmp_path: Path) -> None:
    """The store by which the processes meet is the main process's, and goes with it."""
    for code, stderr in ended(started("disk", tmp_path)):
        assert stderr.endswith(f"depthub: error: rank 0: cannot write {tmp_path}/tuned.safetensors: File too large\n")
        assert code == 2


def test_without_the_main_process_the_others_end(tmp_path: Path) -> None:
    _, (code, stderr) = ended(started("killed", tmp_path, KILLED=0))
    assert "depthub: error: rank 0 ended silently" in stderr
    assert code == 1


def test_torchrun_starts_what_shares_the_run_on_a_cpu(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m", "tests.shared"]
    done = subprocess.run([*command, "picture", str(tmp_path)], env=environment(ACCELERATE_USE_CPU="yes"), capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.count("depthub: error: rank 1: cannot read image") == 2


# Alone.


@pytest.fixture
def alone() -> Iterator[None]:
    with patch_environment():
        before = {name: os.environ.pop(name) for name in NAMES if name in os.environ}
        yield
        os.environ.update(before)


@pytest.mark.parametrize(
    ("length", "processes", "unit"), [(10, 3, 1), (10, 7, 1), (3, 7, 1), (0, 2, 1), (1, 2, 1), (250, 3, 100), (25, 2, 8)]
)
def test_shares_make_up_the_whole(length: int, processes: int, unit: int) -> None:
    parts = [share(length, rank, processes, unit) for rank in range(processes)]
    assert [i for part in parts for i in part] == list(range(length))
    assert all(part.start % unit == 0 for part in parts if part)
    assert max(map(len, parts)) - min(len(part) for part in parts if part or unit == 1) <= unit
    assert len(parts[0]) > 0 or length == 0


@pytest.mark.usefixtures("alone")
def test_one_process_needs_nobody() -> None:
    with together(accelerator("fp32")):
        assert (gathered(3), broadcast("x")) == ([3], "x")
    with pytest.raises(ValueError, match="its own"), together(accelerator("fp32")):
        raise ValueError("its own")


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize(
    ("variables", "message"),
    [
        (
            {"WORLD_SIZE": "2"},
            "^WORLD_SIZE is 2, but RANK and MASTER_ADDR and MASTER_PORT are not set; start the processes with `depthub launch -n 2 run ",
        ),
        ({"RANK": "0", "WORLD_SIZE": "2"}, "^WORLD_SIZE is 2, but MASTER_ADDR and MASTER_PORT are not set"),
        ({"RANK": "1"}, "^RANK is 1 and WORLD_SIZE is 1, expected a rank from 0 to 0"),
        ({"RANK": "2", "WORLD_SIZE": "2", "MASTER_ADDR": "here", "MASTER_PORT": "1"}, "^RANK is 2 and WORLD_SIZE is 2"),
        ({"RANK": "0", "WORLD_SIZE": "two"}, "^WORLD_SIZE is 'two', expected a whole number"),
        ({"RANK": "-1", "WORLD_SIZE": "1"}, "^RANK is '-1', expected a whole number"),
        ({"SLURM_STEP_NUM_TASKS": "4"}, r"^srun started 4 tasks .*; start one task with `depthub launch -n 4 run ...`"),
        ({"OMPI_COMM_WORLD_SIZE": "2"}, "^mpirun started 2 tasks"),
        ({"PMI_SIZE": "3"}, "^mpiexec started 3 tasks"),
        ({"ACCELERATE_USE_FSDP": "true"}, "^ACCELERATE_USE_FSDP is set, .*; unset it and start with `depthub launch`$"),
        ({"ACCELERATE_USE_DEEPSPEED": "1"}, "^ACCELERATE_USE_DEEPSPEED is set"),
        ({"ACCELERATE_USE_MEGATRON_LM": "yes"}, "^ACCELERATE_USE_MEGATRON_LM is set"),
        ({"ACCELERATE_USE_PARALLELISM_CONFIG": "true"}, "^ACCELERATE_USE_PARALLELISM_CONFIG is set"),
        ({"ACCELERATE_USE_CPU": "perhaps"}, "^ACCELERATE_USE_CPU is 'perhaps', expected yes or no"),
        ({"ACCELERATE_TORCH_DEVICE": "gpu"}, "^ACCELERATE_TORCH_DEVICE is 'gpu', expected a device"),
        ({"ACCELERATE_TORCH_DEVICE": "meta"}, "^ACCELERATE_TORCH_DEVICE is 'meta', expected a device"),
    ],
)
def test_what_would_not_share_the_run_is_refused_in_one_line(variables: dict[str, str], message: str) -> None:
    with patch_environment(**variables), pytest.raises(DepthubError, match=message) as caught:
        accelerator("fp32")
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("alone")
def test_only_the_first_speaks() -> None:
    assert launch.is_main()
    here = {"WORLD_SIZE": 3, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": 1}
    for rank in range(3):
        with patch_environment(RANK=rank, **here):
            assert launch.is_main() == (rank == 0)
            assert launch.place() == (rank, 3)
    with patch_environment(SLURM_STEP_NUM_TASKS=1, RANK=0, WORLD_SIZE=1):
        assert launch.place() == (0, 1)
    code = "import sys; from depthub.system import launch; launch.is_main(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env=environment()).returncode == 0


DISTURBING = {
    "ACCELERATE_GRADIENT_ACCUMULATION_STEPS": "8",
    "ACCELERATE_MIXED_PRECISION": "bf16",
    "ACCELERATE_SPLIT_BATCHES": "false",
    "ACCELERATE_DISPATCH_BATCHES": "true",
    "ACCELERATE_EVEN_BATCHES": "false",
    "ACCELERATE_USE_SEEDABLE_SAMPLER": "true",
    "ACCELERATE_DYNAMO_BACKEND": "inductor",
    "ACCELERATE_FP8_BACKEND": "TE",
    "ACCELERATE_GRADIENT_CLIPPING": "0.001",
    "ACCELERATE_NUM_PROCESSES": "4",
    "ACCELERATE_DOWNCAST_BF16": "true",
    "LOCAL_RANK": "0",
}


@pytest.mark.usefixtures("alone")
def test_the_environment_changes_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def trained() -> tuple[dict[str, torch.Tensor], list[int]]:
        tuner, data = shared.tuner("CoOp"), shared.images()
        shared.fit(tuner, data, shared.THREE, shared.RECIPE, 1, accelerator("fp32"))
        return {n: p.detach() for n, p in tuner.tuned().items()}, shared.evaluate(
            tuner, data, shared.THREE, accelerator("fp32")
        ).predicted.tolist()

    expected, predicted = trained()
    for name, value in DISTURBING.items():
        monkeypatch.setenv(name, value)
    tuned, again = trained()
    assert all(torch.equal(tuned[name], value) for name, value in expected.items())
    assert again == predicted
    fresh = accelerator("fp32")
    assert (fresh.gradient_accumulation_steps, fresh.mixed_precision, fresh.num_processes) == (1, "no", 1)
    assert all(os.environ[name] == value for name, value in DISTURBING.items())  # the user's environment is as it was
