"""How the scores of a board combine, as protocols declare it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from depthub.boards import board, markdown, of_folder
from depthub.errors import DepthubError
from depthub.protocol import Summary
from depthub.spec import Component
from tests.boards.runs import HM, other, result, saved


def test_a_protocol_says_which_scores_are_harmonic_and_which_ranks(tmp_path: Path) -> None:
    runs = saved(tmp_path / "runs", [other(10, 30, 1, HM, zz=99.0), other(30, 10, 2, HM, zz=98.0)])
    document = of_folder(runs, "")
    (setting,), (one,) = document["settings"], document["rows"]
    assert (setting["headline"], setting["harmonic"]) == ("HM", {"HM": ["seen", "unseen"]})
    assert setting["aggregation"] == {"seen": "mean", "unseen": "mean", "HM": "harmonic-of-means", "zz": "mean"}
    assert {name: s["mean"] for name, s in one["average"].items()} == {"seen": 20.0, "unseen": 20.0, "HM": 20.0, "zz": 98.5}
    assert "HM is the harmonic mean of the averaged seen and unseen (harmonic-of-means), not the average of HM." in markdown(document)


def test_an_h_that_nothing_is_declared_of_is_averaged_by_the_mean() -> None:
    runs = [replace(other(30.0 * s, 70, s), scores={"base": 30.0 * s, "new": 70.0, "H": 1.0}) for s in (1, 2)]
    assert board(runs)["rows"][0]["average"]["H"]["mean"] == 1.0


def test_two_settings_may_average_a_score_of_one_name_each_in_its_way() -> None:
    document = board([result("CoOp"), replace(result("CoOp", protocol=Component("Elsewhere")), summary=Summary("new"))])
    assert [setting["aggregation"]["H"] for setting in document["settings"]] == ["harmonic-of-means", "mean"]
    assert document["aggregation"] == {"base": "mean", "new": "mean"}
    assert [setting["headline"] for setting in document["settings"]] == ["H", "new"]


def test_runs_that_say_nothing_take_what_the_others_declare() -> None:
    document = board([other(10, 30, 1), other(30, 10, 2, HM)])
    assert document["rows"][0]["average"]["HM"]["mean"] == 20.0


def test_runs_that_declare_their_scores_otherwise_are_refused() -> None:
    runs = [other(10, 30, 1, HM), other(30, 10, 2, Summary("seen", HM.harmonic))]
    with pytest.raises(DepthubError) as caught:
        board(runs)
    assert all(run.spec.run_id[:12] in str(caught.value) for run in runs)
    assert "\n" not in str(caught.value)


def test_scores_keep_the_order_of_the_protocol_about_its_headline() -> None:
    summary = Summary("average")
    runs = [
        replace(result("CoOp", data=data), scores=dict.fromkeys(names, 50.0), summary=summary)
        for data, names in (("tones", ["source", "a", "average", "extra"]), ("flags", ["source", "b", "average", "extra"]))
    ]
    (setting,) = board(runs)["settings"]
    assert setting["scores"].index("average") == 3
    assert set(setting["scores"][:3]) == {"source", "a", "b"}
    assert setting["scores"][4:] == ["extra"]
    assert setting["headline"] == "average"
