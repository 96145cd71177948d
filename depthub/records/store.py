"""Runs on disk: one folder per run, named by the run's id; and packed runs beside them, which are only read."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from depthub.errors import DepthubError
from depthub.records.document import StoredRun, document, dumps, read
from depthub.records.document_checks import check
from depthub.records.entries import FILE, FolderRun, entries, packed_files
from depthub.records.result import RunResult, Sample
from depthub.spec import RunSpec
from depthub.system.files import atomic_write, require_writable

__all__ = ["FILE", "RunResult", "Sample", "Store", "document", "dumps", "read"]

EARLIER = "earlier-"  # what the names of superseded results' folders begin with


class Store:
    """Runs under a folder, each in a folder named by its run id.

    Args:
        root: the folder; made when the first run is saved.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    def path(self, spec: RunSpec) -> Path:
        """The run's folder, whether or not it exists."""
        return self.root / spec.run_id

    def load(self, spec: RunSpec) -> RunResult | None:
        """The finished run with this spec, or None.

        Raises:
            DepthubError: if its file is damaged, or cannot be looked for.
        """
        path = self.path(spec) / FILE
        try:
            return FolderRun(path.parent).read().result if path.exists() else None
        except OSError as error:
            raise DepthubError(f"cannot read {path}: {error.strerror or error}") from error

    def save(self, result: RunResult, files: Mapping[str, bytes] | None = None) -> Path:
        """Write a run's files, the document last: a run is finished when its document is there. A result that is there already is kept
        in a folder of its own, see `set_aside`.

        Args:
            result: of the run.
            files: further files of the run by name; the document holds their digests.

        Returns:
            The document.

        Raises:
            DepthubError: if the result does not fit the schema, or cannot be written.
        """
        files = files or {}
        fields = document(result, files)
        check(fields, f"run {fields['run_id'][:12]}")
        self.set_aside(result.spec)
        folder = self.path(result.spec)
        for name, content in files.items():
            atomic_write(folder / name, content)
        return atomic_write(folder / FILE, dumps(fields))

    def require_writable(self) -> None:
        """Notice a folder that cannot be written before a run has trained for hours, not after.

        Raises:
            DepthubError: if the system would refuse.
        """
        require_writable(self.root, "--runs")
        if packed := packed_files(self.root):
            raise DepthubError(f"{self.root} holds packed runs ({packed[0].name}), which are only read; choose another folder with --runs")

    def set_aside(self, spec: RunSpec) -> Path | None:
        """Move a finished result into a folder `earlier-...` of the run's, where `read` finds it and nothing else looks for it.

        Returns:
            That folder; None if there is no result.

        Raises:
            DepthubError: if the system refuses.
        """
        folder = self.path(spec)
        try:
            if not (folder / FILE).is_file():
                return None
            number = sum(1 for _ in folder.glob(f"{EARLIER}*")) + 1
            aside = folder / f"{EARLIER}{number}"
            shutil.copytree(folder, aside, ignore=shutil.ignore_patterns(f"{EARLIER}*", ".*"))
            for path in [folder / FILE, *(path for path in folder.iterdir() if path.is_file())]:  # a crash in between loses nothing
                path.unlink(missing_ok=True)
        except OSError as error:
            raise DepthubError(f"cannot keep the earlier result of {folder}: {error.strerror or error}") from error
        return aside

    def named(self, name: str) -> RunResult:
        """The run at a path, or the one run here with an id that begins so, read with every check.

        Raises:
            DepthubError: if there is no such run, or more than one, or it is damaged.
        """
        if os.path.lexists(name):
            return read(Path(name))
        runs = [entry for entry in entries(self.root) if name and entry.run_id.startswith(name)]
        if not runs:
            reason = f"no folder, and no run id begins so in {self.root} (--runs)"
            raise DepthubError(f"no run {name!r}: {reason}; `depthub runs list {self.root}` shows what there is")
        if len(runs) > 1:
            ids = ", ".join(entry.run_id[: len(name) + 6] for entry in runs[:3])
            raise DepthubError(f"{len(runs)} runs in {self.root} have ids that begin with {name!r} ({ids} ...); give more of the id")
        return runs[0].read().result

    def drop_repeated(self, aside: Path | None, result: RunResult) -> None:
        """Remove a result that was set aside if the new one, on disk by now, has the same counts from the same inputs.

        Args:
            aside: its folder; None: there was none.
            result: the new one.
        """
        if aside is None:
            return
        with suppress(DepthubError, OSError):  # what cannot be compared or removed stays
            earlier = read(aside, recount=False)
            if earlier.counts == result.counts and earlier.provenance.get("inputs") == result.provenance.get("inputs"):
                shutil.rmtree(aside)

    def scan(self, *, recount: bool = True) -> Iterator[RunResult | DepthubError]:
        """Every run by run id, from run folders and packed files: its result, or why it has none.

        Args:
            recount: as in `read`.

        Raises:
            DepthubError: if the folder cannot be read.
        """
        for run in self.stored(recount=recount):
            yield run.result if isinstance(run, StoredRun) else run

    def stored(self, *, recount: bool = True) -> Iterator[StoredRun | DepthubError]:
        """As `scan`, each result with its document."""
        for entry in entries(self.root):
            try:
                yield entry.read(recount=recount)
            except DepthubError as error:
                yield error

    def results(self) -> Iterator[RunResult]:
        """All finished runs, by run id.

        Raises:
            DepthubError: if a file is damaged.
        """
        for outcome in self.scan():
            if isinstance(outcome, DepthubError):
                raise outcome
            yield outcome
