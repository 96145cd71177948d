"""The contract: kept by every method and head that comes with depthub and by a third party's, and told when it is broken."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

from depthub import Head
from depthub.cli import main
from depthub.plugins import Plugins, installed
from depthub.testing import CHECKS, Case, Check, ConformanceSuite, ContractError, cases
from depthub.testing.training import two_processes
from tests.conftest import MakeDistribution

BUILT_IN = [
    case
    for report in installed().reports
    if report.distribution == "depthub" and {"methods", "heads"} & report.provides.keys()
    for case in cases(report.name)
]
IN_ONE_PROCESS = [check for check in CHECKS if check is not two_processes]
SEEN = {
    "gradients": "none for spare",
    "frozen-backbone": "token_embedding.weight changed in training",
    "determinism": "method.context differs by up to",
    "save-and-load": "restored scores differ by up to",
    "new-classes": "check() accepts new classes, but RuntimeError",
    "prompts-per-image": "text features (B, M, d): RuntimeError",
    "every-head": "under CAT: DepthubError: a classifier trained on 5 classes of 'toys' cannot score",
    "mixed-precision": "RuntimeError: Index put requires the source and destination dtypes match",
    "settings": "scales is {0: 0.02, 1: 0.02}, read back {'0': 0.02, '1': 0.02}",
    "static-prompts": "needs_image is False, but there are text features per image, (B, M, d)",
    "one-image-at-a-time": "scores of an image on its own differ by up to",
}
BROKEN = Path(__file__).parent / "broken_plugins"
CHECK = {check.id: check for check in CHECKS}


def broken(check: str) -> Case:
    """The method or head that breaks this check and no other."""
    module = import_module(f"tests.broken_plugins.{check.replace('-', '_')}")
    cls = next(thing for thing in vars(module).values() if isinstance(thing, type) and thing.__module__ == module.__name__)
    return Case("heads" if issubclass(cls, Head) else "methods", cls)


@cache
def all_broken() -> dict[str, Case]:
    """One a check."""
    return {check.id: broken(check.id) for check in CHECKS}


def failed(case: Case, checks: list[Check]) -> Iterator[str]:
    """The checks that a case fails, among these."""
    for check in checks:
        if case.kind in check.kinds:
            try:
                check(case)
            except ContractError:
                yield check.id


@pytest.fixture(scope="module", autouse=True)
def launched_together() -> None:
    """Starting processes is slow: one start for all."""
    for group in (BUILT_IN, [*all_broken().values()]):
        for case in group:
            case.peers = group


@pytest.mark.parametrize("case", BUILT_IN, ids=lambda case: case.name)
def test_what_comes_with_depthub_keeps_the_contract(case: Case) -> None:
    for check in IN_ONE_PROCESS:
        if case.kind in check.kinds:
            check(case)


def test_two_processes_equal_one_for_all_that_comes_with_depthub() -> None:
    for case in BUILT_IN:
        two_processes(case)


class TestThirdParty(ConformanceSuite):
    plugin = "third_party"


@pytest.mark.parametrize("check", IN_ONE_PROCESS, ids=lambda check: check.id)
def test_a_broken_part_is_told_and_no_other(check: Check) -> None:
    case = all_broken()[check.id]
    assert list(failed(case, IN_ONE_PROCESS)) == [check.id]
    with pytest.raises(ContractError) as caught:
        check(case)
    assert str(caught.value).startswith(f"{case.name} breaks the contract. Expected: {check.contract} Seen: {SEEN[check.id]}")
    assert str(caught.value).endswith(f"See docs/contract.md#{check.id}")


def test_in_two_processes_only_what_depends_on_the_division_is_told() -> None:
    assert [id for id, case in all_broken().items() if [*failed(case, [two_processes])]] == ["two-processes"]
    case = all_broken()["two-processes"]
    assert list(failed(case, IN_ONE_PROCESS)) == []
    with pytest.raises(ContractError, match=r"Seen: \S+ differs by up to .*; the loss must be a mean over the images\. See docs/contract"):
        two_processes(case)


def test_every_check_has_its_section() -> None:
    text = (Path(__file__).parent.parent / "docs/contract.md").read_text()
    sections = dict(re.findall(r"^## (.*)\n\n> (.*)$", text, re.MULTILINE))
    assert sections == {check.id: check.contract for check in CHECKS}
    assert len(CHECK) == len(CHECKS) == len(all_broken())
    assert {f"{id.replace('-', '_')}.py" for id in CHECK} == {p.name for p in BROKEN.glob("[!_]*.py")}


SOURCE = """
import torch
from torch import nn
from depthub import PromptMethod, Prompts, hookimpl
class Numbered(PromptMethod):
    def __init__(self, backbone, classes, *, sizes: dict = {0: 4}):
        super().__init__(backbone, classes)
        self.context = nn.Parameter(torch.zeros(*sizes.values(), backbone.text_width))
    def prompts(self, classes, image): return Prompts(text=[self.context])
@hookimpl
def depthub_methods(): return [Numbered]
"""


@pytest.fixture
def site(make_distribution: MakeDistribution, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plugin that breaks the contract, one that cannot be imported, and two quick checks."""
    make_distribution("mine", {"mine": "mine_mod", "bad": "bad_mod"}, {"mine_mod": SOURCE, "bad_mod": "import nothing_here"})
    monkeypatch.setattr("depthub.testing.case.installed", cache(lambda: Plugins({})))
    monkeypatch.setattr("depthub.testing.CHECKS", (CHECK["frozen-backbone"], CHECK["settings"], CHECK["prompts-per-image"]))


@pytest.mark.usefixtures("site")
def test_the_command_shows_what_is_kept_and_what_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "mine", "coop", "coop"]) == 1
    out = capsys.readouterr().out
    assert re.search(r"frozen-backbone +│ ok +│\n│ settings +│ failed", out)
    assert "Numbered fails settings" in out
    assert "seen: sizes is {0: 4}, read back {'0': 4}" in out
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
        ("executors", "provides neither methods nor heads: there is nothing to check"),
    ],
)
def test_what_cannot_be_checked_is_the_users_mistake(plugin: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "coop", plugin]) == 2
    output = capsys.readouterr()
    assert says in output.err
    assert output.out == ""
