"""Parts that a session registers for itself: checked like a plugin's, identified by their code, and unknown to other processes."""

from __future__ import annotations

import importlib
import pickle
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

import depthub
from depthub import Component, DepthubError, RunOptions, RunSpec, Training
from depthub.identity.inputs import code_sha256
from depthub.registry.plugins import installed
from depthub.registry.presets import with_preset
from depthub.running.models import features_of
from depthub.running.runner import run_many
from tests.cells import Notebook
from tests.models import write_backbone, write_pictures

HELPERS = """
import torch
from torch import nn
from depthub import Prompts, PromptMethod, register

WIDTH = 2

def start(backbone):
    return 0.02 * torch.ones(WIDTH, backbone.text_width)
"""
METHOD = '''
@register
class Mine(PromptMethod):
    """Of a cell."""

    def __init__(self, backbone, classes, *, gain: float = 1.0) -> None:
        super().__init__(backbone, classes)
        self.context = nn.Parameter(gain * start(backbone))

    def prompts(self, classes, image):
        return Prompts(text=[self.context])
'''


@pytest.fixture(autouse=True)
def _session() -> Iterator[None]:
    """Each test begins with the plugins alone."""
    yield
    installed.cache_clear()


@pytest.fixture
def notebook() -> Notebook:
    notebook = Notebook()
    notebook.run(HELPERS)
    return notebook


@pytest.fixture
def spec(tmp_path: Path) -> RunSpec:
    return RunSpec(
        method=Component("Mine"),
        data=write_pictures(tmp_path / "colours"),
        backbone=write_backbone(tmp_path / "model"),
        training=Training(epochs=2, batch_size=4),
        shots=4,
    )


def computed(spec: RunSpec, runs: Path) -> bool:
    """Do a run; returns whether it was computed, not found on disk."""
    on_disk: list[bool] = []
    run_many([spec], runs=runs, on_done=lambda index, result, found_on_disk: on_disk.append(found_on_disk), on_note=lambda line: None)
    return not on_disk[0]


def test_a_class_of_a_cell_runs_by_its_name_under_any_head_and_is_used_again(notebook: Notebook, spec: RunSpec, tmp_path: Path) -> None:
    cls = notebook.run(METHOD)["Mine"]
    assert installed().get("methods", "Mine") is cls
    for head in ("ITM", "DePT"):
        result = depthub.run(replace(spec, head=Component(head)), runs=tmp_path / "runs")
        (plugin,) = [one for one in result.provenance["plugins"] if one["name"] == "Mine"]
        assert (plugin["plugin"], plugin["distribution"]) == ("session", "session")
        assert result.provenance["inputs"]["code"]["methods Mine"]["sha256"] == code_sha256(cls)
        assert {"name": "session", "distribution": "session", "version": "0"} in result.provenance["loaded"]
        assert result.folder is not None
        assert depthub.load(result.folder, backbone=spec.backbone).result.counts == result.counts
    assert not computed(replace(spec, head=Component("DePT")), tmp_path / "runs")


@pytest.mark.parametrize(
    ("edit", "again"),
    [
        (METHOD.replace("[self.context]", "[self.context, self.context]"), True),
        (METHOD.replace("Of a cell.", "Of a cell, reworded.").replace("def prompts", "# a comment\n    def prompts"), False),
        (HELPERS.replace("0.02", "0.03"), True),  # what the class calls, in another cell; the class itself is the earlier one
        (HELPERS.replace("WIDTH = 2", "WIDTH = 3"), True),
        ("unrelated = WIDTH + 1", False),
        ("start.__defaults__ = (1,)", True),
    ],
)
def test_an_edited_cell_is_another_code_and_a_reworded_one_is_not(
    edit: str, again: bool, notebook: Notebook, spec: RunSpec, tmp_path: Path
) -> None:
    notebook.run(METHOD)
    assert computed(spec, tmp_path / "runs")
    notebook.run(edit)
    assert computed(spec, tmp_path / "runs") is again


CLASS = """
from depthub import Head, register
{before}
class Registered(Head):
    {inside}
    def loss(self, features, labels): return {loss}
    def forward(self, features): return features.image
"""
EDITS = {
    "nested": ("def f():\n    def g(): return {}\n    return g", "pass", "f()()"),
    "lambda": ("f = lambda: {}", "pass", "f()"),
    "class": ("class F:\n    def of(self): return {}", "pass", "F().of()"),
    "instance": ("class F: ...\nF.one = F(); F.one.value = {}\none = F.one", "pass", "one.value"),
    "attribute": ("", "gain = {}", "0"),
    "property": ("", "@property\n    def gain(self): return {}", "0"),
    "static": ("", "@staticmethod\n    def gain(): return {}", "0"),
    "list": ("values = [1, [2, {}]]", "pass", "values"),
    "mapping": ("values = dict(a=dict(b={}))", "pass", "values"),
    "set": ("values = {{'a', 'b', str({})}}", "pass", "values"),
    "tensor": ("import torch\nvalues = torch.tensor([1.0, {}])", "pass", "values"),
    "scalar_tensor": ("import torch\nvalues = torch.tensor({}, dtype=torch.bfloat16)", "pass", "values"),
    "array": ("import numpy\nvalues = numpy.array([1.0, {}])", "pass", "values"),
    "module_of_torch": (
        "import torch\nvalues = torch.nn.Linear(1, 1)\nfor p in values.parameters(): p.data[:] = {}",
        "pass",
        "values",
    ),
    "partial": ("from functools import partial\nf = partial(max, {})", "pass", "f(2)"),
    "cached": ("from functools import lru_cache\n@lru_cache\ndef f(): return {}", "pass", "f()"),
    "wrapped": ("import torch\n@torch.no_grad()\ndef f(): return {}", "pass", "f()"),
    "closure": ("def outer(k):\n    def f(): return k\n    return f\nf = outer({})", "pass", "f()"),
    "base": ("class Above(Head):\n    gain = {}\n_head, Head = Head, Above", "pass", "0"),
    "mixin": ("class Above:\n    def gain(self): return {}\n_head = Head\nclass Head(Above, _head): ...", "pass", "0"),
    "dataclass": ("from dataclasses import dataclass\n@dataclass\nclass F:\n    value: int = {}", "pass", "F().value"),
    "default": ("", "def gain(self, k={}): return k", "0"),
}


@pytest.mark.parametrize("name", EDITS)
def test_a_digest_depends_on_everything_that_the_code_uses(name: str) -> None:
    before, inside, loss = EDITS[name]

    def digest(value: int) -> str:
        cell = CLASS.format(before=before.format(value), inside=inside.format(value), loss=loss)
        return code_sha256(Notebook().run(cell)["Registered"])

    assert digest(1) == digest(1)
    assert digest(1) != digest(2)


def test_helpers_in_files_of_ones_own_count_once_they_are_reloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "helpers_of_a_notebook.py"
    file.write_text("def f(): return 1\n")
    cls = Notebook().run(CLASS.format(before="import helpers_of_a_notebook as h", inside="pass", loss="h.f()"))["Registered"]
    first = code_sha256(cls)
    file.write_text("def f(): return 22\n")
    assert code_sha256(cls) == first, "what runs is still the old code"
    importlib.reload(sys.modules["helpers_of_a_notebook"])
    assert code_sha256(cls) != first


def test_a_cell_that_uses_a_value_without_a_digest_is_refused() -> None:
    source = CLASS.format(before="import threading\nlock = threading.Lock()", inside="pass", loss="lock")
    with pytest.raises(DepthubError, match=r"^lock is a lock, which has no digest: create it where it is used, or make it a setting$"):
        depthub.register(Notebook().run(source)["Registered"])


def test_code_without_a_source_is_refused(notebook: Notebook) -> None:
    with pytest.raises(DepthubError, match=r"^depthub.register: method 'Mine' has no source, .*; define it in a file or a notebook cell$"):
        notebook.run(METHOD, readable=False)
    assert "Mine" not in installed().names("methods")


HEADER = "from depthub import DataSet, Executor, Head, NamedBackbone, Protocol, register\n"
HEAD = "class Odd(Head):\n    def loss(self, features, labels): ...\n    def forward(self, features): ...\n"
REFUSED = {
    "number": (
        "register(3)",
        "^depthub.register: 3 cannot be registered; expected a Method, Head, Protocol or Executor class, or",
    ),
    "abstract": ("register(Protocol)", "gives Protocol, which is abstract: it lacks scores, stages"),
    "class_of_data": ("class Odd(DataSet): ...\nregister(Odd)", r"cannot be registered; give an instance: Odd\(\.\.\.\)$"),
    "instance": (f"{HEAD}register(Odd(4, None))", "cannot be registered; give the class Odd itself$"),
    "setting": (f"{HEAD}    def __init__(self, dim, classes, *, width=3): ...\nregister(Odd)", "Odd's setting 'width' lacks a type"),
    "attribute": (f"{HEAD}    lr_scale = 'fast'\nregister(Odd)", "Odd.lr_scale is 'fast', expected a finite number of at least 0"),
    "name": ("register(NamedBackbone('a b', 'x'))", "gives a backbone with name 'a b'"),
    "raises": (
        f"{HEAD}    canonical = 3\nregister(Odd)",
        "Odd.canonical is 3, expected a method",
    ),
    "taken": (
        "class ITM(Head):" + HEAD.partition(":")[2] + "register(ITM)",
        "the name 'ITM' is taken by plugin 'clip' of depthub ",
    ),
    "taken_instance": (
        "register(NamedBackbone('shapes', 'x'))",
        "is taken by plugin .*: give your backbone another name$",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_parts_that_break_a_rule_are_refused_in_one_line(name: str) -> None:
    source, message = REFUSED[name]
    with pytest.raises(DepthubError, match=message) as refused:
        Notebook().run(HEADER + source)
    assert "\n" not in str(refused.value)


def test_other_processes_do_not_have_a_registered_part(notebook: Notebook, spec: RunSpec, tmp_path: Path) -> None:
    notebook.run(METHOD)
    local = installed().get("executors", "Local")
    specs = [replace(spec, seed=seed) for seed in (1, 2)]
    message = "^method 'Mine' is registered for this session only, and other processes do not have it; run without an executor, or"
    with pytest.raises(DepthubError, match=message):
        run_many(specs, runs=tmp_path / "runs", executor=local(workers=2))
    assert len(run_many(specs, runs=tmp_path / "runs", executor=local(workers=1))) == 2


def test_an_executor_of_the_session_gets_work_that_travels(spec: RunSpec, tmp_path: Path) -> None:
    source = """
import pickle
from depthub import Executor, do_pack, register

@register
class Travelling(Executor):
    def map(self, packs):
        for index, pack in enumerate(packs):
            pickle.loads(pickle.dumps(do_pack))(pickle.loads(pickle.dumps(pack)))
            yield index, None
"""
    Notebook().run(source)
    spec = replace(spec, method=Component("ZeroShot"))
    (result,) = run_many([spec], runs=tmp_path, executor=installed().get("executors", "Travelling")(), options=RunOptions(force=True))
    assert pickle.loads(pickle.dumps(result)).counts == result.counts


def test_recall_does_not_answer_for_parts_that_a_session_registered(spec: RunSpec, notebook: Notebook, tmp_path: Path) -> None:
    from depthub.running.resolving import Resolver
    from depthub.running.runner import places
    from depthub.running.session import session_parts

    notebook.run(METHOD)
    mine = Resolver()(spec)
    theirs = Resolver()(replace(spec, method=Component("ZeroShot")))
    assert places([theirs])
    assert session_parts([theirs, mine], installed()) == ["method 'Mine'"]
    assert places([theirs, mine]) is None


def test_a_backbone_registered_again_is_another(spec: RunSpec, tmp_path: Path) -> None:
    spec = replace(spec, method=Component("ZeroShot"))
    named, weights = replace(spec, backbone=depthub.BackboneSpec("own")), Path(spec.backbone.pretrained)
    depthub.register(depthub.NamedBackbone("own", spec.backbone.model, str(weights)))
    first = depthub.run(named, runs=tmp_path / "runs")
    other = weights.with_name("other.safetensors")
    save_file({name: 2 * values for name, values in load_file(weights).items()}, other)
    depthub.register(depthub.NamedBackbone("own", spec.backbone.model, str(other)))
    second = depthub.run(named, runs=tmp_path / "runs")
    assert first.spec.run_id != second.spec.run_id
    assert first.provenance["inputs"]["backbone"] != second.provenance["inputs"]["backbone"]


DATA = """
import numpy as np
from PIL import Image
from depthub import ClassSet, Data, DataSet, Examples, register

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 20, 20, 3), dtype=np.uint8)

def read(name):
    return Image.fromarray(PIXELS[int(name)])

class Own(DataSet):
    name = "own"
    def load(self, root=None):
        rows = [Examples(tuple(map(str, part)), tuple(i % 3 for i in part), read) for part in (range(6), range(6, 12))]
        return Data(ClassSet("own", (0, 1, 2), ("red", "green", "blue")), *rows)

register(Own())
"""


def test_images_that_a_cell_changed_are_encoded_again(spec: RunSpec, tmp_path: Path) -> None:
    spec = replace(spec, method=Component("ZeroShot"), protocol=Component("FewShot"), data=depthub.DataSpec("own"), shots=1)
    notebook = Notebook()
    pixels = notebook.run(DATA)["PIXELS"]
    assert computed(spec, tmp_path / "runs")
    assert not computed(spec, tmp_path / "runs")
    pixels[:] = pixels[:, ::-1, :, ::-1] // 2
    changed = depthub.run(spec, runs=tmp_path / "runs")
    features_of.cache_clear()
    alone = depthub.run(spec, runs=tmp_path / "others")
    assert changed.predictions["all"].scores.tolist() == alone.predictions["all"].scores.tolist()


def test_a_preset_from_python() -> None:
    spec = RunSpec(method=Component("KgCoOp", {"n_ctx": 2}))
    original = with_preset(spec, "original")
    assert original.method.settings["n_ctx"] == 2
    assert original.method.settings["weight"] == 8.0
    assert original.training is not None
    assert (original.training.batch_size, original.training.epochs) == (128, 100)
    assert with_preset(original, "original") == original
    with pytest.raises(DepthubError, match=r"^ZeroShot has no preset 'original'; it has: dept-repo"):
        with_preset(RunSpec(method=Component("ZeroShot")), "original")
    with pytest.raises(DepthubError, match="unknown preset 'orginal'; did you mean 'original'"):
        with_preset(spec, "orginal")
    with pytest.raises(DepthubError, match=r"^the spec has a recipe of its own, beside preset 'original'; leave training out"):
        with_preset(replace(spec, training=Training(epochs=3)), "original")


def test_a_spec_takes_plain_data_for_its_parts() -> None:
    plain = {
        "method": {"name": "CoOp", "settings": {"n_ctx": 4}},
        "head": {"name": "DePT", "settings": {"head": {"name": "ITM", "settings": {}}}},
        "data": {"name": "tones", "decoding": "exact"},
        "backbone": {"model": "shapes"},
        "training": {"epochs": 3},
    }
    spec = RunSpec(**plain, protocol="FewShot")  # type: ignore[arg-type]
    assert spec == RunSpec.of({**plain, "protocol": "FewShot"}) == RunSpec.of(spec.as_dict())
    assert (spec.method, spec.training) == (Component("CoOp", {"n_ctx": 4}), Training(epochs=3))
    assert isinstance(spec.head.settings["head"], Component)


@pytest.mark.parametrize(
    ("part", "value", "message"),
    [
        ("method", {"name": "CoOp", "setting": {}}, "expected its name, or a name with settings"),
        ("method", {"name": "CoOp", "settings": {}, "seed": 1}, "expected its name, or a name with settings"),
        ("data", {"nme": "tones"}, "unknown key 'data.nme' in a run's spec; did you mean 'name'"),
        ("training", {"epoch": 1}, "unknown key 'training.epoch' in a run's spec; did you mean 'epochs'"),
        ("training", "fast", "training is 'fast', expected a Training or None"),
        ("head", 3, "head is 3, expected a name or a Component"),
        ("backbone", None, "backbone is None, expected a name or a BackboneSpec"),
    ],
)
def test_wrong_plain_data_is_refused(part: str, value: object, message: str) -> None:
    with pytest.raises(DepthubError, match=message):
        RunSpec(**{part: value})  # type: ignore[arg-type]
