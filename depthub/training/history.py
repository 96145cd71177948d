"""The history of a run: a line of JSON for each epoch, beside its result."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from depthub.errors import DepthubError
from depthub.records.entries import HISTORY
from depthub.system.files import atomic_write

Line = dict[str, Any]  # of an epoch, with the keys of `History.add`
OnLine = Callable[[Line], None]


class History:
    """Loss, learning rates and seconds of every epoch of a training, in the file of its run.

    The file has no digest in the run's document: seconds differ from execution to execution.

    Args:
        folder: of the run; its trainings share the file.
        stage: number of the training, from 0.
        on_line: called with the line of every epoch, as soon as it is written.
    """

    def __init__(self, folder: Path, stage: int, on_line: OnLine | None = None) -> None:
        self.path, self.stage, self.on_line = folder / HISTORY, stage, on_line

    def resume(self, epochs: int) -> None:
        """Keep the lines of the first epochs of this training, and of the others; a line that was cut off is dropped.

        Args:
            epochs: done by the training so far.

        Raises:
            DepthubError: if the file cannot be written.
        """
        lines = [line for line in self._lines() if line["stage"] != self.stage or line["epoch"] <= epochs]
        if self.path.exists():
            atomic_write(self.path, "".join(map(_text, lines)).encode())

    def add(self, epoch: int, loss: float, rates: Mapping[str, float], seconds: float) -> None:
        """Write the line of an epoch.

        Args:
            epoch: done, from 1.
            loss: mean over its steps.
            rates: learning rates of method and head.
            seconds: of the epoch, with reading its images.

        Raises:
            DepthubError: if the file cannot be written.
        """
        line = {"stage": self.stage, "epoch": epoch, "loss": loss, "rates": dict(rates), "seconds": round(seconds, 3)}
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(_text(line))
        except OSError as error:
            raise DepthubError(f"cannot write {self.path}: {error.strerror or error}") from error
        if self.on_line:
            self.on_line(line)

    def _lines(self) -> list[Line]:
        """The lines up to the first that a killed process did not finish."""
        lines: list[Line] = []
        with suppress(OSError, ValueError, TypeError, KeyError):
            for text in self.path.read_text(encoding="utf-8").splitlines():
                values = json.loads(text)
                lines.append({**values, "stage": int(values["stage"]), "epoch": int(values["epoch"])})
        return lines


def _text(line: Line) -> str:
    return json.dumps(line) + "\n"
