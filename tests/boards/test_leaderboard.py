"""Leaderboards, and the command that makes them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from markdown_it import MarkdownIt

from depthub.boards import board, markdown, of_folder
from depthub.cli import main
from depthub.errors import DepthubError
from depthub.protocol import Count, Summary
from depthub.records import schema
from depthub.records.result import RunResult, TestedTask as AsTested  # a name that pytest does not take for a test
from depthub.records.store import Store
from depthub.spec import BackboneSpec, Component, DataSpec, RunSpec, Training
from depthub.statistics.averages import harmonic
from depthub.types import ClassSet
from depthub.values.text import plain

H = Summary("H", {"H": ("base", "new")})


def result(method: str, head: str = "ITM", data: str = "tones", seed: int = 1, base: int = 60, new: int = 70, **spec: Any) -> RunResult:
    """A run with so many of 100 base and new images right."""
    made = RunSpec(Component(method), Component(head), data=DataSpec(data), seed=seed, **{"training": Training(), **spec})
    counts = {"base": Count(base, 100), "new": Count(new, 100)}
    scores = {"base": float(base), "new": float(new), "H": harmonic(base, new)}
    cost = {"params_trainable": 0 if method == "ZeroShot" else 2048, "train_s": 1.0, "eval_s": 0.5}
    return RunResult(made, counts, scores, cost=cost, summary=H)


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
    runs = [replace(result("CoOp", seed=s), counts={"all": Count(50 + s, 100)}, scores={"all": 50.0 + s}, summary=None) for s in (1, 2)]
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
    program = "import sys; from depthub.cli.commands import leaderboard, quickstart; leaderboard.parser(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def saved(folder: Path, runs: list[RunResult]) -> Path:
    for run in runs:
        Store(folder).save(run)
    return folder


def other(seen: float, unseen: float, seed: int = 1, summary: Summary | None = None, **scores: float) -> RunResult:
    """A run of a protocol that is not installed, with scores of its own names."""
    run = result("CoOp", seed=seed, protocol=Component("Elsewhere"))
    return replace(run, scores={"seen": seen, "unseen": unseen, "HM": harmonic(seen, unseen), **scores}, summary=summary)


HM = Summary("HM", {"HM": ("seen", "unseen")})


def test_a_protocol_says_which_scores_are_harmonic_and_which_ranks(tmp_path: Path) -> None:
    runs = saved(tmp_path / "runs", [other(10, 30, 1, HM, zz=99.0), other(30, 10, 2, HM, zz=98.0)])
    made = of_folder(runs, "")
    (setting,), (one,) = made["settings"], made["rows"]
    assert (setting["headline"], setting["harmonic"]) == ("HM", {"HM": ["seen", "unseen"]})
    assert setting["aggregation"] == {"seen": "mean", "unseen": "mean", "HM": "harmonic-of-means", "zz": "mean"}
    assert {name: s["mean"] for name, s in one["average"].items()} == {"seen": 20.0, "unseen": 20.0, "HM": 20.0, "zz": 98.5}
    assert "HM is the harmonic mean of the averaged seen and unseen (harmonic-of-means), not the average of HM." in markdown(made)


def test_an_h_that_nothing_is_declared_of_is_averaged_by_the_mean() -> None:
    runs = [replace(other(30.0 * s, 70, s), scores={"base": 30.0 * s, "new": 70.0, "H": 1.0}) for s in (1, 2)]
    assert board(runs)["rows"][0]["average"]["H"]["mean"] == 1.0


def test_two_settings_may_average_a_score_of_one_name_each_in_its_way() -> None:
    made = board([result("CoOp"), replace(result("CoOp", protocol=Component("Elsewhere")), summary=Summary("new"))])
    assert [setting["aggregation"]["H"] for setting in made["settings"]] == ["harmonic-of-means", "mean"]
    assert made["aggregation"] == {"base": "mean", "new": "mean"}
    assert [setting["headline"] for setting in made["settings"]] == ["H", "new"]


def test_runs_that_say_nothing_take_what_the_others_declare() -> None:
    made = board([other(10, 30, 1), other(30, 10, 2, HM)])
    assert made["rows"][0]["average"]["HM"]["mean"] == 20.0


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


def test_other_images_in_the_same_number_are_refused() -> None:
    classes = ClassSet("two", (0, 1), ("ant", "bee"))
    one, two = (
        replace(run, tasks={task: AsTested(classes, images_sha256=mark * 64) for task in run.counts})
        for run, mark in ((result("CoOp"), "a"), (result("ZeroShot"), "b"))
    )
    with pytest.raises(DepthubError, match=r"^tones, seed 1, task 'base': other test images in run \w{12} than in run \w{12}; "):
        board([one, two])
    assert board([one, result("ZeroShot")])["rows"]


def test_what_looks_alike_is_never_merged() -> None:
    """A data set can be called what another one is called with its settings, and rows likewise."""
    sets = [DataSpec("x", 0.5), DataSpec("x", 0.25), DataSpec("x (test_fraction=0.25)")]
    methods = [Component("A", {"n": 1}), Component("A", {"n": 2}), Component("A (method.n=1)")]
    runs = [replace(result("A"), spec=replace(result("A").spec, data=data, method=method)) for data in sets for method in methods]
    made = board(runs)
    assert len(made["settings"][0]["data"]) == len(made["rows"]) == len(set(labels(made))) == 3
    assert Counter(run["data"] for row in made["rows"] for run in row["runs"]) == dict.fromkeys(made["settings"][0]["data"], 3)


def test_each_run_is_hashed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    runs, hashed = three(), Counter[int]()
    compute = RunSpec.run_id

    def counted(self: RunSpec) -> str:
        hashed[id(self)] += 1
        return str(compute.fget(self))  # type: ignore[attr-defined]

    monkeypatch.setattr(RunSpec, "run_id", property(counted))
    board(runs)
    assert hashed == {id(run.spec): 1 for run in runs}


def spoil(runs: Path) -> list[str]:
    """Damage three runs in three ways, and add a dangling link; returns the folders' names."""
    folders = sorted(path for path in runs.iterdir())[:4]
    cut, forged, moved, replaced = (folder / "run.json" for folder in folders)
    cut.write_text(cut.read_text()[:100])
    document = json.loads(forged.read_text())
    document["scores"]["new"] = 99.9
    forged.write_text(json.dumps(document))
    moved.unlink()
    moved.symlink_to(runs / "nowhere")
    replaced.write_bytes(b"[" * 100_000)
    (runs / "gone").symlink_to(runs / "nowhere")
    return [*(folder.name for folder in folders), "gone"]


def test_bad_files_are_named_and_the_rest_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = saved(tmp_path / "private" / "runs", three())
    names = spoil(runs)
    assert main(["leaderboard", "build", str(runs), "--out", str(tmp_path / "out")]) == 0
    warnings = capsys.readouterr().err.splitlines()
    assert [line.startswith("depthub: warning: left out: ") for line in warnings] == [True] * 5
    assert all(any(name in line for line in warnings) for name in names)
    made = json.loads((tmp_path / "out/leaderboard.json").read_text())
    assert sorted(entry["file"] for entry in made["left_out"]) == sorted(names)
    assert sum(len(row["runs"]) for row in made["rows"]) == len(three()) - 4
    text = (tmp_path / "out/leaderboard.md").read_text()
    assert "5 runs are there and cannot be used" in text
    assert all(name in text for name in names)
    assert str(tmp_path) not in text + json.dumps(made)


def test_relative_folders_are_no_exception(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = spoil(saved(tmp_path, three()))
    monkeypatch.chdir(tmp_path)
    assert sorted(entry["file"] for entry in of_folder(Path(), "")["left_out"]) == sorted(names)


def test_where_nothing_can_be_used_there_is_no_board(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = saved(tmp_path / "runs", [result("CoOp", seed=s) for s in (1, 2, 3, 4)])
    spoil(runs)
    assert main(["leaderboard", "build", str(runs), "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert "none of 5 runs" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_superseded_results_are_not_looked_at(tmp_path: Path) -> None:
    runs = saved(tmp_path, three())
    expected = of_folder(runs, "")
    for folder in list(runs.iterdir()):
        shutil.copytree(folder, folder / "earlier-1")
        (folder / "earlier-1/run.json").write_text("damaged")
    assert of_folder(runs, "") == expected


def test_a_run_twice_is_refused_or_left_out(tmp_path: Path) -> None:
    runs = saved(tmp_path, three())
    folder = sorted(runs.iterdir())[0]
    shutil.copytree(folder, runs / "copy")
    made = of_folder(runs, "")
    assert [entry["file"] for entry in made["left_out"]] == ["copy"]
    assert made["rows"] == board(three())["rows"]


def test_boards_of_schema_1_0_are_accepted() -> None:
    made = board(three())
    old = {key: value for key, value in made.items() if key != "left_out"} | {"schema_version": "1.0.0"}
    old["settings"] = [{key: value for key, value in s.items() if key not in ("harmonic", "aggregation")} for s in made["settings"]]
    schema.validate(old, "leaderboard", "it")
    assert "| CoOp + DePT |" in markdown(old)
    for lacking in (old | {"schema_version": "1.1.0", "left_out": []}, {**made, "left_out": [{"file": "a"}]}):
        with pytest.raises(DepthubError, match="required"):
            schema.validate(lacking, "leaderboard", "it")


HOSTILE = [
    "<img src=x onerror=alert(1)>|\n# x \x1b[31m",
    "a|b\\|c",
    "- **x** [y](javascript:z) `q",
    "[red]x[/red]\r\u202e\u2028",
    "</td></tr></table><!--",
    "1. $x^2$ & &lt;",
]


def shown_names(text: str) -> list[str]:
    """The first cell of every row of every table, as a browser shows it."""
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(text)
    assert not [token for token in tokens if token.type == "html_block"]
    inline = [child for token in tokens for child in token.children or ()]
    assert {child.type for child in inline} <= {"text", "text_special", "code_inline", "strong_open", "strong_close"}
    rows = [i for i, token in enumerate(tokens) if token.type == "tr_open"]
    return ["".join(child.content for child in tokens[i + 2].children or ()) for i in rows]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_shown_and_not_obeyed(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    summary = Summary(f"{name}H", {f"{name}H": (f"{name}1", f"{name}2")})
    runs = []
    for method, data, seed in ((name, name, 1), (name, name, 2), ("CoOp", name, 1), ("CoOp", f"{name}!", 1)):
        run = result(method, data=data, seed=seed, protocol=Component(name), backbone=BackboneSpec(name, name))
        runs.append(replace(run, scores=dict(zip((f"{name}1", f"{name}2", f"{name}H"), run.scores.values(), strict=True)), summary=summary))
    saved(tmp_path / "runs", runs)
    (tmp_path / "runs" / "0-<b>|`[x]\n\x1b[31m").symlink_to("nowhere")
    assert main(["leaderboard", "build", str(tmp_path / "runs"), "--out", str(tmp_path / "out"), "--title", name]) == 0
    said, text = capsys.readouterr(), (tmp_path / "out/leaderboard.md").read_text()
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202e]", said.out + said.err + text)
    assert len(said.out.splitlines()) == 3  # two incomplete rows, and what was written
    assert len(said.err.splitlines()) == 2  # one left out, and a protocol that is not installed
    assert sorted(set(shown_names(text))) == sorted({"method", "CoOp", plain(name).strip()})
    columns = {len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) for line in text.splitlines() if line.startswith("| ")}
    assert columns == {5, 6}  # a method, three scores, in the averages also the parameters
