"""Settings and companions of boards, and the changes of a board that a suite needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from depthub.errors import DepthubError
from depthub.spec import Component
from depthub.suites.reading import board_of, read_board, read_suite

BOARD = """
protocol: BaseToNew
data: [tones]
seeds: [1, 2]
settings: {MaPLe: {depth: 3}, CoOp: {n_ctx: 4}}
companions: [other.yaml]
"""
SUITE = """
board: board.yaml
changes: {protocol: {name: BaseToNew, epochs: [1, 2]}, cuts: [published, 1], seeds: [7]}
rows: [{method: [MaPLe, {name: MaPLe, depth: 2}, {name: CoOp, position: front}]}]
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "board.yaml").write_text(BOARD)
    (tmp_path / "other.yaml").write_text(BOARD.replace("tones", "figures").replace("seeds: [1, 2]", "seeds: [3]"))
    (tmp_path / "suite.yaml").write_text(SUITE)
    return tmp_path


@pytest.mark.usefixtures("place")
def test_settings_of_a_board_are_those_of_rows_that_state_none() -> None:
    methods = {repr(spec.method) for spec in read_suite("suite.yaml").specs()}
    expected = [Component("MaPLe", {"depth": 3}), Component("MaPLe", {"depth": 2}), Component("CoOp", {"n_ctx": 4, "position": "front"})]
    assert methods == set(map(repr, expected))


@pytest.mark.parametrize("board", ["", "other.yaml"])
@pytest.mark.usefixtures("place")
def test_changes_hold_on_every_board(board: str) -> None:
    suite = read_suite("suite.yaml", board)
    assert list(suite.board.data) == ["figures" if board else "tones"]
    assert [list(suite.board.seeds), list(suite.board.cuts)] == [[7], ["published", 1]]
    assert suite.board.protocol == Component("BaseToNew", {"epochs": [1, 2]})
    assert {repr(spec.protocol.settings.get("cut")) for spec in suite.specs()} == {"None", "1"}
    assert board_of("suite.yaml").protocol == Component("BaseToNew")


@pytest.mark.usefixtures("place")
def test_companions_are_named() -> None:
    assert list(read_board("board.yaml").companions) == ["other.yaml"]
    for name in ("shapes", "base-to-new"):
        protocols = {read_board(companion).protocol.name for companion in read_board(name).companions}
        assert protocols == {"CrossDataset", "DomainGeneralization"}


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("board", "{depth: 3}", "{deep: 3}", "board.yaml: settings: MaPLe has no setting 'deep'; did you mean 'depth'"),
        ("board", "MaPLe:", "MaPle:", "board.yaml: settings: unknown method 'MaPle'; did you mean 'MaPLe'"),
        ("board", "{depth: 3}", "{depth: [2, 3]}", "board.yaml: settings: MaPLe has several values; a board states one of each setting"),
        ("suite", "name: BaseToNew, epochs: [1, 2]", "name: FewShot", "suite.yaml: changes: cuts: protocol FewShot has no setting 'cut'"),
        ("suite", "[1, 2]", "[[1], [2]]", "suite.yaml: changes: protocol has several values, and a board has one protocol"),
        ("suite", "cuts:", "cut:", "suite.yaml: changes"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(file: str, old: str, new: str, message: str, place: Path) -> None:
    path = place / f"{file}.yaml"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(DepthubError, match=message):
        read_suite("suite.yaml")
