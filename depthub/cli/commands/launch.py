"""`depthub launch -n N run ...`: several processes that share a run."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from typing import Any

from jsonargparse import Namespace

from depthub.cli.commands import run
from depthub.cli.ending import Ended
from depthub.cli.options.parser import Parser
from depthub.cli.progress import Activity
from depthub.errors import DepthubError
from depthub.system import launch
from depthub.system.activity import tell
from depthub.system.provenance import cores

HELP = "share one run among several processes: depthub launch -n 2 run ..."
COMMAND = "run"  # processes share runs, nothing else


class LaunchParser(Parser):
    """Parses its own options, and keeps the command that the processes are to do."""

    def parse_args(self, args: Sequence[str] | None = None, *rest: Any, **more: Any) -> Namespace:  # type: ignore[override]
        """As the parser of other commands.

        Raises:
            DepthubError: without the command, or for a command that processes cannot share.
        """
        args = sys.argv[1:] if args is None else args
        end = args.index(COMMAND) if COMMAND in args else len(args)
        config = super().parse_args(args[:end], *rest, **more)
        if end == len(args):
            raise DepthubError("missing: run; expected for example `depthub launch -n 2 run --data tones`")
        config.arguments = list(args[end + 1 :])
        return config


def parser() -> Parser:
    """The command's options."""
    text = "Start processes that share the batches and the image encoding of one run. Its counts and its id are those of one process."
    parser = LaunchParser("depthub launch", text, usage="depthub launch [-n N] run [options of depthub run]")
    words = "processes (default: one per GPU, or 2 on a CPU)"
    parser.add("-n", dest="processes", type=int, default=0, metavar="N", help=words)
    return parser


def main(config: Namespace) -> int:
    """Start the processes and wait for their end; the exit status is that of the first that failed."""
    if launch.place()[1] > 1:
        raise DepthubError("this process is one of several already; start `depthub launch` once, outside torchrun and other launchers")
    with Activity():  # ends before the processes show theirs
        number = _number(config.processes)
        run.parser().parse_args(config.arguments)  # a mistake is said once, and before anything starts
    return _shared(number, config.arguments)


def _number(number: int) -> int:
    """Number of the processes, with the environment that they need.

    Raises:
        DepthubError: for a number that this machine does not have devices for.
    """
    tell("loading torch and plugins")
    import torch

    gpus = 0 if launch.flag("ACCELERATE_USE_CPU") else torch.cuda.device_count()
    if number < 0:
        raise DepthubError(f"-n is {number}, expected 1 or more processes")
    if gpus and number > gpus:
        raise DepthubError(f"-n is {number}, but this machine has {gpus} GPU(s), one for each process; ACCELERATE_USE_CPU=1 uses the CPU")
    if not gpus:
        os.environ["ACCELERATE_USE_CPU"] = "1"
    number = number or gpus or 2
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores() // number)))
    return number


def _shared(number: int, arguments: Sequence[str]) -> int:
    """Start processes by torch's own launcher.

    Raises:
        Ended: if a signal ended them.
    """
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)  # the processes say themselves what failed
    # a free port, so that several launches can stand side by side
    config = LaunchConfig(1, 1, number, run_id="depthub", rdzv_backend="c10d", rdzv_endpoint="localhost:0", max_restarts=0)
    try:
        elastic_launch(config, sys.executable)("-m", "depthub", COMMAND, *arguments)
    except ChildFailedError as error:
        status: int = error.get_first_failure()[1].exitcode
        return status if status > 0 else 128 - status  # a signal's number, as shells have it
    except SignalException as end:
        raise Ended(end.sigval.value) from None
    return 0
