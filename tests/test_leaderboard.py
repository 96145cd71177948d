"""Averages, leaderboards, their pictures, and the commands that make them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depthub import leaderboard, schema
from depthub.cli import main, quickstart
from depthub.errors import DepthubError
from depthub.leaderboard import board, markdown
from depthub.leaderboard.aggregate import convention, harmonic, harmonic_of_means, mean, mean_of_harmonics, over_data, over_seeds
from depthub.picture import draw
from depthub.protocol import Count
from depthub.spec import BackboneSpec, Component, DataSpec, RunSpec, Training
from depthub.store import RunResult, Store
from tests.models import write_backbone, write_pictures

percents = st.floats(0.01, 100)


def result(method: str, head: str = "ITM", data: str = "tones", seed: int = 1, base: int = 60, new: int = 70, **spec: Any) -> RunResult:
    """A run with so many of 100 base and new images right."""
    made = RunSpec(Component(method), Component(head), data=DataSpec(data), seed=seed, **{"training": Training(), **spec})
    counts = {"base": Count(base, 100), "new": Count(new, 100)}
    scores = {"base": float(base), "new": float(new), "H": harmonic(base, new)}
    return RunResult(made, counts, scores, cost={"params_trainable": 0 if method == "ZeroShot" else 2048, "train_s": 1.0, "eval_s": 0.5})


def three(seeds: tuple[int, ...] = (1, 2, 3), data: tuple[str, ...] = ("tones", "flags")) -> list[RunResult]:
    """Three methods, the trained ones a little different with each seed."""
    kinds = (("ZeroShot", "ITM", 65, 71), ("CoOp", "ITM", 78, 63), ("CoOp", "DePT", 82, 72))
    return [
        result(method, head, name, seed, base + seed * (method == "CoOp"), new - seed * (method == "CoOp"))
        for method, head, base, new in kinds
        for name in data
        for seed in seeds
    ]


def labels(made: dict[str, Any]) -> list[str]:
    return [row["label"] for row in made["rows"]]


def row(made: dict[str, Any], label: str) -> dict[str, Any]:
    (found,) = (r for r in made["rows"] if r["label"] == label)
    return dict(found)


def test_h_of_the_published_averages() -> None:
    """Table 1's CoOp row: base 81.50, new 69.77, H 75.18."""
    assert round(harmonic(81.50, 69.77), 2) == 75.18
    assert harmonic(0, 50) == harmonic(0, 0) == 0


@given(st.lists(st.tuples(percents, percents), min_size=1, max_size=8))
def test_the_two_conventions(pairs: list[tuple[float, float]]) -> None:
    base, new = [b for b, _ in pairs], [n for _, n in pairs]
    assert mean_of_harmonics(base, new) <= harmonic_of_means(base, new) + 1e-9
    rows = [{"base": b, "new": n, "H": harmonic(b, n)} for b, n in pairs]
    assert mean(rows)["H"] == pytest.approx(harmonic_of_means(base, new))
    assert convention(["base", "new", "H"]) == {"base": "mean", "new": "mean", "H": "harmonic-of-means"}
    assert convention(["H"]) == {"H": "mean"}


@given(percents, percents)
def test_h_lies_between_its_parts(base: float, new: float) -> None:
    assert min(base, new) - 1e-9 <= harmonic(base, new) <= max(base, new) + 1e-9


def test_spread_over_seeds() -> None:
    assert over_seeds({1: {"all": 50.0}})["all"].std is None
    found = over_seeds({1: {"all": 50.0}, 2: {"all": 52.0}})["all"]
    assert (found.mean, round(found.std or 0, 4), found.n_seeds) == (51.0, 1.4142, 2)


@given(st.lists(st.lists(percents, min_size=3, max_size=3), min_size=1, max_size=5))
def test_averages_over_data_sets_first_or_over_seeds_first(table: list[list[float]]) -> None:
    cells = {str(i): {seed: {"all": value} for seed, value in enumerate(values)} for i, values in enumerate(table)}
    found = over_data(cells)["all"]
    by_seed = [sum(values[seed] for values in table) / len(table) for seed in range(3)]
    assert found.mean == pytest.approx(sum(by_seed) / 3)
    assert found.n_seeds == 3


def test_a_board() -> None:
    made = board(three())
    assert labels(made) == ["CoOp + DePT", "CoOp", "ZeroShot"]
    zero, coop = row(made, "ZeroShot"), row(made, "CoOp")
    assert zero["untrained"]
    assert zero["average"]["base"] == {"mean": 65.0, "std": 0.0, "n_seeds": 3}
    assert zero["difference"] is None
    assert coop["average"]["base"]["mean"] == 80.0
    assert coop["average"]["H"]["mean"] == round(harmonic(80, 61), 4)
    assert coop["difference"]["against"] == "ZeroShot"
    assert coop["difference"]["scores"]["new"] == pytest.approx(-10)
    assert len(coop["runs"]) == 6
    assert coop["runs"][0]["counts"] == {"base": [79, 100], "new": [62, 100]}
    assert made["aggregation"]["H"] == "harmonic-of-means"
    assert all(r["complete"] and r["missing"] == [] for r in made["rows"])


@settings(max_examples=10)
@given(st.permutations(three(seeds=(1, 2))))
def test_the_order_of_the_runs_does_not_matter(runs: list[RunResult]) -> None:
    assert board(runs) == board(three(seeds=(1, 2)))


def test_incomplete_rows_are_listed_and_averages_keep_to_common_data() -> None:
    runs = [r for r in three() if (r.spec.head.name, r.spec.data.name) != ("DePT", "flags")]
    runs = [r for r in runs if (r.spec.head.name, r.spec.seed) != ("DePT", 3)]
    made = board(runs)
    dept = row(made, "CoOp + DePT")
    assert dept["missing"] == [{"data": d, "seed": s} for d, s in (("flags", 1), ("flags", 2), ("flags", 3), ("tones", 3))]
    assert made["settings"][0]["common_data"] == ["tones"]
    assert dept["average"]["base"]["n_seeds"] == 2
    text = markdown(made)
    assert "CoOp + DePT lacks flags (seeds 1, 2, 3), tones (seed 3)" in text
    assert "1 of 2 data sets are not in the averages" in text


def test_nothing_in_common_gives_no_average() -> None:
    made = board([result("CoOp", data="tones"), result("ZeroShot", data="flags")])
    assert [r["average"] for r in made["rows"]] == [None, None]
    assert row(made, "CoOp")["difference"] is None
    assert "none in common" in markdown(made)


def test_rows_that_look_alike_are_told_apart() -> None:
    runs = [
        result("CoOp"),
        result("CoOp", shots=4),
        result("CoOp", training=Training(epochs=5)),
        result("CoOp", "DePT"),
        replace(result("CoOp"), spec=replace(result("CoOp").spec, method=Component("CoOp", {"n_ctx": 4}))),
    ]
    assert sorted(labels(board(runs))) == [
        "CoOp (method.n_ctx=4, training.epochs=10, shots=16)",
        "CoOp (training.epochs=10, shots=16)",
        "CoOp (training.epochs=10, shots=4)",
        "CoOp (training.epochs=5, shots=16)",
        "CoOp + DePT",
    ]


@settings(max_examples=30)
@given(st.lists(st.tuples(st.sampled_from(["CoOp", "KgCoOp"]), st.integers(1, 3), st.integers(1, 3)), min_size=1, unique=True))
def test_labels_are_unique(kinds: list[tuple[str, int, int]]) -> None:
    runs = [result(method, shots=shots, training=Training(epochs=epochs)) for method, shots, epochs in kinds]
    found = labels(board(runs))
    assert len(set(found)) == len(found) == len(kinds)


def test_settings_are_not_mixed() -> None:
    runs = [
        result("CoOp"),
        result("ZeroShot"),
        result("CoOp", backbone=BackboneSpec("ViT-B-16", "openai")),
        result("CoOp", protocol=Component("Other")),
    ]
    made = board(runs)
    assert [s["name"] for s in made["settings"]] == ["BaseToNew, ViT-B-16/openai", "BaseToNew, shapes", "Other, shapes"]
    assert [r["difference"] is None for r in made["rows"]] == [True, False, True, True]


def test_zero_shot_is_known_by_what_it_trains() -> None:
    runs = three()
    runs = [replace(r, cost={**r.cost, "params_trainable": 1}) if r.spec.method.name == "ZeroShot" else r for r in runs]
    assert [r["difference"] for r in board(runs)["rows"]] == [None, None, None]


def test_a_protocol_without_h() -> None:
    runs = [replace(result("CoOp", seed=s), counts={"all": Count(50 + s, 100)}, scores={"all": 50.0 + s}) for s in (1, 2)]
    made = board(runs)
    assert made["settings"][0]["headline"] == "all"
    assert made["rows"][0]["average"]["all"]["mean"] == 51.5
    assert "harmonic" not in markdown(made)


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(DepthubError, match="no finished runs"):
        board([])
    with pytest.raises(DepthubError, match="given twice"):
        board([result("CoOp"), result("CoOp")])
    other = replace(result("ZeroShot"), counts={"base": Count(6, 10), "new": Count(70, 100)})
    with pytest.raises(DepthubError, match=r"100 test images in run|10 test images in run"):
        board([result("CoOp"), other])


def test_runs_from_memory_and_from_files_share_a_row(tmp_path: Path) -> None:
    fresh = [result("CoOp", data="folder:/here/pictures", seed=s) for s in (1, 2)]
    fresh = [replace(r, spec=replace(r.spec, data=replace(r.spec.data, sha256="0" * 64))) for r in fresh]
    Store(tmp_path).save(fresh[0])
    made = board([*Store(tmp_path).results(), fresh[1]])
    assert len(made["rows"]) == 1
    assert "/here" not in json.dumps(made)


def test_the_command_writes_the_same_bytes_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for made in three():
        Store(tmp_path / "runs").save(made)
    arguments = ["leaderboard", "build", str(tmp_path / "runs"), "--title", "A | B"]
    for out in ("one", "two"):
        assert main([*arguments, "--out", str(tmp_path / out)]) == 0
    for name in ("leaderboard.json", "leaderboard.md"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    schema.validate(json.loads((tmp_path / "one/leaderboard.json").read_text()), "leaderboard", "it")
    assert "3 rows" in capsys.readouterr().out


def test_faults_of_the_command_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    path = Store(tmp_path / "damaged").save(result("CoOp"))
    path.write_text(path.read_text()[:100])
    for name, said in (("none", "no folder"), ("empty", "no run files"), ("damaged", "not JSON")):
        assert main(["leaderboard", "build", str(tmp_path / name), "--out", str(tmp_path / "out")]) == 2
        error = capsys.readouterr().err
        assert said in error
        assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_leaderboards_do_without_torch() -> None:
    program = (
        "import sys, depthub.cli.leaderboard, depthub.cli.quickstart; depthub.cli.leaderboard.parser(); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_the_picture(tmp_path: Path) -> None:
    rows = board(three())["rows"]
    first, second = draw(rows, tmp_path / "a.png").read_bytes(), draw(rows, tmp_path / "b.png").read_bytes()
    assert first.startswith(b"\x89PNG")
    assert first == second
    with pytest.raises(DepthubError, match="nothing to draw"):
        draw([], tmp_path / "c.png")


@pytest.mark.parametrize("points", [[(0, 0)], [(100, 100)], [(50, 50)] * 4, [(0, 100), (100, 0), (50, 50)], [(70, 60), (70.1, 60.1)]])
def test_the_picture_of_odd_points(points: list[tuple[float, float]], tmp_path: Path) -> None:
    rows = [
        {"label": f"Method {i}", "average": {"base": {"mean": b, "std": None}, "new": {"mean": n, "std": 0.5}}}
        for i, (b, n) in enumerate(points)
    ]
    assert draw(rows, tmp_path / "a.png").stat().st_size > 1000


def test_without_matplotlib_there_is_a_hint(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(DepthubError, match=r"depthub\[plot\]"):
        draw(board(three())["rows"], tmp_path / "a.png")


def test_quickstart_specs() -> None:
    found = quickstart.specs(["tones", "flags"], [1, 2, 2], None)
    assert len(found) == len({s.run_id for s in found}) == 12
    assert {s.training for s in quickstart.specs(["tones"], [1], 3)} == {Training(epochs=3)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shared, so that what one test ran is found by the next."""
    return tmp_path_factory.mktemp("quickstart")


@pytest.fixture
def small(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Quickstart's command line, on a small random model and pictures on disk."""
    data, backbone = write_pictures(folder / "colours"), write_backbone(folder / "model")
    plain = quickstart.specs
    monkeypatch.setattr(quickstart, "specs", lambda *given: [replace(s, data=data, backbone=backbone, shots=2) for s in plain(*given)])
    places = ["--runs", str(folder / "runs"), "--out", str(folder / "out")]
    return lambda *more: ["quickstart", "--datasets", "tones", "--epochs", "1", "--workers", "1", *places, *more]


def test_quickstart_continues_after_an_interruption(
    small: Callable[..., list[str]], folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    save, saved = Store.save, []

    def interrupted(self: Store, made: RunResult) -> Path:
        saved.append(made)
        if len(saved) == 2:
            raise KeyboardInterrupt
        return save(self, made)

    monkeypatch.setattr(Store, "save", interrupted)
    assert main(small("--seeds", "1")) == 130
    assert "stopped with 2 runs to do" in capsys.readouterr().err
    assert main(small("--seeds", "1")) == 0
    assert len(saved) == 4
    said = " ".join(capsys.readouterr().out.split())
    for word in ("ZeroShot", "CoOp + DePT", "cannot be compared with published", "quickstart.png"):
        assert word in said
    assert sorted(p.name for p in (folder / "out").iterdir()) == ["leaderboard.json", "leaderboard.md", "quickstart.png"]
    made = json.loads((folder / "out/leaderboard.json").read_text())
    assert sorted(labels(made)) == ["CoOp", "CoOp + DePT", "ZeroShot"]
    assert [r["label"] for r in made["rows"] if r["untrained"]] == ["ZeroShot"]
    assert made["rows"] == leaderboard.of_folder(folder / "runs", "")["rows"]


def test_quickstart_without_optional_packages(
    small: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(quickstart, "find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert main(small("--seeds", "1", "--datasets", "tones", "digits")) == 0
    said = capsys.readouterr().out
    assert "data set 'digits' is left out" in said
    assert "no picture" in said
    assert main(small("--datasets", "digits")) == 2
