"""Work that several processes share: training, testing, encoding, and failures of one. Run as `python -m tests.shared WHAT FOLDER`."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import PrepareForLaunch, patch_environment
from torch import Tensor
from torch.multiprocessing import start_processes
from torch.utils.data import Dataset, TensorDataset

from depthub import ClassSet, Component, DepthubError, Training
from depthub.compute import device
from depthub.compute.processes import together
from depthub.data.own.folder import Folder
from depthub.encoding import image_features
from depthub.encoding.image_features import ImageFeatures, ViewFeatures
from depthub.encoding.loading.load import load_backbone
from depthub.registry.plugins import installed
from depthub.registry.settings import complete, factory
from depthub.training.checkpoint import Checkpoint
from depthub.training.evaluation import evaluate
from depthub.training.loop import fit
from depthub.training.tuner import Tuner
from tests.models import random_backbone, write_backbone
from tests.processes import alive, wait_until

THREE = ClassSet("three", (0, 1, 2), ("forest", "annual_crop_land", "bird of paradise"))
RECIPE = Training(epochs=2, batch_size=4, lr=0.05, warmup_epochs=0)
TRAININGS = {
    "CoOp": (Component("CoOp", {"n_ctx": 3}), Component("DePT")),
    "CoCoOp": (Component("CoCoOp", {"reduction": 4}), Component("ITM")),
    "KgCoOp": (Component("KgCoOp"), Component("DePT", {"fusion": "probabilities"})),
    "ProGrad": (Component("ProGrad"), Component("ITM")),
    "PromptSRC": (Component("PromptSRC", {"depth": 2}), Component("ITM")),
}


def tuner(name: str) -> Tuner:
    """One of `TRAININGS` on a small random model."""
    plugins, backbone = installed(), random_backbone(dtype=torch.float32)
    method, head = (
        factory(complete(c, kind, plugins), kind, plugins) for c, kind in zip(TRAININGS[name], ("methods", "heads"), strict=True)
    )
    torch.manual_seed(7)
    return Tuner(backbone, method(backbone, THREE), head(backbone.dim, THREE))


def images(number: int = 10, *, pixels: bool = False) -> TensorDataset:
    """Random images of three classes."""
    generator = torch.Generator().manual_seed(0)
    shape = (3, 32, 32) if pixels else (24,)
    return TensorDataset(torch.randn(number, *shape, generator=generator), torch.arange(number) % 3)


def train(folder: str) -> None:
    """Every training with batches of four and of one. The main process writes parameters, losses, counts and predictions."""
    accelerator, outcomes = device.accelerator("fp32"), {}
    for name in TRAININGS:
        for batch in (4, 1):
            trained, losses = tuner(name), list[float]()
            data = images(pixels=trained.method.tunes_image)
            recipe = replace(RECIPE, batch_size=batch)
            fit(trained, data, THREE, recipe, 1, accelerator, on_epoch=lambda _, loss, to=losses: to.append(loss))
            few = evaluate(trained, data, THREE, accelerator)
            many = evaluate(trained, images(250, pixels=True), THREE, accelerator) if name == "CoOp" else few
            tensors = {n: p.detach() for n, p in trained.tuned().items()}
            outcomes[name, batch] = tensors, losses, [few.count(), many.count()], [vars(few), vars(many)]
    if accelerator.is_main_process:
        torch.save(outcomes, Path(folder) / f"trained-{accelerator.num_processes}.pt")


def encode(folder: str) -> None:
    """Features of pictures and of their views, in batches of eight. Each process writes them, the number of images that it encoded itself,
    and the progress that was reported to it.
    """
    accelerator, image_features.BATCH = device.accelerator("fp32"), 8
    spec = write_backbone(Path(folder) / f"model-{accelerator.process_index}")
    backbone, encoded, progress = load_backbone(spec, {}), list[int](), list[tuple[int, int]]()
    encode_image = backbone.encode_image

    def counting(pixels: Tensor, *args: Any) -> Tensor:
        encoded.append(len(pixels))
        return encode_image(pixels, *args)

    backbone.encode_image = counting  # type: ignore[method-assign]
    features = ImageFeatures(backbone, spec)
    examples = Folder(Path(folder) / "pictures").load().named("colours").train
    first = features.of(examples.take(list(range(5)))).tensors[0]
    rows = features.of(examples, on_progress=lambda *done: progress.append(done)).tensors[0]
    views = ViewFeatures(features, examples, 3)
    views.epoch = 1
    of_views = torch.stack([views[i][0] for i in range(len(views))])
    path = Path(folder) / f"encoded-{accelerator.num_processes}-{accelerator.process_index}.pt"
    torch.save((first, rows, of_views, sum(encoded), progress), path)


class Unreadable(Dataset[tuple[Tensor, int]]):
    """Ten images; the second process cannot read them."""

    def __init__(self, rank: int) -> None:
        self.broken = rank == 1

    def __len__(self) -> int:
        return 10

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        if self.broken:
            raise DepthubError(f"cannot read image {i}.png: truncated; replace the file")
        return torch.ones(24), i % 3


def picture(rank: int, folder: str, accelerator: Any) -> None:
    """A data-loading worker of the second process cannot read an image."""
    fit(tuner("CoOp"), Unreadable(rank), THREE, RECIPE, 1, accelerator, workers=1)


def disk(rank: int, folder: str, accelerator: Any) -> None:
    """The main process cannot write the checkpoint: the system limits the size of files."""
    import resource

    if rank == 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))
    fit(tuner("CoOp"), images(), THREE, RECIPE, 1, accelerator, checkpoint=Checkpoint(Path(folder) / "tuned.safetensors", "a run"))


def bug(rank: int, folder: str, accelerator: Any) -> None:
    """The second process fails before its first exchange with the others, which wait for it."""
    if rank == 1:
        raise ValueError("a bug\nof two lines")
    fit(tuner("CoOp"), images(), THREE, RECIPE, 1, accelerator)


def late(rank: int, folder: str, accelerator: Any) -> None:
    """The main process fails when the others have finished."""
    finished = [Path(folder) / f"finished-{other}" for other in range(1, accelerator.num_processes)]
    if rank > 0:
        finished[rank - 1].touch()
    else:
        wait_until(lambda: all(path.exists() for path in finished), "the others to finish")
        raise DepthubError("cannot write the result: the disk is full; free some space")


def killed(rank: int, folder: str, accelerator: Any) -> None:
    """One process is killed after a first exchange between all."""
    accelerator.wait_for_everyone()
    if rank == int(os.environ.get("KILLED", "1")):
        os.kill(os.getpid(), signal.SIGKILL)
    fit(tuner("CoOp"), images(), THREE, RECIPE, 1, accelerator)


def diverged(rank: int, folder: str, accelerator: Any) -> None:
    """The loss of the second process is not a number: all processes fail alike, and can go on."""
    data = images()
    if rank == 1:
        data.tensors[0].fill_(float("nan"))
    try:
        with together(accelerator):
            fit(tuner("CoOp"), data, THREE, RECIPE, 1, accelerator)
    except DepthubError as error:
        sys.stderr.write(f"{error}\n")
    fit(tuner("CoOp"), images(), THREE, RECIPE, 1, accelerator)


def well(rank: int, folder: str, accelerator: Any) -> None:
    """Nothing fails, and the processes end one after another."""
    pids = [Path(folder) / f"pid-{one}" for one in range(accelerator.num_processes)]
    pids[rank].write_text(str(os.getpid()))
    with together(accelerator):
        fit(tuner("CoOp"), images(), THREE, RECIPE, 1, accelerator)
    if rank > 0:
        wait_until(lambda: not alive(int(pids[rank - 1].read_text())), f"the end of rank {rank - 1}")


ALONE = {"well": well, "diverged": diverged}  # with a `together` of their own
FAILURES: dict[str, Callable[[int, str, Any], None]] = {"picture": picture, "bug": bug, "late": late, "killed": killed, "disk": disk}


def act(what: str, folder: str) -> None:
    """One of the above, with its error as the command line shows it."""
    accelerator = device.accelerator("fp32")
    rank = accelerator.process_index
    try:
        if what in ALONE:
            ALONE[what](rank, folder, accelerator)
        else:
            with together(accelerator):
                FAILURES[what](rank, folder, accelerator)
    except DepthubError as error:
        sys.stderr.write(f"depthub: error: {error}\n")
        sys.exit(2)


def act_apart(what: str, folder: str) -> None:
    """`act`, with standard error in a file of this process."""
    rank = torch.distributed.get_rank()
    os.dup2(os.open(Path(folder) / f"{what}-{rank}.txt", os.O_CREAT | os.O_WRONLY), 2)
    act(what, folder)


def launched(do: Callable[..., None], number: int, folder: str) -> list[int]:
    """Exit codes of processes that are forked from this one, as `accelerate.debug_launcher` does."""
    meeting = Path(folder) / f"meeting-{time.monotonic_ns()}"
    variables = {"world_size": number, "master_addr": "127.0.0.1", "master_port": 29500, "gloo_socket_ifname": "lo"}
    variables |= {"accelerate_debug_rdv_file": str(meeting), "accelerate_use_cpu": "yes"}
    with patch_environment(**variables):
        context = start_processes(PrepareForLaunch(do, debug=True), (folder,), number, join=False, start_method="fork")
        for process in context.processes:
            process.join()
    return [process.exitcode for process in context.processes]


def main(what: str, folder: str) -> None:
    """Everything in forked processes, whose exit codes are written to a file; or one kind of work in this process, as one of several."""
    torch.set_num_threads(1)
    if what != "all":
        act(what, folder)
        return
    codes = {(do.__name__, number): launched(do, number, folder) for do in (train, encode) for number in (2, 3, 7)}
    codes |= {(each, 3): launched(partial(act_apart, each), 3, folder) for each in (*ALONE, "picture", "bug", "late", "killed")}
    torch.save(codes, Path(folder) / "codes.pt")


if __name__ == "__main__":
    main(*sys.argv[1:])
