"""A stored result is used only while everything that its numbers depend on is unchanged."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

import depthub
from depthub import BackboneSpec, Component, DataSpec, DepthubError, RunSpec, Training
from depthub.compute import linear
from depthub.identity.inputs import code_sha256, decisive, differences
from depthub.identity.source_code import normalised
from depthub.records.document import read
from depthub.records.entries import Entry, entries
from depthub.records.store import Store
from depthub.running.runner import resolve
from tests import miniature
from tests.models import write_backbone, write_pictures

QUICK = Training(epochs=1, batch_size=4)
ROOT = Path(__file__).parents[2]
BOARD = ROOT / "leaderboards/shapes/runs"


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> BackboneSpec:
    return write_backbone(tmp_path_factory.mktemp("model"))


def counts(result: depthub.RunResult) -> list[tuple[int, int]]:
    return [(count.n_correct, count.n_total) for count in result.counts.values()]


class Notes(list[str]):
    """The notes of runs."""

    def run(self, spec: RunSpec, runs: Path, **options: object) -> depthub.RunResult:
        return depthub.run(spec, runs=runs, on_note=self.append, **options)


@pytest.mark.parametrize("entry", entries(BOARD)[::15], ids=lambda entry: entry.run_id[:8])
def test_run_ids_of_the_committed_board_stay(entry: Entry) -> None:
    """Also if settings at their defaults are omitted."""
    stored = entry.read(recount=False).document["spec"]
    assert resolve(RunSpec.of({key: stored[key] for key in ("data", "seed")} | {"method": "ZeroShot"})).method.name == "ZeroShot"
    spec = RunSpec(method=stored["method"]["name"], head=stored["head"]["name"], data=stored["data"]["name"], seed=stored["seed"])
    assert resolve(spec).run_id == entry.run_id


def test_pictures_exchanged_between_classes_are_another_run(backbone: BackboneSpec, tmp_path: Path) -> None:
    spec = RunSpec(method="ZeroShot", data=write_pictures(tmp_path / "colours"), backbone=backbone, training=QUICK, shots=2)
    first = depthub.run(spec, runs=tmp_path / "runs")
    one, other = (tmp_path / "colours/test" / name / "0.png" for name in ("red", "blue"))
    state, content = one.stat(), one.read_bytes()
    one.write_bytes(other.read_bytes().ljust(len(content), b"\0")[: max(len(content), other.stat().st_size)])
    os.utime(one, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert depthub.run(spec, runs=tmp_path / "runs").spec.run_id != first.spec.run_id


def test_published_pictures_replaced_are_noticed_and_the_earlier_result_stays(backbone: BackboneSpec, tmp_path: Path) -> None:
    root, runs, notes = tmp_path / "data", tmp_path / "runs", Notes()
    miniature.make(root, "dtd")
    spec = RunSpec(method="ZeroShot", data="dtd", backbone=backbone, training=QUICK, shots=2)
    first = notes.run(spec, runs, data_root=root)
    assert notes.run(spec, runs, data_root=root).counts == first.counts
    assert notes == []
    for path in (root / "dtd").rglob("*.jpg"):
        state = path.stat()
        Image.new("RGB", (20, 20)).save(path)
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    second = notes.run(spec, runs, data_root=root)
    assert second.spec.run_id == first.spec.run_id
    (note,) = notes
    assert note.startswith(f"run {first.spec.run_id[:12]} is computed again, since data.dtd was ")
    assert second.predictions["base"].scores.tolist() != first.predictions["base"].scores.tolist()
    earlier = read(runs / first.spec.run_id / "earlier-1")
    assert earlier.counts == first.counts
    assert [result.counts for result in Store(runs).results()] == [second.counts]


def test_another_target_is_another_run(backbone: BackboneSpec, tmp_path: Path) -> None:
    root = miniature.make_all(tmp_path / "data")
    protocol = Component("CrossDataset", {"targets": ["dtd"]})
    spec = RunSpec(method="ZeroShot", protocol=protocol, data="caltech101", backbone=backbone, training=QUICK, shots=2)
    before = resolve(spec, root)
    assert set(before.other_data) == {"dtd"}
    split = next((root / "dtd").glob("split*.json"))
    content = json.loads(split.read_text())
    content["test"] = content["test"][1:]
    split.write_text(json.dumps(content))
    assert resolve(spec, root).run_id != before.run_id
    assert resolve(replace(spec, protocol=Component("BaseToNew")), root).other_data == {}


METHOD = """
    from depthub import ClassSet, Backbone, Features, Method, hookimpl

    class Flipped(Method):
        def features(self, backbone, images, classes):
            text = backbone.encode_sentences(classes.sentences())
            return Features(backbone.encode_image(images), {sign}text, backbone.scale, classes)

    @hookimpl
    def depthub_methods():
        return [Flipped]
"""


def in_a_new_process(site: Path, runs: Path, pictures: Path, backbone: BackboneSpec) -> list[str]:
    """The notes of a run with the plugin, and its counts."""
    program = f"""
        import sys, json
        sys.path.insert(0, {str(site)!r})
        import depthub
        from pathlib import Path
        backbone = depthub.BackboneSpec({backbone.model!r}, {backbone.pretrained!r})
        data, training = "folder:{pictures}", depthub.Training(epochs=1)
        spec = depthub.RunSpec(method="Flipped", data=data, backbone=backbone, training=training, shots=2)
        result = depthub.run(spec, runs=Path({str(runs)!r}), on_note=print)
        print(json.dumps([[c.n_correct, c.n_total] for c in result.counts.values()]))
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_an_edited_method_is_computed_again(backbone: BackboneSpec, make_distribution: Callable[..., Path], tmp_path: Path) -> None:
    write_pictures(tmp_path / "colours")
    site = make_distribution("flipped", {"flipped": "flipped"}, {"flipped": textwrap.dedent(METHOD).format(sign="")})
    where = (site, tmp_path / "runs", tmp_path / "colours", backbone)
    *notes, first = in_a_new_process(*where)
    assert notes == []
    commented = "from __future__ import annotations\n# a comment\n" + textwrap.dedent(METHOD).format(sign="")
    (site / "flipped.py").write_text(commented)
    assert in_a_new_process(*where) == [first]
    (site / "flipped.py").write_text(commented.replace(" text, backbone.scale", " -text, backbone.scale"))
    *notes, second = in_a_new_process(*where)
    assert len(notes) == 1
    assert "is computed again, since code.methods Flipped was" in notes[0]
    assert second != first
    (site / "flipped-1.0.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: flipped\nVersion: 2.0\n")
    *notes, third = in_a_new_process(*where)
    assert notes == [f"stored results are used although code.methods Flipped.version was 1.0, is 2.0 ({tmp_path / 'runs'})"]
    assert third == second


def test_a_checkpoint_of_other_code_is_not_continued(backbone: BackboneSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = RunSpec(data=write_pictures(tmp_path / "colours"), backbone=backbone, training=replace(QUICK, epochs=2), shots=4)
    expected = depthub.run(spec, runs=tmp_path / "whole")

    def interrupt(epoch: int, _: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        depthub.run(spec, runs=tmp_path / "cut", on_epoch=interrupt)
    monkeypatch.setattr("depthub.running.components.code_sha256", lambda cls: "other")
    notes, epochs = Notes(), list[int]()
    result = notes.run(spec, tmp_path / "cut", on_epoch=lambda epoch, _: epochs.append(epoch))
    assert epochs == [1, 2]
    assert result.counts == expected.counts
    assert any("training starts from scratch" in note and "code." in note for note in notes)


def test_differences_that_change_no_numbers_are_noted(backbone: BackboneSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = RunSpec(method="ZeroShot", data=write_pictures(tmp_path / "colours"), backbone=backbone, training=QUICK, shots=2)
    first = depthub.run(spec, runs=tmp_path / "runs")
    monkeypatch.setattr("depthub.running.components.version", lambda name: "9.9" if name == "torch" else None)
    usual = linear.choice()  # the processor decides
    other = "torch" if usual == "onednn" else "onednn"
    monkeypatch.setenv("DEPTHUB_LINEAR", other)
    notes = Notes()
    again = notes.run(spec, tmp_path / "runs")
    assert again.counts == first.counts
    (note,) = notes
    assert f"linear was {usual}, is {other}" in note
    assert "packages.torch was" in note


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Component("CoOp", {"ctx_init": "a photo of a"}), Component("CoOp", {"ctx_init": "a_photo_of_a", "n_ctx": 16})),
        (Component("CoOp", {"ctx_init": "a photo of a"}), Component("CoOp", {"ctx_init": " A  photo of a", "n_ctx": 4})),
        (Component("KgCoOp"), Component("KgCoOp", {"n_ctx": 9})),
        (Component("CoCoOp"), Component("CoCoOp", {"n_ctx": 7, "ctx_init": "a_photo of_a"})),
        (Component("MaPLe", {"depth": 2}), Component("MaPLe", {"depth": 2, "ctx_init": "a_photo_of_a"})),
        (Component("KgCoOp", {"weight": 8}), Component("KgCoOp", {"weight": 8.0})),
        (Component("ZeroShot", {"templates": ["a {}."]}), Component("ZeroShot", {"templates": ("a {}.",)})),
        (Component("ZeroShot"), Component("ZeroShot", {"templates": []})),
    ],
)
def test_forms_of_one_run_have_one_id(one: Component, other: Component) -> None:
    assert resolve(RunSpec(method=one)).run_id == resolve(RunSpec(method=other)).run_id


def test_places_are_no_part_of_an_id(backbone: BackboneSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_pictures(tmp_path / "a:b/secret: place/colours")
    spec = RunSpec(method="ZeroShot", data=f"folder:{tmp_path}/a:b/secret: place/colours", backbone=backbone, training=QUICK, shots=2)
    result = depthub.run(spec, runs=tmp_path / "runs")
    text = (tmp_path / "runs" / result.spec.run_id / "run.json").read_text()
    assert "secret" not in text
    assert str(tmp_path) not in text
    monkeypatch.chdir(tmp_path / "a:b/secret: place/colours/train")
    for name in ("folder:..", "folder:../../colours/", "folder:./../"):
        assert resolve(replace(spec, data=DataSpec(name))).run_id == result.spec.run_id
    write_pictures(tmp_path / "elsewhere/colours")
    assert resolve(replace(spec, data=DataSpec(f"folder:{tmp_path}/elsewhere/colours"))).run_id == result.spec.run_id
    write_backbone(tmp_path / "z model")
    moved = BackboneSpec(str(tmp_path / "z model/tiny_clip.json"), str(tmp_path / "z model/tiny_clip.safetensors"))
    assert resolve(replace(spec, backbone=moved)).run_id == result.spec.run_id


def test_an_unused_share_is_no_part_of_an_id(backbone: BackboneSpec, tmp_path: Path) -> None:
    data = write_pictures(tmp_path / "colours")
    ids = {resolve(RunSpec(data=replace(data, test_fraction=share), backbone=backbone)).run_id for share in (0.5, 0.3)}
    assert len(ids) == 1


def test_differences_name_what_differs() -> None:
    then = {"code": {"a": {"version": "1", "sha256": "x"}}, "data": {}, "backbone": "b", "packages": {"torch": "2"}}
    now = then | {"code": {"a": {"version": "2", "sha256": "x"}}, "packages": {}}
    assert differences(then, now) == ["code.a.version was 1, is 2", "packages.torch was 2, is not recorded"]
    assert differences(decisive(then), decisive(now)) == []
    assert differences(decisive(then), decisive(now | {"code": {"a": {"version": "1", "sha256": "y"}}})) == ["code.a was x, is y"]


def test_comments_and_layout_are_not_code() -> None:
    plain = "def f(x):\n    return x + 1\n"
    assert normalised(plain) == normalised('"""Module."""\n\ndef f(x):  # comment\n    """Adds."""\n\n    return (x + 1)\n')
    assert normalised(plain) != normalised(plain.replace("1", "2"))
    assert code_sha256(depthub.ITM) != code_sha256(depthub.Head)


def test_a_setting_that_is_a_file_counts_by_its_content(
    backbone: BackboneSpec, make_distribution: Callable[..., Path], tmp_path: Path
) -> None:
    from depthub.registry.plugins import Plugins
    from depthub.running.resolving import Resolver

    source = """
        from pathlib import Path
        from depthub import Method, hookimpl, Features

        class Listed(Method):
            def __init__(self, backbone, classes, *, file: Path = Path("")):
                super().__init__(backbone, classes)

            def features(self, backbone, images, classes):
                raise NotImplementedError

        @hookimpl
        def depthub_methods():
            return [Listed]
    """
    make_distribution("listed", {"listed": "listed"}, {"listed": textwrap.dedent(source)})
    (tmp_path / "texts.json").write_text("{}")
    spec = RunSpec(
        method=Component("Listed", {"file": str(tmp_path / "texts.json")}), data=write_pictures(tmp_path / "colours"), backbone=backbone
    )
    before = Resolver(plugins=Plugins())(spec)
    (tmp_path / "texts.json").write_text("{} ")
    after = Resolver(plugins=Plugins())(spec)
    assert before.inputs("weights")["data"] != after.inputs("weights")["data"]
    with pytest.raises(DepthubError, match="which is not a file"):
        Resolver(plugins=Plugins())(replace(spec, method=Component("Listed", {"file": "nowhere.json"})))


def test_stored_results_are_found_without_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = """
        import sys
        from pathlib import Path
        import depthub
        result = depthub.run(depthub.RunSpec(method="ZeroShot", data="tones"), runs=Path(sys.argv[1]))
        print("torch" in sys.modules, *(count.n_correct for count in result.counts.values()))
    """
    monkeypatch.setattr("depthub.running.recall.FRESH", 0)

    def run() -> list[str]:
        early = "import depthub.running.recall; depthub.running.recall.FRESH = 0\n"  # files of this checkout may have changed a moment ago
        command = [sys.executable, "-c", early + textwrap.dedent(program), str(tmp_path / "runs")]
        environment = {name: value for name, value in os.environ.items() if name != "MKL_CBWR"}  # as in a user's shell
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()

    first, second = run(), run()
    assert first[0] == "True"
    assert second == ["False", *first[1:]]
    path = next((tmp_path / "runs").glob("*/run.json"))
    path.write_text(path.read_text().replace('"seed": 1', '"seed": 2'))
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(tmp_path / "runs")], capture_output=True, text=True, check=False
    )
    assert "run_id is not the digest of spec" in done.stderr


def test_a_repeated_run_leaves_one_result(backbone: BackboneSpec, tmp_path: Path) -> None:
    spec = RunSpec(method="ZeroShot", data=write_pictures(tmp_path / "colours"), backbone=backbone, training=QUICK, shots=2)
    first = depthub.run(spec, runs=tmp_path / "runs")
    depthub.run(spec, runs=tmp_path / "runs", force=True)
    assert first.folder is not None
    assert sorted(path.name for path in first.folder.iterdir()) == ["classifier.safetensors", "predictions.safetensors", "run.json"]


def test_a_result_of_schema_1_0_is_used_with_a_note(tmp_path: Path) -> None:
    committed = depthub.results(BOARD)[0]
    spec, provenance = committed.spec, {key: value for key, value in committed.provenance.items() if key not in ("inputs", "loaded")}
    old = replace(committed, summary=None, tasks={}, stages=(), predictions={}, provenance=provenance)
    notes = Notes()
    Store(tmp_path).save(old)
    assert notes.run(spec, tmp_path).counts == committed.counts
    assert notes == ["results of schema 1.0 are used; they do not record the code that computed them"]
