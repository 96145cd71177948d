"""Packs: runs that are done together, as a file that any process on any machine with the same disk can carry out.

An executor is given packs and decides where and when they are done; results and failures are found in the store afterwards. Of a run
nothing but its spec and its id travels, never an object of this process:

    {"pack": 1, "store": "/data/runs", "options": {"stack": "auto", ...}, "session": null,
     "command": ["suite", "run", "shapes"], "runs": {"<run id>": {"method": ..., "seed": 1}, ...}}
"""

from __future__ import annotations

import json
import secrets
import shutil
import time
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from depthub.errors import DepthubError
from depthub.records import failures
from depthub.records.store import FILE, Store
from depthub.running.claims import PAUSE, Claims
from depthub.running.options import RunOptions
from depthub.spec import RunSpec
from depthub.system.activity import tell
from depthub.system.files import atomic_write
from depthub.system.provenance import command

if TYPE_CHECKING:
    from depthub.executor import Executor
    from depthub.records.result import RunResult
    from depthub.running.resolved import Resolved

FOLDER = ".packs"  # in the folder of runs
VERSION = 1  # of the file
AGAIN = 2  # times that a pack is done again which ended without a trace of a run
SESSION = secrets.token_hex(8)  # this process; a forked one has the same parts
Outcome = tuple[int, "RunResult | Exception", bool]


@dataclass(frozen=True)
class Pack:
    """Runs that one process does together.

    Args:
        specs: by run id; resolved, with the paths of this machine.
        store: folder of the run files.
        options: of the runs.
        session: the session without which they cannot be done, and a part of them that only it has, in words; None: any process can.
        command: the command line that asked for them, for their provenance.
    """

    specs: Mapping[str, RunSpec]
    store: Path
    options: RunOptions
    session: tuple[str, str] | None = None
    command: tuple[str, ...] = ()

    def write(self, path: Path) -> Path:
        """Write the pack's file; returns its path.

        Raises:
            DepthubError: if it cannot be written.
        """
        options = {name: str(value) if isinstance(value, Path) else value for name, value in asdict(self.options).items()}
        runs = {run_id: spec.as_dict() for run_id, spec in self.specs.items()}
        fields = {"pack": VERSION, "store": str(self.store.absolute()), "options": options, "session": self.session}
        fields |= {"command": self.command, "runs": runs}
        return atomic_write(path, json.dumps(fields, indent=1).encode())

    @classmethod
    def read(cls, path: Path) -> Pack:
        """The pack in a file.

        Raises:
            DepthubError: if it is not the file of a pack, or of another version of depthub.
        """
        try:
            fields: dict[str, Any] = json.loads(path.read_bytes())
            if fields["pack"] != VERSION:
                raise DepthubError(f"{path} is a pack of version {fields['pack']}, expected {VERSION}: use one depthub everywhere")
            specs = {run_id: RunSpec.of(values) for run_id, values in fields["runs"].items()}
            session = tuple(fields["session"]) if fields["session"] else None
            pack = cls(specs, Path(fields["store"]), RunOptions(**fields["options"]), session, tuple(fields["command"]))
        except OSError as error:
            raise DepthubError(f"cannot read the pack {path}: {error.strerror or error}") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DepthubError(f"{path} is not a pack of depthub ({error}); executors are given such files") from error
        if others := [run_id for run_id, spec in specs.items() if spec.run_id != run_id]:
            raise DepthubError(f"{path}: the spec of run {others[0][:12]} has another id; the file was edited")
        return pack


def through(
    executor: Executor,
    runs: Sequence[Resolved],
    packs: Sequence[Sequence[int]],
    store: Store,
    options: RunOptions,
    session_part: str = "",
) -> Generator[Outcome, None, None]:
    """Do runs in packs through an executor.

    Args:
        executor: does the packs.
        runs: resolved.
        packs: the places of each pack's runs.
        store: of the results.
        options: of the runs.
        session_part: a part of the runs that only this process has, in words; empty if there is none.

    Yields:
        (place, result or error, found_on_disk) when a run's pack has ended, in any order.

    Raises:
        DepthubError: if the executor lacks something on this machine.
    """
    if reason := executor.missing():
        raise DepthubError(reason)
    session = (SESSION, session_part) if session_part else None
    specs = [run.spec for run in runs]
    traces = _Traces(store, specs)
    remaining = [list(pack) for pack in packs]
    while remaining:
        busy = []
        contents = [
            Pack({specs[place].run_id: specs[place] for place in pack}, store.root, options, session, command.get()) for pack in remaining
        ]
        with _files(contents) as paths, closing(executor.map(paths)) as ended:
            for index, error in ended:
                outcomes = traces.outcomes(remaining[index], error)
                yield from ((place, outcome, False) for place, outcome in outcomes.items())
                busy.append([place for place in remaining[index] if place not in outcomes])
        remaining = [pack for pack in busy if pack]
        if remaining:
            traces.wait([place for pack in remaining for place in pack])


class _Traces:
    """What packs leave in a store, as outcomes of their runs.

    Args:
        store: of the results.
        specs: of all runs.
    """

    def __init__(self, store: Store, specs: Sequence[RunSpec]) -> None:
        self.store, self.specs, self.claims = store, specs, Claims(store.root)
        self._before = [self._state(place) for place in range(len(specs))]
        self._traceless: Counter[int] = Counter()  # by place, packs that ended without a trace of the run

    def outcomes(self, places: Sequence[int], error: Exception | None) -> dict[int, RunResult | Exception]:
        """The outcomes of a pack's runs; without those that another process is doing now, or was doing when it was killed, which leaves no
        trace: the pack is done again for them, `AGAIN` times.

        Args:
            places: of the runs.
            error: of the pack, if it did not end as it should.
        """
        active = self.claims.active()
        ended = {place: self._outcome(place, error) for place in places if self.specs[place].run_id not in active}
        self._traceless.update(place for place, outcome in ended.items() if outcome is None)
        return {place: outcome or self._missing(place) for place, outcome in ended.items() if outcome or self._traceless[place] > AGAIN}

    def wait(self, places: Sequence[int]) -> None:
        """Wait until a run that another process does has ended."""
        run_ids = {self.specs[place].run_id for place in places}
        tell("waiting for runs that other processes do:", 0, len(run_ids))
        while run_ids <= self.claims.active():
            time.sleep(PAUSE)

    def _missing(self, place: int) -> DepthubError:
        return DepthubError(f"run {self.specs[place].run_id[:12]} has no result although its pack has ended; start again")

    def _outcome(self, place: int, error: Exception | None) -> RunResult | Exception | None:
        """What there is of a run; None without a trace of it."""
        spec, state = self.specs[place], self._state(place)
        folder = self.store.path(spec)
        failure = failures.read(folder) if state[1] and (error is None or state[1] != self._before[place][1]) else None
        if failure:
            return failure.as_error()
        is_new = state[0] != self._before[place][0]
        try:
            # a pack that ended as it should leaves an old result only if it is still right
            result = self.store.load(spec) if is_new or error is None else None
        except DepthubError as damage:
            return damage
        return result or error

    def _state(self, place: int) -> tuple[int, int]:
        """Times of change of a run's document and of its record of a failure; 0 for a file that is not there."""
        folder = self.store.path(self.specs[place])
        return _changed(folder / FILE), _changed(folder / failures.FILE)


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


@contextmanager
def _files(packs: Sequence[Pack]) -> Iterator[list[Path]]:
    """The files of packs in their store. They are removed at the end, or by `runs gc` if this process is killed: its claim on them ends
    with it."""
    name = secrets.token_hex(8)
    folder = packs[0].store.absolute() / FOLDER / name
    with Claims(packs[0].store).on([name]):
        try:
            yield [pack.write(folder / f"{number:05}.json") for number, pack in enumerate(packs)]
        finally:
            shutil.rmtree(folder, ignore_errors=True)
