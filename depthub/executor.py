"""Executors: they decide where and when runs are done."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence
from pathlib import Path


class Executor(ABC):
    """Does packs of runs: in processes of this machine, on a cluster, or in this process. It decides where and when they are done, never
    what is done.

    A pack is a file that names runs, options and the store of the results. Two things carry it out: `depthub.do_pack(path)` in any Python
    process, which an executor with processes of its own calls for one pack after another; and the command `depthub work PATH`. The
    runs of a pack have data, backbone and method in common and train together, so that the start of a process, the model and the features
    are paid once. Results and failures of runs are found in the store, which all machines must reach by the same path.

    A subclass is named by its class's name. Its constructor's keywords are its settings, each with a type and a default that JSON can hold,
    documented under `Args:` of the class. It does not affect results: they do not record their executor.

    Attributes:
        slots: packs that it does at a time, so that there are enough of them; 0: unknown, then packs are as large as stacks.
    """

    slots: int = 0

    def missing(self) -> str:
        """One line about the program, package or cluster that it needs and this machine lacks, with a remedy; empty if nothing is missing.

        Asked before the work begins; the line is then the message of the error.
        """
        return ""

    @abstractmethod
    def map(self, packs: Sequence[Path]) -> Generator[tuple[int, Exception | None], None, None]:
        """Carry out each pack once, and yield its index when it has ended, in any order.

        A pack that was cut off by the loss of its machine may be carried out again: finished runs are not repeated, the others go on from
        their last epoch. Closing the generator ends the packs under way and begins no other; no process of the executor outlives this one.

        Args:
            packs: files of the N packs, at absolute paths; they exist until the generator is closed.

        Yields:
            (i, None) when pack i has ended, also if runs of it failed; (i, error) if it could not be carried out. i is from 0 to N - 1,
            each once.
        """
