"""Claims: gains beside what a table can tell apart, controls that are missing, and leagues that are mixed."""

from __future__ import annotations

import json

import pytest

from depthub.cli import main
from depthub.literature.claims import claims, host_of, is_control, league_of, missing_controls, mixed_leagues
from depthub.literature.leagues import LEAGUES
from depthub.literature.printed import parsed, published

HEAD = "table,row,data,shots,score,value\n"


def test_gains_of_the_dept_paper() -> None:
    gains = {claim.row: claim for claim in claims(published("dept-2023"))}
    assert {row: round(claim.gain, 2) for row, claim in gains.items()} == {
        "CoOp+DePT": 2.04,
        "CoCoOp+DePT": 1.84,
        "KgCoOp+DePT": 1.90,
        "MaPLe+DePT": 1.24,
    }
    assert [row for row, claim in gains.items() if claim.is_resolved] == ["CoCoOp+DePT"]
    assert all(claim.needed and (claim.needed <= 11) == claim.is_resolved for claim in gains.values())
    assert all(claim.probabilities.better > 0.85 for claim in gains.values())


def test_a_gain_of_every_set_is_resolved_and_one_of_chance_is_not() -> None:
    lines = [f"1,{row},set{i},16,top1,{50 + gain}" for i in range(6) for row, gain in (("A", 0), ("A+B", 2 + i / 10), ("A+C", (-1) ** i))]
    same, chance = claims(parsed(HEAD + "\n".join(lines), "it"), "top1")
    assert (same.row, same.is_resolved) == ("A+B", True)
    assert (chance.row, chance.gain, chance.is_resolved, chance.needed) == ("A+C", 0, False, None)


def test_names() -> None:
    assert [host_of(row) for row in ("KgCoOp+DePT", "DPC+PromptKD", "CoOp", "CoOp+DePT, SharedCAT", "+A")] == [
        "KgCoOp", "DPC", "CoOp", "CoOp", "+A",
    ]  # fmt: skip
    assert is_control("CoOp+DePT (balance 0)")
    assert is_control("CoOp+DePT, lambda = 0")
    assert not is_control("CoOp+DePT (balance 0.7)")
    assert [league_of(row) for row in ("CoOp+DePT", "CoPrompt", "DPC+PromptKD", "Mine+DePT")] == ["S", "T", "U", ""]


def test_controls_and_leagues() -> None:
    numbers = parsed(HEAD + "1,CoOp,x,16,H,70\n1,CoOp+DePT,x,16,H,71\n1,MaPLe+DePT,x,16,H,71\n1,PromptKD,x,16,H,80\n", "it")
    assert missing_controls(numbers) == [
        "table 1: MaPLe+DePT without a row of MaPLe",
        "table 1: no control row in which the addition is switched off, such as CoOp+DePT with balance 0",
    ]
    assert mixed_leagues(numbers) == [f"table 1 ranks rows together that use {LEAGUES['S']} (CoOp); {LEAGUES['U']} (PromptKD)"]
    controlled = parsed(HEAD + '1,CoOp,x,16,H,70\n1,CoOp+DePT,x,16,H,71\n1,"CoOp+DePT, balance 0",x,16,H,70\n', "it")
    assert (missing_controls(controlled), mixed_leagues(controlled)) == ([], [])


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["claim", "dept-2023", "--json"]) == 1
    facts = json.loads(capsys.readouterr().out)
    assert len(facts["contradictions"]) == 18
    assert [gain["row"] for gain in facts["gains"] if gain["resolved"]] == ["CoCoOp+DePT"]
    assert main(["claim", "dept-2023"]) == 1
    output = capsys.readouterr().out
    assert output.startswith("529 numbers, 18 contradictions\n")
    assert "+1.84" in output
    assert main(["claim", "nowhere.csv"]) == 2
