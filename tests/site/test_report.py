"""Reports: what they warn of and when not, what they mark, and that the same runs give the same page."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import depthub
from depthub.boards import board
from depthub.boards.packing import pack_runs
from depthub.cli import main
from depthub.cli.commands import run as run_command
from depthub.cli.options.run_specs import specs
from depthub.errors import DepthubError
from depthub.protocol import Summary
from depthub.records.result import RunResult, Sample
from depthub.site.reports.cautions import KINDS
from depthub.spec import BackboneSpec, Component, DataSpec, RunSpec, Training
from depthub.statistics.bootstrap import bootstrap
from depthub.statistics.resolution import Components
from depthub.statistics.table import Table
from tests.boards.runs import result, saved, spoil, three
from tests.site.conftest import ROOT
from tests.site.report_runs import SETS, clean, origin, runs
from tests.site.test_pages import Cells

SMALL = Training(epochs=1, warmup_epochs=0)


def warnings(of: Sequence[RunResult]) -> list[str]:
    return list(depthub.report(of).warnings)


def shifted(run: RunResult, points: float) -> RunResult:
    """The run with both accuracies, and so their harmonic mean, higher by some points."""
    return replace(run, scores={name: value + points for name, value in run.scores.items()})


def test_clean_runs_have_no_warnings() -> None:
    page = depthub.report(clean())
    assert page.warnings == ()
    assert "Nothing stands out" in page.html
    assert not [kind for kind in KINDS.values() if kind in page.html]


def test_neighbours_that_seeds_cannot_separate() -> None:
    """The interval and the number of seeds are those of the statistics on the same numbers."""
    ahead, behind = [shifted(run, 2.3 if run.spec.seed == 1 else -0.8) for run in runs("VPT", 60)], runs("CoOp", 60)
    (line,) = warnings([*behind, *ahead])
    per_cell = np.array([[[run.scores["H"] for run in of if run.spec.data.name == data] for data in SETS] for of in (ahead, behind)])
    difference = per_cell[0] - per_cell[1]  # base, new and H are equal
    low, high = bootstrap(Table(("VPT", "CoOp"), SETS, {"H": per_cell}, {}), "H", "these data sets").difference(0, 1)
    needed = Components.of(difference).needed(difference.mean(), "these data sets")
    assert low < 0 < high
    assert line == (
        f"3 seeds cannot separate VPT from CoOp: H differs by {difference.mean():.2f}, interval {low:+.2f} to {high:+.2f}"
        f" (on new data sets +0.23 to +0.23); about {needed:,} seeds of each data set would."
    )


def test_neighbours_that_data_sets_cannot_separate() -> None:
    """Ahead on most data sets with every seed, far behind on one: other seeds would say the same, other data sets may not."""
    uneven = [shifted(run, -40 if run.spec.data.name == "tones" else 20) for run in runs("VPT", 50)]
    (line,) = warnings([*runs("CoOp", 50), *uneven])
    assert line.startswith("4 data sets cannot separate VPT from CoOp on new data sets: H differs by 5.00, interval -")
    assert line.endswith("on these data sets other seeds would order them alike.")


def test_equal_rows_and_rows_that_nothing_pairs() -> None:
    assert warnings([*runs("CoOp", 60), *runs("VPT", 60)]) == ["CoOp and VPT have the same H in every run that both have."]
    later = [replace(run, spec=replace(run.spec, seed=run.spec.seed + 10)) for run in runs("VPT", 50)]
    lines = warnings([*runs("CoOp", 60), *later])
    assert lines[0] == "CoOp and VPT have no seed in common on all data sets: nothing pairs them."
    assert lines[1].startswith("CoOp lacks digits (seeds 11 to 13), ")


def test_one_seed_says_nothing() -> None:
    one = [result(method, base=points, new=points) for method, points in (("A", 60), ("B", 70), ("C", 80))]
    lines = [line for line in warnings(one) if "unknown" in line]
    assert lines == [
        "One seed on one data set says nothing about chance: how far 3 rows are apart is unknown (the first two by +10.00 points of H)."
    ]
    assert "A has one seed: how far another would differ is unknown." in warnings(one[:1])
    several = [result(method, data=data, base=points, new=points) for method, points in (("A", 60), ("B", 61)) for data in ("x", "y")]
    far = [
        replace(run, scores=dict.fromkeys(run.scores, 50.0)) if run.spec.data.name == "y" and run.spec.method.name == "B" else run
        for run in several
    ]
    (line,) = [line for line in warnings(far) if "separate" in line]
    assert line.startswith("2 data sets cannot separate A from B on new data sets")
    assert line.endswith("one seed says nothing about other seeds.")


def test_controls() -> None:
    host, control, row = runs("CoOp", 60), runs("CoOp", 40, "DePT", 0.0), runs("CoOp", 80, "DePT", 0.7)
    assert warnings([*host, *row]) == [
        "CoOp + DePT: no control row with balance 0, so that another run of the same training may explain a gain."
    ]
    assert warnings([*control, *row]) == [
        "CoOp + DePT (balance=0.0): no single row of CoOp with the same recipe.",
        "CoOp + DePT (balance=0.7): no single row of CoOp with the same recipe.",
    ]


def test_missing_runs() -> None:
    without = [run for run in clean() if (run.spec.data.name, run.spec.seed, run.spec.head.name) != ("tones", 2, "ITM")]
    assert "CoOp lacks tones (seed 2)." in warnings(without)
    fewer = [run for run in clean() if run.spec.data.name != "tones" or run.spec.head.name != "ITM"]
    assert warnings(fewer)[-2:] == ["CoOp lacks tones (seeds 1 to 3).", "Averages leave out tones, which not every row has."]
    apart = [result("A", data="x"), result("B", data="y")]
    assert any(line.startswith("No data set is in every row") for line in warnings(apart))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"depthub__version": "1.1"}, "several versions of depthub: 1.0 (24 runs), 1.1 (12 runs)"),
        ({"packages": {"torch": "2.11.0"}}, "several versions of torch: 2.10.0 (24 runs), 2.11.0 (12 runs)"),
        ({"packages": {"torch": "2.10.0", "accelerate": "9"}}, ""),
        ({"python": "3.13.0"}, ""),
        ({"depthub__commit": "b" * 40}, ""),
        ({"execution__threads": 9}, ""),
        (
            {"hardware__cpu": "Another"},
            "kinds of processor, so that their seconds do not compare: A processor (24 runs), Another (12 runs)",
        ),
        (
            {"hardware__accelerators": [{"name": "A card"}]},
            "kinds of accelerator, so that their seconds do not compare: none (24 runs), A card",
        ),
        ({"execution__linear": "onednn"}, "the numerical setting linear: torch (24 runs), onednn (12 runs)"),
        (
            {"inputs__code__methods M": {"distribution": "depthub", "version": "1.0", "sha256": "e" * 64}},
            f"code of methods M: depthub 1.0, {'c' * 12} (24 runs), depthub 1.0, {'e' * 12} (12 runs)",
        ),
        ({"data_sha256__tones": "e" * 64}, f"states of the data set tones: {'d' * 12} (24 runs), {'e' * 12} (12 runs)"),
        ({"backbone_sha256": "e" * 64}, f"several weights of the backbone: {'b' * 12} (24 runs)"),
    ],
)
def test_runs_that_were_not_done_alike(changes: dict[str, Any], says: str) -> None:
    *others, row = clean()[:24], clean()[24:]
    lines = warnings([*others[0], *(replace(run, provenance=origin(**changes)) for run in row)])
    assert len(lines) == bool(says)
    assert says in "".join(lines)


def test_runs_without_an_origin() -> None:
    lines = warnings([*clean()[:24], *(replace(run, provenance={}) for run in clean()[24:])])
    assert lines == ["12 runs of 36 do not say with which versions, and where, they were done."]


def test_samples_that_differ() -> None:
    def drawn(run: RunResult, image: str) -> RunResult:
        return replace(run, samples=(Sample("base", run.spec.data.name, (image,), (0,)),))

    alike = [drawn(run, f"{run.spec.seed}.png") for run in clean()]
    assert warnings(alike) == []
    other = [drawn(run, "other.png") if place == 30 else run for place, run in enumerate(alike)]
    (line,) = warnings(other)
    spec = other[30].spec
    assert line.startswith(f"{spec.data.name}, seed {spec.seed}, 16 shots, task base: the training images differ: ")
    assert f"{other[30].samples[0].sha256[:12]} (CoOp + DePT (balance=0.7))" in line
    shots = [replace(run, spec=replace(run.spec, shots=4)) if place >= 24 else run for place, run in enumerate(other)]
    assert not any(
        "training images differ" in line for line in warnings([*alike[:24], *shots[:0], *(drawn(run, "4.png") for run in shots[24:])])
    )


def test_what_runs_say_themselves_is_grouped() -> None:
    some = [replace(run, warnings=("slow disk", "odd" if place else "even")) for place, run in enumerate(clean())]
    noted = [replace(run, notes=("predictions are not here",)) for run in some]
    assert warnings(noted) == ["slow disk (36 runs)", "odd (35 runs)", "even (1 run)", "predictions are not here (36 runs)"]


def test_unreadable_runs_are_named_without_their_place(tmp_path: Path) -> None:
    names = spoil(saved(tmp_path / "runs", three()))
    with pytest.warns(UserWarning, match="left out"):
        results = depthub.results(tmp_path / "runs")
    for page in (depthub.report(tmp_path / "runs"), depthub.report(results)):
        assert [name for name in names if name[:12] not in page.html] == []
        assert KINDS["unreadable"] in page.html
        assert str(tmp_path) not in page.html


def test_settings_are_told_apart_in_warnings() -> None:
    few = [replace(run, spec=replace(run.spec, protocol=Component("Elsewhere"))) for run in runs("CoOp", 60)[:-1]]
    page = depthub.report([*runs("CoOp", 60), *few])
    assert page.html.count("<section id=") == 2
    lone = [line for line in page.warnings if "has one seed" in line or "lacks" in line]
    assert lone == ["Elsewhere, shapes: CoOp lacks weaves (seed 3)."]


def best(page: str) -> list[str]:
    return re.findall(r'class="number[^"]* best" data-value="([^"]+)"', page)


def test_the_best_is_marked_only_if_it_is_ahead_of_all_others() -> None:
    page = depthub.report(clean()).html
    assert len(best(page)) == 3 + len(SETS)  # base, new and H, and H on each data set
    near = [shifted(run, 9 if run.spec.seed == 1 else -9) for run in runs("VPT", 80)]
    marked = best(depthub.report([*clean(), *near]).html)
    assert len(marked) < 3 + len(SETS)
    assert best(depthub.report([run for run in clean() if run.spec.seed == 1 and run.spec.data.name == "tones"]).html) == []
    assert best(depthub.report(runs("CoOp", 60)).html) == []


def test_the_same_runs_give_the_same_bytes(tmp_path: Path) -> None:
    folder = saved(tmp_path / "runs", [replace(run, provenance={}) for run in three()])
    (packed,) = {file.parent for file in pack_runs(folder, tmp_path / "packed")}
    pages = [depthub.report(place).html for place in (folder, str(folder), packed, depthub.results(folder), three(), three()[::-1])]
    assert len(set(pages)) == 1


def test_every_number_of_packed_runs_is_on_the_page(tmp_path: Path) -> None:
    page = depthub.report(ROOT / "leaderboards/shapes")
    results = depthub.results(ROOT / "leaderboards/shapes")
    document = board(results)
    cells = " ".join(Cells(page.html).cells)
    for row in document["rows"]:
        for scores in (row["average"], *row["per_data"].values()):
            assert all(f"{score['mean']:.2f} ± {score['std']:.2f}" in cells for score in scores.values()), row["label"]
        assert all(run["run_id"] in cells for run in row["runs"])
    assert {run.samples[0].sha256[:12] for run in results} <= set(cells.split())
    assert page.html.index("Read this first") < page.html.index("<table")
    assert page.save(tmp_path / "new/page.html").read_text() == page.html
    assert len(repr(page)) < 100


def test_the_strip_of_seeds_has_the_averages_of_each_seed() -> None:
    page = depthub.report([shifted(run, 5) if run.spec.seed == 2 else run for run in runs("CoOp", 60)]).html
    by_hand = {seed: (60 + 61 + 62 + 63) / 4 + seed % 2 + 5 * (seed == 2) for seed in (1, 2, 3)}  # base and new are equal, and so is H
    assert re.findall(r"CoOp, seed (\d): ([\d.]+)", page) == [(str(seed), f"{value:.2f}") for seed, value in by_hand.items()]


def test_only_some_runs(tmp_path: Path) -> None:
    everything = [*clean(), *runs("KgCoOp", 70)]
    assert depthub.report(everything, only=["coop"]).runs == 36  # not KgCoOp
    assert depthub.report(everything, only=["KgCoOp", "CoOp + DePT"]).runs == 36
    assert depthub.report(everything, only=["head.balance 0.7"]).runs == 12
    with pytest.raises(
        DepthubError, match="only 'nope' fits none of 48 runs; one of them is 'CoOp on digits, BaseToNew, shapes, 16 shots, seed 1"
    ):
        depthub.report(everything, only=["nope"])


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, page = saved(tmp_path / "runs", three()), tmp_path / "page.html"
    assert main(["report", str(folder), "--out", str(page), "--title", "A <b>", "--only", "CoOp", "ZeroShot on flags"]) == 0
    assert (
        capsys.readouterr().out == f"15 runs, {len(depthub.report(folder, only=['CoOp', 'ZeroShot on flags']).warnings)} warnings: {page}\n"
    )
    assert "<title>A &lt;b&gt;</title>" in page.read_text()
    one = next(folder.iterdir())
    assert main(["report", str(one), "--out", str(page)]) == 0
    assert "1 run, " in capsys.readouterr().out
    for words in (
        ["nowhere"],
        [str(page)],
        [str(folder), "--only", "nope"],
        [str(folder), "--out", str(tmp_path)],
        [str(tmp_path / "runs"), "--outt", "x"],
    ):
        before = page.read_text()
        assert main(["report", *words]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1
        assert page.read_text() == before


def test_refusals_in_python() -> None:
    with pytest.raises(DepthubError, match="no finished runs"):
        depthub.report([])
    with pytest.raises(DepthubError, match="given twice"):
        depthub.report([result("CoOp"), result("CoOp")])
    with pytest.raises(DepthubError, match="runs holds a int"):
        depthub.report([3])  # type: ignore[list-item]


@pytest.mark.parametrize(
    "name",
    ["<script>alert(1)</script>", '" onload="x', "\x1b[31mred", "\u202eabc", "{{ 7 * 7 }}", "</style></title>", "' & &lt;", "a" * 300],
)
def test_hostile_names_are_harmless(name: str) -> None:
    summary = Summary(f"{name}H", {f"{name}H": (f"{name}1", f"{name}2")})
    hostile = []
    for data, seed in ((name, 1), (name, 2), (f"{name}!", 1), (f"{name}!", 2)):
        for method in (name, "CoOp"):
            run = result(method, data=data, seed=seed, protocol=Component(name), backbone=BackboneSpec(name, name))
            scores = dict(zip((f"{name}1", f"{name}2", f"{name}H"), run.scores.values(), strict=True))
            origins = origin(depthub__version=name, hardware__cpu=name, packages={name: name})
            hostile.append(replace(run, scores=scores, summary=summary, provenance=origins, warnings=(name,), notes=(name,)))
    report = depthub.report(hostile, title=name)
    frame = report._repr_html_()
    assert Cells(report.html).tags.isdisjoint({"iframe", "object", "img"})
    assert Cells(frame).tags == {"iframe"}
    assert report.html.count("<script") == report.html.count("</style>") == 1
    assert "onload=" not in report.html.replace("&#34; onload=", "")
    assert re.fullmatch(r'<iframe( [a-z]+="[^"<>]*")+></iframe>', frame)
    assert not re.search("[\x1b\u202e]|>49<", report.html + frame)


def test_every_protocol_one_seed_and_several_at_once(tmp_path: Path) -> None:
    """Real runs: a section for each protocol, its scores in its table, and nothing that needs more than one run."""
    protocols: dict[str, tuple[Component, str]] = {
        "BaseToNew": (Component("BaseToNew"), "tones"),
        "FewShot": (Component("FewShot"), "tones"),
        "CrossDataset": (Component("CrossDataset", {"targets": ["tones"]}), "weaves"),
        "DomainGeneralization": (Component("DomainGeneralization"), "compose"),
    }
    each = [RunSpec("ZeroShot", "ITM", protocol, data=data, shots=1, training=SMALL) for protocol, data in protocols.values()]
    trained = RunSpec("CoOp", "DePT", "FewShot", data="tones", shots=1, training=SMALL)
    results = depthub.run_many([*each, trained], runs=tmp_path / "runs")
    page = depthub.report(tmp_path / "runs")
    headings = re.findall(r'<h2 id="setting-\d+-name">(.*?)</h2>', page.html)
    assert headings == [f"{name}, shapes" for name in sorted(protocols)]
    cells = Cells(page.html).cells
    for run in results:
        assert isinstance(run, RunResult)
        assert all(f"{value:.2f}" in cells for value in run.scores.values())
        alone = depthub.report(run)
        assert (alone.runs, alone.html.count("<section id=")) == (1, 1)
    assert "without predictions" not in page.html


def test_commands_do_the_runs_again() -> None:
    data = DataSpec("folder:pictures", 0.25, "e" * 64, template="a {} on a plate.", decoding="draft")
    protocol = Component("CrossDataset", {"targets": ["digits", "weaves"]})
    spec = RunSpec(
        "CoOp", Component("DePT", {"balance": 0.4}), protocol, data=data, shots=2, training=SMALL, other_data={"digits": "f" * 64}
    )
    run = replace(result("CoOp"), spec=spec)
    (command,) = re.findall(r"<code>(depthub run .*?)</code>", depthub.report([run]).html)
    words = shlex.split(unescape(command))
    (typed,) = specs(run_command.parser().parse_args(words[2:]))
    assert replace(typed.data, sha256="e" * 64) == data
    assert (typed.method.name, typed.shots, typed.training, typed.seed) == ("CoOp", 2, SMALL, 1)
    assert typed.head.settings["balance"] == 0.4
    assert typed.protocol.settings["targets"] == ["digits", "weaves"]
    named = replace(run, spec=replace(spec, data=replace(data, class_names={"a": "b"})))
    assert "--class_names NAMES.csv" in depthub.report([named]).html


def test_a_notebook_shows_the_page_in_a_frame() -> None:
    page = depthub.report(clean(), title='A "title"')
    (frame,) = re.findall(
        r'^<iframe title="A &quot;title&quot;" sandbox="allow-scripts" style="[^"]*" srcdoc="([^"]*)"></iframe>$', page._repr_html_()
    )
    assert unescape(frame) == page.html
