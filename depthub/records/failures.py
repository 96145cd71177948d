"""Runs that ended without a result: the reason, in a file of the run's folder, until the run is done again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from traceback import format_exception
from typing import Any, Literal

from depthub.errors import DepthubError, DivergedError
from depthub.identity.inputs import decisive
from depthub.spec import RunSpec, digest
from depthub.system.files import atomic_write

FILE = "failure.json"


@dataclass(frozen=True)
class Failure:
    """The end of a run without a result.

    Args:
        run_id: of the run.
        status: "diverged" if loss or parameters were no longer finite, else "failed".
        error: name of the error's class.
        message: of the error.
        traceback: of the error; empty for a user's mistake.
        epoch: of the divergence, from 1; None for other failures.
        inputs: `fingerprint` of the code and data that failed; empty: not known.
    """

    run_id: str
    status: Literal["failed", "diverged"]
    error: str
    message: str
    traceback: str = ""
    epoch: int | None = None
    inputs: str = ""

    @classmethod
    def of(cls, spec: RunSpec, error: Exception, inputs: str = "") -> Failure:
        """The failure of a run with an error, from code and data with that fingerprint."""
        status: Literal["failed", "diverged"] = "diverged" if isinstance(error, DivergedError) else "failed"
        is_mistake = isinstance(error, DepthubError)
        trace = "" if is_mistake else "".join(format_exception(error))
        name = DepthubError.__name__ if is_mistake else type(error).__name__
        return cls(spec.run_id, status, name, str(error), trace, getattr(error, "epoch", None), inputs)

    def as_error(self) -> Exception:
        """An error with the same message; of a bug with its traceback as a note."""
        if self.error == DepthubError.__name__:
            return DepthubError(self.message)
        error = RuntimeError(f"{self.error}: {self.message}")
        error.add_note(self.traceback)
        return error


def fingerprint(inputs: Mapping[str, Any]) -> str:
    """SHA-256 of the code and data of a run, see `depthub.identity.inputs`: with other ones it may not fail again."""
    return digest({name: value for name, value in decisive(inputs).items() if name != "backbone"})


def write(folder: Path, failure: Failure) -> None:
    """Record a failure in a run's folder. A disk that takes nothing is not reported: the failure itself will be.

    Args:
        folder: of the run.
        failure: of the run.
    """
    with suppress(DepthubError):
        atomic_write(folder / FILE, (json.dumps(asdict(failure), indent=1) + "\n").encode())


def read(folder: Path) -> Failure | None:
    """The recorded failure of a run; None if there is none, or none that can be read: then the run is simply not done."""
    try:
        return Failure(**json.loads((folder / FILE).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def clear(folder: Path) -> None:
    """Forget the failure of a run that is done again."""
    with suppress(OSError):
        (folder / FILE).unlink(missing_ok=True)
