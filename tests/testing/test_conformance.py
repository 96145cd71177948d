"""The contract: all components of depthub and of a third party's plugin keep it, and every violation is reported."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

from depthub import DataSet, Executor, Head, Method, NamedBackbone, Protocol
from depthub.cli import main
from depthub.registry.plugins import Plugins, installed
from depthub.testing import CHECKS, BackboneCase, Case, Check, ConformanceSuite, ContractError, Part, SkippedError, cases
from depthub.testing.provided import CASES
from depthub.testing.training import two_processes
from tests.conftest import MakeDistribution

BASES = {
    **{"methods": Method, "heads": Head, "protocols": Protocol},
    **{"datasets": DataSet, "backbones": NamedBackbone, "executors": Executor},
}
BUILT_IN = [case for report in installed().reports if report.distribution == "depthub" for case in cases(report.name)]
TRAINED = [case for case in BUILT_IN if isinstance(case, Case)]
IN_ONE_PROCESS = [check for check in CHECKS if check is not two_processes]
SEEN = {
    "gradients": "none for spare",
    "frozen-backbone": "token_embedding.weight changed in training",
    "determinism": "method.context differs by up to",
    "save-and-load": "restored scores differ by up to",
    "new-classes": "check() accepts new classes, but DepthubError: method Narrow: prompts() gives text prompt 0 as a Parameter of ",
    "prompts-per-image": "text features (B, M, d): RuntimeError",
    "every-head": "under CAT: RuntimeError: ",
    "mixed-precision": "RuntimeError: Index put requires the source and destination dtypes match",
    "settings": "scales is {0: 0.02, 1: 0.02}, read back {'0': 0.02, '1': 0.02}",
    "static-prompts": "needs_image is False, but there are text features per image, (B, M, d)",
    "one-image-at-a-time": "scores of an image on its own differ by up to",
    "encodings": "text features differ by up to",
    "layer-states": "image features differ by up to",
    "training-features": "text features are not those of the classes beside them, by up to",
    "class-subsets": "the loss of three classes is",
    "stacking": "method.context of run ",
    "views": "image features of equal views differ by up to",
    "prepare": "scores differ by up to",
    "presets": "preset 'original': DepthubError: training.optimizer is 'adagrad'",
    "class-texts": "check() accepts classes without texts, but IndexError",
    "finished-runs": "start=run:/nowhere/0000000... is accepted",
    "stages": "task 'all' has the image 'toys/test/0/0/flipped', which 'toys' has not",
    "few-shot-sample": "seed 1 draws other training images the second time",
    "scores": "DepthubError: with two thirds right: HM is ",
    "loading": "test has other images or labels, or another order, when it is loaded again",
    "digest": "digest() gives ",
    "pictures": "test, 'test/0': read gives a picture in mode L, expected RGB: .convert('RGB')",
    "encoding": "DepthubError: no model configuration at ",
    "outcomes": "a pack came back, but run ",
    "stopping": "runs went on after the generator was closed: end them in its `finally`",
}
BROKEN = Path(__file__).parents[1] / "broken_plugins"
CHECK = {check.id: check for check in CHECKS}


def broken(check: str) -> Part:
    """The component that breaks this check and no other."""
    module = import_module(f"tests.broken_plugins.{check.replace('-', '_')}")
    for thing in vars(module).values():
        for kind, base in BASES.items():
            if isinstance(thing, type) and issubclass(thing, base) and thing.__module__ == module.__name__:
                return CASES[kind](kind, thing() if kind == "datasets" else thing)
            if isinstance(thing, base):
                return CASES[kind](kind, thing)
    raise LookupError(check)


@cache
def all_broken() -> dict[str, Part]:
    """One broken component per check."""
    return {check.id: broken(check.id) for check in CHECKS}


def failed(case: Part, checks: list[Check]) -> Iterator[str]:
    """Ids of the checks that a case fails."""
    for check in checks:
        if case.kind in check.kinds:
            try:
                check(case)
            except ContractError:
                yield check.id


@pytest.fixture(scope="module", autouse=True)
def launched_together() -> None:
    """Starting processes is slow: one start for all."""
    for group in (TRAINED, [case for case in all_broken().values() if isinstance(case, Case)]):
        for case in group:
            case.peers = group


@pytest.fixture(autouse=True)
def diligent_ended() -> Iterator[None]:
    """The thread that a broken executor leaves behind draws from torch's generator, as the tests after it do."""
    yield
    for thread in threading.enumerate():
        if thread.name == "diligent":
            thread.join()


@pytest.mark.parametrize("case", BUILT_IN, ids=lambda case: case.name)
def test_what_comes_with_depthub_keeps_the_contract(case: Part) -> None:
    """Only missing data sets on disk, and clusters that are not there, are skipped."""
    for check in IN_ONE_PROCESS:
        if case.kind in check.kinds:
            try:
                assert check(case) == ""
            except SkippedError as error:
                # the text is checked, not the raising
                assert re.search("lies on disk; give --data_root DIR|the executor .* needs|Slurm does not answer", str(error))  # noqa: PT017


def test_two_processes_equal_one_for_all_that_comes_with_depthub() -> None:
    for case in TRAINED:
        two_processes(case)


class TestThirdParty(ConformanceSuite):
    plugin = "third_party"


@pytest.mark.parametrize("check", IN_ONE_PROCESS, ids=lambda check: check.id)
def test_a_broken_part_fails_its_check_and_no_other(check: Check) -> None:
    case = all_broken()[check.id]
    assert list(failed(case, IN_ONE_PROCESS)) == [check.id]
    with pytest.raises(ContractError) as caught:
        check(case)
    assert str(caught.value).startswith(f"{case.name} breaks the contract. Expected: {check.contract} Seen: {SEEN[check.id]}")
    assert str(caught.value).endswith(f"See docs/contract.md#{check.id}")


def test_in_two_processes_only_a_loss_that_depends_on_the_division_fails() -> None:
    assert [id for id, case in all_broken().items() if [*failed(case, [two_processes])]] == ["two-processes"]
    case = all_broken()["two-processes"]
    assert list(failed(case, IN_ONE_PROCESS)) == []
    with pytest.raises(ContractError, match=r"Seen: \S+ differs by up to .*; the loss must be a mean over the images\. See docs/contract"):
        two_processes(case)


def test_every_check_explains_itself_and_has_its_place_in_the_documentation() -> None:
    page = (Path(__file__).parents[2] / "docs/contract.md").read_text()
    kinds = [kind for place in re.findall(r"<!-- generated: checks ([\w ]+) -->", page) for kind in place.split()]
    assert sorted(kinds) == sorted(CASES)
    assert [check.id for check in CHECKS if len(check.explanation.split()) < 8 or not check.contract.endswith(".")] == []
    assert len(CHECK) == len(CHECKS) == len(all_broken())
    assert {f"{id.replace('-', '_')}.py" for id in CHECK} == {p.name for p in BROKEN.glob("[!_]*.py")}


SOURCE = """
from itertools import count
import torch
from torch import nn
from depthub import PromptMethod, Prompts, hookimpl
number = count()
class Numbered(PromptMethod):
    def __init__(self, backbone, classes, *, size: int = 4):
        super().__init__(backbone, classes)
        self.context = nn.Parameter(torch.full((size, backbone.text_width), float(next(number))))
    def prompts(self, classes, image): return Prompts(text=[self.context])
@hookimpl
def depthub_methods(): return [Numbered]
"""


@pytest.fixture
def site(make_distribution: MakeDistribution, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plugin that breaks the contract, one that cannot be imported, and two quick checks."""
    events = "from depthub import hookimpl\n@hookimpl\ndef depthub_run_started(spec): ...\n"
    modules = {"mine_mod": SOURCE, "bad_mod": "import nothing_here", "silent_mod": events}
    make_distribution("mine", {"mine": "mine_mod", "bad": "bad_mod", "silent": "silent_mod"}, modules)
    monkeypatch.setattr("depthub.testing.provided.installed", cache(lambda: Plugins({})))
    monkeypatch.setattr("depthub.testing.CHECKS", (CHECK["frozen-backbone"], CHECK["settings"], CHECK["prompts-per-image"]))


@pytest.mark.usefixtures("site")
def test_the_command_shows_what_is_kept_and_what_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "mine", "coop", "coop"]) == 1
    out = capsys.readouterr().out
    assert re.search(r"frozen-backbone +│ ok +│\n│ settings +│ failed", out)
    assert "Numbered fails settings" in out
    assert "seen: made from its settings, it starts otherwise: method.context differs by up to 1" in out
    assert "see: docs/contract.md#settings" in out
    assert out.count("│ coop") + out.count("┃ coop") == 1
    assert main(["check", "--json", "mine"]) == 1
    results = json.loads(capsys.readouterr().out)
    assert [(r["plugin"], r["component"], r["check"], r["ok"]) for r in results] == [
        ("mine", "Numbered", "frozen-backbone", True),
        ("mine", "Numbered", "settings", False),
    ]
    assert main(["check", "clip", "--json"]) == 0
    assert {(r["kind"], r["component"]) for r in json.loads(capsys.readouterr().out)} == {("methods", "ZeroShot"), ("heads", "ITM")}


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize(
    ("plugin", "says"),
    [
        ("cop", "unknown plugin 'cop'; did you mean 'coop'? known: "),
        ("bad", "plugin 'bad' of mine 1.0 is left out: cannot import 'bad_mod': ModuleNotFoundError"),
        ("silent", "plugin 'silent' of mine 1.0 provides nothing but run events: there is nothing to check"),
    ],
)
def test_what_cannot_be_checked_is_the_users_mistake(plugin: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "coop", plugin]) == 2
    output = capsys.readouterr()
    assert says in output.err
    assert output.out == ""


FAILING = """
import torch
from torch import nn
from depthub import Head, PromptMethod, Prompts, hookimpl
class Absent(PromptMethod):
    def __init__(self, backbone, classes):
        super().__init__(backbone, classes)
        self.context = nn.Parameter(torch.zeros(4, backbone.text_width))
    def prompts(self, classes, image):
        return Prompts(text=[self.context[:0]])
class Whole(PromptMethod):
    def __init__(self, backbone, classes):
        super().__init__(backbone, classes)
        self.context = nn.Parameter(0.02 * torch.randn(4, backbone.text_width))
    def prompts(self, classes, image): return Prompts(text=[self.context])
class Shattered(Head):
    def loss(self, features, labels): raise OSError("in pieces")
    def forward(self, features): return features.text
@hookimpl
def depthub_methods(): return [Absent, Whole]
@hookimpl
def depthub_heads(): return [Shattered]
"""


@pytest.fixture
def failing(make_distribution: MakeDistribution, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plugin with a method that fails everywhere, a right one, and a head that fails everywhere."""
    make_distribution("parts", {"parts": "parts_mod"}, {"parts_mod": FAILING})
    for module in ("provided", "features"):
        monkeypatch.setattr(f"depthub.testing.{module}.installed", cache(lambda: Plugins({})))


@pytest.mark.usefixtures("failing")
def test_a_fault_of_many_checks_is_shown_once_with_the_plugins_own_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("depthub.testing.CHECKS", tuple(CHECK[id] for id in ("gradients", "determinism", "mixed-precision", "settings")))
    assert main(["check", "parts"]) == 1
    out = capsys.readouterr().out
    line = "method Absent of parts 1.0: prompts() gives text prompt 0 as a Tensor of torch.float32 and the shape (0, 32), expected"
    assert out.count(line) == 1
    assert "(parts_mod.py, line 10)" in out
    assert "and 2 more checks fail for the same reason: determinism, mixed-precision" in out
    assert "OSError: in pieces (parts_mod.py, line 18)" in out
    assert main(["check", "--json", "parts"]) == 1
    results = [result for result in json.loads(capsys.readouterr().out) if result["component"] == "Absent"]
    assert [result["same_as"] for result in results] == ["", "gradients", "gradients", ""]


@pytest.mark.usefixtures("failing")
def test_a_method_is_not_blamed_for_a_head_that_fails_with_any(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("depthub.testing.CHECKS", (CHECK["every-head"],))
    assert main(["check", "--json", "parts"]) == 1
    results = {result["component"]: result for result in json.loads(capsys.readouterr().out)}
    assert results["Whole"]["ok"] is True
    assert results["Whole"]["note"].startswith("Shattered is left out, since it fails with the plainest method as well: ")
    assert "OSError: in pieces (parts_mod.py, line 18)" in results["Whole"]["note"]
    assert results["Absent"]["ok"] is False
    assert "under CAT: DepthubError: method Absent of parts 1.0" in results["Absent"]["seen"]
    assert results["Shattered"]["ok"] is False


def test_what_cannot_be_seen_here_is_skipped_with_the_reason(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "datasets"]) == 0
    out = capsys.readouterr().out
    assert "dtd, loading, digest, pictures skipped: it cannot be loaded here: data set 'dtd' lies on disk; give --data_root DIR" in out
    assert re.search(r"│ dtd +│ skipped │ skipped │ skipped +│", out)


def test_a_backbone_whose_weights_are_elsewhere_is_skipped() -> None:
    elsewhere = NamedBackbone("elsewhere", "ViT-B-16", "laion400m_e32")
    with pytest.raises(SkippedError, match="it needs weights: weights 'laion400m_e32' of 'ViT-B-16' is not on this machine"):
        CHECK["encoding"](BackboneCase("backbones", elsewhere))
    with pytest.raises(ContractError, match="unknown"):
        CHECK["encoding"](BackboneCase("backbones", NamedBackbone("misspelt", "ViT-B-1", "laion400m_e32")))
