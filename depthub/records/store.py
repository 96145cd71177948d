"""Runs on disk: one folder a run, named by the run's id."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from depthub.errors import DepthubError
from depthub.records.document import check, document, dumps, read
from depthub.records.result import RunResult, Sample
from depthub.spec import RunSpec
from depthub.system.files import atomic_write

__all__ = ["FILE", "RunResult", "Sample", "Store", "document", "dumps", "read"]

FILE = "run.json"
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
            return _read_in_place(path) if path.exists() else None
        except OSError as error:
            raise DepthubError(f"cannot read {path}: {error.strerror or error}") from error

    def save(self, result: RunResult, files: Mapping[str, bytes] | None = None) -> Path:
        """Write a run's files, the document last: a run is finished when its document is there. A result that is there already is kept
        in a folder of its own, see `set_aside`.

        Args:
            result: of the run.
            files: further files of the run by name, whose digests the document holds.

        Returns:
            The document.

        Raises:
            DepthubError: if the result does not fit the schema, or cannot be written.
        """
        files = files or {}
        made = document(result, files)
        check(made, f"run {made['run_id'][:12]}")
        self.set_aside(result.spec)
        folder = self.path(result.spec)
        for name, content in files.items():
            atomic_write(folder / name, content)
        return atomic_write(folder / FILE, dumps(made))

    def require_writable(self) -> None:
        """Notice a folder that cannot be written before a run has trained for hours, not after.

        Raises:
            DepthubError: if the system would refuse.
        """
        place = self.root.absolute()
        while not place.exists() and place != place.parent:
            place = place.parent
        if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
            raise DepthubError(f"cannot write into {place}, where the results go; choose another folder with --runs")

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

    def find(self, given: str) -> Path:
        """The place of a run: a path as it is given, or the folder of the one run here whose id begins so.

        Raises:
            DepthubError: if there is no such run, or more than one.
        """
        if os.path.lexists(given):
            return Path(given)
        folders = [path for path in self._folders() if given and path.name.startswith(given)]
        if not folders:
            known = "no folder, and no run id begins so"
            raise DepthubError(f"no run {given!r}: {known} in {self.root} (--runs); `depthub runs list {self.root}` shows what there is")
        if len(folders) > 1:
            names = ", ".join(path.name[: len(given) + 6] for path in folders[:3])
            raise DepthubError(f"{len(folders)} runs in {self.root} have ids that begin with {given!r} ({names} ...); give more of the id")
        return folders[0]

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
        """Every run folder by run id: its result, or why it has none.

        Args:
            recount: as in `read`.

        Raises:
            DepthubError: if the folder cannot be read.
        """
        for folder in self._folders():
            path = folder / FILE
            try:
                if path.exists() or path.is_symlink() or folder.is_symlink():
                    yield _read_in_place(path, recount)
            except DepthubError as error:
                yield error
            except OSError as error:
                yield DepthubError(f"cannot read {path}: {error.strerror or error}")

    def results(self) -> Iterator[RunResult]:
        """All finished runs, by run id.

        Raises:
            DepthubError: if a file is damaged.
        """
        for outcome in self.scan():
            if isinstance(outcome, DepthubError):
                raise outcome
            yield outcome

    def _folders(self) -> list[Path]:
        """The folders below the root, and links that may be meant as such, by name."""
        try:
            return sorted(path for path in self.root.iterdir() if path.is_symlink() or path.is_dir()) if self.root.exists() else []
        except OSError as error:
            raise DepthubError(f"cannot read {self.root}: {error.strerror or error}") from error


def _read_in_place(path: Path, recount: bool = True) -> RunResult:
    result = read(path, recount=recount)
    if path.parent.name != result.spec.run_id:
        raise DepthubError(f"{path}: the folder is named for another run than the {result.spec.run_id[:12]}... in it; remove the copy")
    return result
