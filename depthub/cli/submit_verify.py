"""`depthub submit verify`: some runs of a submission done again here, and the signed record of it."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonargparse.typing import NonNegativeInt, PositiveInt

from depthub.cli.options.parser import Parser
from depthub.cli.plural import counted
from depthub.values.text import plain

if TYPE_CHECKING:
    from depthub.submissions.verdict import Verdict

BOARD = "the board's folder; by default that of the submission"


def parser() -> Parser:
    """The command's options."""
    verify = Parser(description="Do some runs of a submission again, and append the signed outcome.")
    verify.add("submission", type=Path, metavar="DIR", help="the submission's folder")
    verify.add("--board", type=Path | None, default=None, metavar="DIR", help=BOARD)
    verify.add("--sample", type=PositiveInt, default=3, metavar="N", help="number of runs, chosen at random")
    verify.add("--seed", type=NonNegativeInt | None, default=None, metavar="N", help="of the choice; by default another one each time")
    verify.add("--identity", type=str, required=True, metavar="NAME", help="yours, as in the board's allowed_signers")
    verify.add("--key", type=Path, required=True, metavar="FILE", help="your private ssh key, or the public one of an agent's")
    verify.add("--allow", type=str, nargs="+", default=[], metavar="DIST", help="distributions beside depthub whose code may be imported")
    verify.add("--runs", type=Path, default=Path("verified"), metavar="DIR", help="folder of the new runs")
    verify.add("--data_root", type=Path | None, default=None, metavar="DIR", help="the folder that holds data sets on this machine")
    verify.add("--texts", type=str, default="", metavar="FILE", help="the runs' file of class texts, if it is not in this folder")
    return verify


def main(options: Any) -> int:
    """Without other people's plugins unless they are allowed: nothing of them is imported before that is settled."""
    from depthub.registry.allowed_imports import plugins_of

    with plugins_of(options.allow):
        return _verified(options)


def _verified(options: Any) -> int:
    from depthub.cli.submission_table import show_verification
    from depthub.running.options import RunOptions
    from depthub.submissions.sample import Sample
    from depthub.submissions.verification import Verification
    from depthub.submissions.verifying import record, verify

    _, verdict = verdict_on(options)
    seed = secrets.randbelow(2**31) if options.seed is None else int(options.seed)
    sample = Sample.draw(verdict, options.sample, seed)
    allowed = ["depthub", *options.allow]
    sample.require_allowed(allowed)
    print(plain(f"{counted(len(sample.runs), 'run')} of {verdict.name}, chosen with seed {seed}, are done again in {options.runs}"))
    where = RunOptions(data_root=options.data_root)
    fields = verify(sample, options.runs, where, allowed, on_run=show_verification, texts=options.texts)
    path = record(options.submission, fields, options.identity, options.key)
    agrees = Verification(fields).agrees
    print(plain(f"{'all counts agree' if agrees else 'counts differ'} within the tolerance ({fields['rule']}); recorded in {path}"))
    return 0 if agrees else 1


def verdict_on(options: Any) -> tuple[Path, Verdict]:
    """The board's folder, and the verdict on a submission beside the board's other ones."""
    from depthub.submissions.checking import verdict

    folder = options.board or options.submission.absolute().parent.parent
    return folder, verdict(options.submission, folder)
