"""Packs: files that name runs, carried out in any process; and what is left of work that was cut off."""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

import depthub
from depthub import DepthubError, Executor, RunResult, RunSpec, do_pack
from depthub.cli import main
from depthub.records import failures
from depthub.records.store import FILE, Store
from depthub.running.claims import Claims
from depthub.running.options import RunOptions
from depthub.running.packs import AGAIN, Pack, through
from depthub.running.resolving import Resolver
from depthub.running.runner import resolve
from depthub.system.provenance import command
from depthub.testing.executors import tiny


@pytest.fixture
def specs(tmp_path: Path) -> list[RunSpec]:
    return [resolve(tiny(tmp_path, seed)) for seed in (1, 2)]


def pack_of(specs: list[RunSpec], folder: Path) -> Pack:
    return Pack({spec.run_id: spec for spec in specs}, folder / "runs", RunOptions(stack=2), None, ("suite", "run", "tiny"))


def test_a_pack_is_what_was_written(specs: list[RunSpec], tmp_path: Path) -> None:
    pack = pack_of(specs, tmp_path)
    assert Pack.read(pack.write(tmp_path / "pack.json")) == pack


def test_the_command_work_does_a_pack(specs: list[RunSpec], tmp_path: Path) -> None:
    path = pack_of(specs, tmp_path).write(tmp_path / "pack.json")
    assert main(["work", str(path)]) == 0
    assert command.get() == ()  # nothing stays of it
    results = depthub.results(tmp_path / "runs")
    assert {result.spec.run_id for result in results} == {spec.run_id for spec in specs}
    # of the execution that asked for the pack, not of the process that did it
    assert {tuple(result.provenance["execution"]["command"]) for result in results} == {("depthub", "suite", "run", "tiny")}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"seed": 1', '"seed": 9', "the spec of run .* has another id; the file was edited"),
        ('"pack": 1', '"pack": 2', "is a pack of version 2, expected 1: use one depthub everywhere"),
        ('"runs"', '"ruins"', "is not a pack of depthub"),
        ('"session": null', '"session": ["1234", "method \'Mine\'"]', "method 'Mine' is registered for this session only"),
    ],
)
def test_a_file_that_is_no_pack_of_here_is_refused(old: str, new: str, message: str, specs: list[RunSpec], tmp_path: Path) -> None:
    path = pack_of(specs, tmp_path).write(tmp_path / "pack.json")
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(DepthubError, match=message):
        do_pack(path)
    assert not (tmp_path / "runs").exists()


def test_runs_of_another_process_are_left_out(specs: list[RunSpec], tmp_path: Path) -> None:
    path = pack_of(specs, tmp_path).write(tmp_path / "pack.json")
    with Claims(tmp_path / "runs").on([specs[0].run_id]):  # this process lives
        do_pack(path)
    assert [result.spec.run_id for result in depthub.results(tmp_path / "runs")] == [specs[1].run_id]
    do_pack(path)
    assert len(list(depthub.results(tmp_path / "runs"))) == 2


def test_a_failure_is_stored_until_the_run_succeeds(specs: list[RunSpec], tmp_path: Path) -> None:
    lost = replace(specs[0], data=replace(specs[0].data, name=f"folder:{tmp_path}/nowhere/pictures"))
    do_pack(pack_of([lost, specs[1]], tmp_path).write(tmp_path / "pack.json"))
    store = Store(tmp_path / "runs")
    failure = failures.read(store.path(lost))
    assert failure
    assert (failure.status, failure.epoch) == ("failed", None)
    assert failure.message.startswith(f"no folder {tmp_path}/nowhere/pictures")
    assert store.load(specs[1])
    assert lost.run_id == specs[0].run_id  # a path is no part of the id
    do_pack(pack_of(specs, tmp_path).write(tmp_path / "pack.json"))
    assert store.load(specs[0])
    assert failures.read(store.path(lost)) is None


def test_a_divergence_is_stored_with_its_epoch(specs: list[RunSpec], tmp_path: Path) -> None:
    training = specs[0].training
    assert training
    wild = resolve(replace(specs[0], training=replace(training, epochs=8, lr=9e5, weight_decay=9e5)))
    do_pack(pack_of([wild], tmp_path).write(tmp_path / "pack.json"))
    failure = failures.read(Store(tmp_path / "runs").path(wild))
    assert failure
    assert failure.status == "diverged"
    assert failure.epoch
    assert f"in epoch {failure.epoch}: the run diverged" in failure.message
    assert not list((tmp_path / "runs").rglob(FILE))


def test_gc_removes_what_nobody_needs_and_nothing_else(specs: list[RunSpec], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = tmp_path / "runs"
    done = depthub.run(specs[0], runs=runs).folder
    assert done
    (done / ".run.json.abcd.tmp").write_text("half")
    (done / "earlier-1").mkdir()
    for name in ("mine", ".packs/0123", ".executors/depthub-1", specs[1].run_id):
        (runs / name).mkdir(parents=True)
    (runs / "mine/notes.txt").write_text("a folder of the user's")
    (runs / specs[1].run_id / "tuned-0.safetensors").write_text("a checkpoint")
    files = {path for path in done.iterdir() if path.suffix != ".tmp"}
    assert main(["runs", "gc", str(runs), "--dry_run"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("3 leftovers would be removed")
    assert main(["runs", "gc", str(runs)]) == 0
    assert {path.name for path in runs.iterdir()} == {specs[0].run_id, specs[1].run_id, "mine"}
    assert set(done.iterdir()) == files
    assert main(["runs", "gc", str(runs), "--unfinished", "--earlier"]) == 0
    assert {path.name for path in runs.iterdir()} == {specs[0].run_id, "mine"}
    assert not (done / "earlier-1").exists()


def test_gc_leaves_the_work_of_a_living_process_alone(specs: list[RunSpec], tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    (runs / specs[1].run_id).mkdir(parents=True)
    (runs / specs[1].run_id / ".tuned-0.safetensors.x.tmp").write_text("under way")
    with Claims(runs).on([specs[1].run_id]):
        assert main(["runs", "gc", str(runs), "--unfinished"]) == 0
        assert (runs / specs[1].run_id / ".tuned-0.safetensors.x.tmp").exists()
        assert Claims(runs).active() == {specs[1].run_id}


def test_a_pack_is_plain_json(specs: list[RunSpec], tmp_path: Path) -> None:
    fields = json.loads(pack_of(specs, tmp_path).write(tmp_path / "pack.json").read_text())
    assert fields["store"] == str(tmp_path / "runs")
    assert fields["runs"] == {spec.run_id: spec.as_dict() for spec in specs}


class Leaving(Executor):
    """Leaves each pack undone at first, as one whose runs another process was doing when it was killed.

    Args:
        times: how often.
    """

    def __init__(self, times: int) -> None:
        self.times, self.calls = times, 0

    def map(self, packs: Sequence[Path]) -> Generator[tuple[int, None], None, None]:
        self.calls += 1
        for index, path in enumerate(packs):
            if self.calls > self.times:
                do_pack(path)
            yield index, None


def test_a_pack_without_a_trace_is_done_again_but_not_for_ever(specs: list[RunSpec], tmp_path: Path) -> None:
    runs, store = [Resolver()(spec) for spec in specs], Store(tmp_path / "runs")
    late = Leaving(AGAIN)
    outcomes = list(through(late, runs, [[0, 1]], store, RunOptions()))
    assert [type(outcome) for _, outcome, _ in sorted(outcomes, key=lambda entry: entry[0])] == [RunResult, RunResult]
    assert late.calls == AGAIN + 1
    never = Leaving(100)
    outcomes = list(through(never, runs, [[0], [1]], Store(tmp_path / "others"), RunOptions()))
    assert never.calls == AGAIN + 1
    assert all("has no result although its pack has ended; start again" in str(outcome) for _, outcome, _ in outcomes)
