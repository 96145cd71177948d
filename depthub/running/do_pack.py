"""Carries out a pack in this process, wherever an executor has it done."""

from __future__ import annotations

import logging
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from depthub.errors import DepthubError
from depthub.records import failures
from depthub.records.store import Store
from depthub.running.jobs import carry_out
from depthub.running.packs import SESSION, Pack
from depthub.running.resolving import Resolver
from depthub.system.provenance import asked_by

if TYPE_CHECKING:
    from depthub.running.resolved import Resolved

_log = logging.getLogger("depthub")


def do_pack(path: Path) -> None:
    """Do the runs of a pack and store their results. Runs that are done already, or that another process does, are left out.

    A failed run does not stop the others and is not an error of the pack: its reason is stored where its result would be. Ended in the
    middle, the pack may be done again, by this process or another: finished runs stay, the others go on from their last epoch.

    Args:
        path: the pack's file, as executors are given it.

    Raises:
        DepthubError: if it is not the file of a pack, its runs need another session, or the store cannot be written.
    """
    pack = Pack.read(Path(path))
    if pack.session and pack.session[0] != SESSION:
        raise DepthubError(
            f"{pack.session[1]} is registered for this session only, and other processes do not have it; "
            "run without an executor, or make it a plugin"
        )
    store = Store(pack.store)
    events = carry_out(_resolved(pack, store), store, pack.options, _log.warning, in_pack=True)
    with asked_by(pack.command), closing(events):
        for _ in events:  # each is in the store by now
            pass


def _resolved(pack: Pack, store: Store) -> list[Resolved]:
    """The runs of a pack that can be done here; the others are recorded as failed."""
    resolver = Resolver(pack.options.data_root, download=pack.options.download, cache=pack.options.cache)
    runs = []
    for spec in pack.specs.values():
        try:
            runs.append(resolver(spec))
        except Exception as error:
            failures.write(store.path(spec), failures.Failure.of(spec, error))
    return runs
