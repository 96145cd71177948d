"""What a finished run tuned, as the start or a part of another run."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor

from depthub.errors import DepthubError
from depthub.identity.file_digests import file_sha256
from depthub.records.document import read
from depthub.training.checkpoint import BUFFER, SLOTS
from depthub.values.places import RUN


def finished_tensors(run: str, stage: int = 0) -> dict[str, Tensor]:
    """The tuned parameters and persistent buffers of a finished run by name, such as "method.context", on the CPU.

    Args:
        run: `run:FOLDER`, as a setting of a method has it: the run's spec then names the other run by its id, and another content of that
            run is another input.
        stage: number of the run's training.

    Raises:
        DepthubError: if there is no such run, or its files are not those that it was written with.
    """
    folder = Path(run.removeprefix(RUN))
    if not run.startswith(RUN) or not (folder / "run.json").is_file():
        raise DepthubError(f"{run!r} is not a finished run; expected {RUN}FOLDER, a run's own folder such as {RUN}runs/0123abcd...")
    result, path = read(folder, recount=False), folder / f"tuned-{stage}.safetensors"
    if not path.is_file() or file_sha256(path) != result.files.get(path.name):
        raise DepthubError(f"{path} is missing, or not the file that the run beside it was written with; do that run again with --force")
    tensors = {name.removeprefix(BUFFER): value for name, value in load_file(path).items() if not name.startswith(tuple(SLOTS.values()))}
    return tensors
