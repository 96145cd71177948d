"""Some runs of a submission done again on this machine, and the signed record of it."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from depthub.errors import DepthubError
from depthub.records import schema
from depthub.records.result import RunResult
from depthub.registry import allowed_imports
from depthub.submissions.files import VERIFICATION
from depthub.submissions.sample import Sample
from depthub.submissions.signatures import sign
from depthub.submissions.verification import RULE, SIGNATURE, message
from depthub.system.files import atomic_write
from depthub.system.provenance import version

if TYPE_CHECKING:
    from depthub.running.options import RunOptions


def verify(
    sample: Sample,
    place: Path,
    options: RunOptions,
    allowed: Sequence[str],
    on_run: Callable[[RunResult, RunResult], None] = lambda submitted, reproduced: None,
    texts: str = "",
) -> dict[str, Any]:
    """Do the runs again, and compare.

    Args:
        sample: of a submission.
        place: folder of the new runs.
        options: see `depthub.run`.
        allowed: distributions whose code may be imported.
        on_run: called with the submitted and the new result after each.
        texts: the place of the runs' file of class texts, if it is not in this folder.

    Returns:
        The record, without identity, date and signature.

    Raises:
        DepthubError: if a run cannot be done here.
    """
    sample.require_allowed(allowed)
    compared = []
    with allowed_imports.only(allowed):
        from depthub.running.reproduction import reproduce

        for run in sample.runs:
            again = reproduce(run, runs=place, options=options, texts=texts).result
            on_run(run, again)
            for task, count in run.counts.items():
                other = again.counts.get(task)
                if other is None or other.n_total != count.n_total:
                    raise DepthubError(f"run {run.spec.run_id[:12]} has other test images here; the data set is another one")
                numbers = {"n_total": count.n_total, "submitted": count.n_correct, "reproduced": other.n_correct}
                compared.append({"run_id": run.spec.run_id, "task": task, **numbers})
        environment = {
            "depthub": version("depthub") or "unknown",
            "torch": version("torch") or "unknown",
            "platform": platform.platform(aliased=True, terse=True),
            "device": _device(),
        }
    return {
        **schema.header("verification"),
        "submission": sample.verdict.document["id"],
        "submission_sha256": sample.verdict.sha256,
        "seed": sample.seed,
        "rule": RULE,
        "environment": environment,
        "allowed": list(allowed),
        "compared": compared,
    }


def record(folder: Path, fields: dict[str, Any], identity: str, key: Path) -> Path:
    """Sign a record and append it to a submission.

    Args:
        folder: of the submission.
        fields: of `verify`.
        identity: of the signer, as in the board's `allowed_signers`.
        key: private key of ssh.

    Returns:
        The file.

    Raises:
        DepthubError: if it cannot be signed or written.
    """
    fields = {**fields, "by": identity, "at": datetime.now(UTC).date().isoformat()}
    fields |= {SIGNATURE: sign(message(fields), key)}
    schema.validate(fields, "verification", "the record")
    path = folder / VERIFICATION
    earlier = path.read_bytes() if path.exists() else b""
    return atomic_write(path, earlier + json.dumps(fields, ensure_ascii=False).encode() + b"\n")


def _device() -> str:
    from accelerate import PartialState

    return str(PartialState().device)
