"""Claims of runs: gains over hosts, controls, and what alone carries a gain."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from depthub.boards import readable
from depthub.boards.measured import measured
from depthub.cli import main
from depthub.errors import DepthubError
from depthub.records.result import RunResult
from depthub.spec import Component
from depthub.statistics.resolution import Components
from tests.boards.runs import result, saved

SHAPES = Path(__file__).parents[2] / "leaderboards/shapes"


def with_head(gains: Mapping[str, tuple[int, ...]], balance: float = 0.7) -> list[RunResult]:
    """Runs of a method with a head that adds these points to base and new, by data set and seed."""
    runs = [result("CoOp", "DePT", data, seed, *(2 * (60 + seed + gain,))) for data, of in gains.items() for seed, gain in enumerate(of)]
    return [replace(run, spec=replace(run.spec, head=Component("DePT", {"balance": balance}))) for run in runs]


def alone(gains: Mapping[str, tuple[int, ...]]) -> list[RunResult]:
    """The method of `with_head` alone."""
    return [result("CoOp", "ITM", data, seed, *(2 * (60 + seed,))) for data, of in gains.items() for seed in range(len(of))]


EVEN = {"flags": (2, 3, 2), "tones": (3, 2, 3), "weaves": (3, 3, 2), "digits": (2, 3, 3)}


def test_a_gain_on_every_data_set_is_settled_by_all_of_them() -> None:
    ((claim,), remarks) = measured([*alone(EVEN), *with_head(EVEN)])
    assert (claim.row, claim.against, claim.score, claim.sets, claim.seeds) == ("CoOp + DePT", "CoOp", "H", 4, 3)
    assert claim.gain == pytest.approx(31 / 12)
    parts = Components.of(np.array([list(of) for of in EVEN.values()], dtype=float))
    for answer in claim.answers:
        assert answer.low < claim.gain < answer.high
        assert answer.is_settled
        assert answer.least == pytest.approx(parts.least_difference(answer.question))
        assert answer.needed == parts.needed(claim.gain, answer.question)
    assert claim.turns == ()
    assert remarks == ["CoOp + DePT: no control row with balance 0, so that another run of the same training may explain a gain"]


def test_one_data_set_or_seed_that_carries_a_gain_is_named() -> None:
    of_set = {"flags": (30, 30, 30), "tones": (-1, -2, -1), "weaves": (-2, -2, -1), "digits": (-1, -1, -1)}
    ((claim,), _) = measured([*alone(of_set), *with_head(of_set)])
    turns = {(turn.unit, turn.name): turn for turn in claim.turns}
    assert claim.gain > 0 > turns["data set", "flags"].gain
    assert "sign" in turns["data set", "flags"].changes
    assert ("seed", "1") not in turns
    of_seed = {"flags": (-1, 20, -2), "tones": (-1, 21, -2)}
    ((claim,), _) = measured([*alone(of_seed), *with_head(of_seed)])
    (turn,) = [turn for turn in claim.turns if "sign" in turn.changes]
    assert (turn.unit, turn.name) == ("seed", "1")  # by its number, not its place
    assert all(turn.unit == "seed" for turn in claim.turns), "of two data sets none can be left out"


def test_controls_and_hosts() -> None:
    none = dict.fromkeys(EVEN, (0, 0, 0))
    claims, remarks = measured([*alone(EVEN), *with_head(EVEN), *with_head(none, balance=0.0)])
    control, claim = claims
    assert (control.gain, control.control, control.turns) == (0, "", ())
    assert claim.control == control.row == "CoOp + DePT (balance=0.0)"
    assert [answer.needed for answer in control.answers] == [None, None]
    assert remarks == []
    claims, remarks = measured(with_head(EVEN))
    assert claims == []
    assert remarks[0] == "CoOp + DePT: no single row of CoOp with the same recipe"
    other_seeds = [replace(run, spec=replace(run.spec, seed=run.spec.seed + 9)) for run in alone(EVEN)]
    assert measured([*other_seeds, *with_head(EVEN)])[1][0] == "CoOp + DePT and CoOp have no data set with a seed that all have"
    fewer_shots = [replace(run, spec=replace(run.spec, shots=4)) for run in alone(EVEN)]
    assert measured([*fewer_shots, *with_head(EVEN)])[0] == []


def test_one_seed_or_one_data_set_answers_what_it_can() -> None:
    one_seed = {data: of[:1] for data, of in EVEN.items()}
    ((claim,), _) = measured([*alone(one_seed), *with_head(one_seed)])
    assert [(answer.question, answer.least, answer.needed) for answer in claim.answers] == [("new data sets", None, None)]
    one_set = {"flags": EVEN["flags"]}
    ((claim,), _) = measured([*alone(one_set), *with_head(one_set)])
    assert [answer.question for answer in claim.answers] == ["these data sets"]


def test_the_packed_board() -> None:
    results, unreadable = readable(SHAPES)
    assert (len(results), unreadable) == (105, [])
    ((claim,), _) = measured(results)
    assert (claim.row, claim.against, claim.sets, claim.seeds) == ("CoOp + DePT", "CoOp", 7, 5)
    board = json.loads((SHAPES / "leaderboard.json").read_text())
    averages = {row["label"]: row["average"]["H"]["mean"] for row in board["rows"]}
    assert claim.gain == pytest.approx(averages["CoOp + DePT"] - averages["CoOp"], abs=1e-4)
    new, these = claim.answers
    assert new.least is not None
    assert these.least is not None
    assert new.least > claim.gain > these.least
    assert claim.turns, "some data set alone decides"
    with pytest.raises(DepthubError, match="no score 'nope'; there are base, new, H"):
        measured(results, "nope")


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = saved(tmp_path / "runs", [*alone(EVEN), *with_head(EVEN)])
    assert main(["claim", str(runs), "--json"]) == 0
    (gain,) = json.loads(capsys.readouterr().out)["gains"]
    assert [answer["settled"] for answer in gain["answers"]] == [True, True]
    (runs / "broken").mkdir()
    (runs / "broken" / "run.json").write_text("{")
    assert main(["claim", str(runs)]) == 0
    output, warnings = capsys.readouterr()
    assert output.startswith("24 runs, 1 gain over a host\n")
    assert "CoOp + DePT against CoOp: no single data set or seed turns the sign or an answer" in output
    assert "left out" in warnings
    (tmp_path / "empty").mkdir()
    assert main(["claim", str(tmp_path / "empty")]) == 2
    assert "no run files" in capsys.readouterr().err
