"""`depthub data check` and `depthub data list` on the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from depthub.cli import main
from depthub.data.published.cards import ZeroShotTarget
from depthub.registry.plugins import installed
from tests import damage, miniature
from tests.conftest import MakeDistribution
from tests.miniature import alone, entries
from tests.picture_folders import write_folder

HERE = str(Path(__file__).parents[1])


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All miniatures; tests do not change it."""
    return miniature.make_all(tmp_path_factory.mktemp("data"))


@pytest.fixture(autouse=True)
def no_fetched_splits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEPTHUB_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def plugin(healthy: Path, make_distribution: MakeDistribution) -> Iterator[Path]:
    """A plugin whose data sets are miniatures that are official, with other names: `tiny-dtd`, `tiny-eurosat`, `tiny-food101`."""
    held = []
    for name in ("dtd", "eurosat", "food101"):
        target = {"base": ZeroShotTarget(50.0, 3, 3), "new": ZeroShotTarget(50.0, 3, 3)} if name == "dtd" else {}
        held.append(asdict(replace(miniature.official(healthy, name), name=f"tiny-{name}", zero_shot=target)))
    code = "import json\nfrom depthub import DatasetCard, OnDisk, hookimpl\n@hookimpl\ndef depthub_datasets():\n"
    code += f"    return [OnDisk(DatasetCard.of(card)) for card in json.loads({json.dumps(held)!r})]\n"
    installed.cache_clear()
    yield make_distribution("tiny-data", {"tiny": "tiny_data"}, {"tiny_data": code})
    installed.cache_clear()


def data_check(capsys: pytest.CaptureFixture[str], *args: object) -> tuple[int, str]:
    """Exit status and output of the command; it leaves nothing on stderr."""
    status = main(["data", "check", *map(str, args)])
    out, err = capsys.readouterr()
    assert err == ""
    return status, out


@pytest.mark.usefixtures("plugin")
def test_the_command_shows_a_line_a_data_set_and_its_faults(healthy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = alone(healthy, "dtd", tmp_path / "data")
    assert data_check(capsys, "tiny-dtd", "--data_root", root)[0] == 0
    alone(healthy, "eurosat", root)
    damage.truncated_split(root)
    before = entries(root)
    status, out = data_check(capsys, "tiny-dtd", "tiny-eurosat", "tiny-food101", "--data_root", root)
    assert status == 1
    lines = out.splitlines()
    assert lines[1].split() == ["tiny-dtd", "ok", "ok", "official", "ok", "ok", "ok"]
    assert lines[2].split() == ["tiny-eurosat", "ok", "fault", "-", "-", "-", "-"]
    assert "tiny-eurosat: fault, split file: eurosat/split_zhou_EuroSAT.json: is cut off after 700 bytes; " in out
    assert "tiny-food101: fault, layout: food-101: no such folder; `depthub data prepare tiny-food101 --from PATH` arranges" in out
    assert "not checked: zero shot: --zero_shot asks for it" in lines
    assert entries(root) == before


@pytest.mark.usefixtures("plugin")
def test_without_names_all_that_are_there_are_checked(healthy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = alone(healthy, "eurosat", tmp_path / "data")
    status, out = data_check(capsys, "--data_root", root, "--deep", "--json")
    assert status == 1  # as the published one, which has more images, it has faults
    told = json.loads(out)
    assert [report["data_set"] for report in told["data_sets"]] == ["eurosat", "tiny-eurosat"]
    assert "tiny-dtd" in told["absent"]
    assert [report["good"] for report in told["data_sets"]] == [False, True]
    assert told["data_sets"][1]["levels"][6] == {"level": 6, "name": "decoding", "outcome": "3 warnings"}
    assert {fault["severity"] for fault in told["data_sets"][1]["faults"]} == {"warning"}
    _, out = data_check(capsys, "--data_root", root)
    assert out.splitlines()[-1].startswith(f"not in {root}: caltech101, dtd, ")


@pytest.mark.usefixtures("plugin")
def test_a_folder_spelt_otherwise_counts_as_there(healthy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = alone(healthy, "eurosat", tmp_path / "data")
    damage.other_case_of_folder(root)
    status, out = data_check(capsys, "--data_root", root)
    assert status == 1
    assert "tiny-eurosat: fault, layout: eurosat: no such folder; EuroSAT differs from it" in out


@pytest.mark.usefixtures("plugin")
def test_zero_shot_on_the_command_line(healthy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = alone(healthy, "dtd", tmp_path / "data")
    alone(healthy, "eurosat", root)
    _, out = data_check(capsys, "tiny-dtd", "tiny-eurosat", "--data_root", root, "--zero_shot", "--backbone.model", "shapes")
    (told,) = [line for line in out.splitlines() if line.startswith("tiny-dtd: zero shot: base ")]
    assert told.count("/6") == 2
    assert "not checked: zero shot of tiny-eurosat: no accuracy is published" in out
    damage.self_made_split(root)
    _, out = data_check(capsys, "tiny-dtd", "--data_root", root, "--zero_shot")
    assert "not checked: zero shot: there are faults" in out


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["check"], "give --data_root DIR, the folder that holds data sets on this machine"),
        (["check", "--data_root", "nowhere"], "no folder nowhere (--data_root); expected the folder that holds data sets"),
        (
            ["check", "--data_root", str(Path(__file__).parents[1])],
            "(--data_root); `depthub data list` names the expected folders",
        ),
        (["list", "--data_root", "nowhere"], "no folder nowhere (--data_root); expected the folder that holds data sets"),
        (["check", "dtt", "--data_root", "."], "unknown data set 'dtt'; did you mean 'dtd'?"),
        (["check", "DescribableTextures", "--data_root", "."], "data set 'DescribableTextures' is called 'dtd' here"),
        (["check", "flowers-102", "--data_root", "."], "data set 'flowers-102' is called 'oxford_flowers' here"),
        (["prepare", "dtd", "--data_root", "."], "give --from PATH ..., the folders or archives that hold the data set"),
        (["prepare"], "missing: NAME; `depthub data prepare --help` shows the usage"),
        (["list", "--deep"], "unknown option '--deep'; did you mean '--help'?"),
        (["chek"], "chek"),
    ],
)
def test_mistakes_are_one_line(args: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", *args]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert says in line


def test_the_list_says_what_there_is(healthy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "list", "--json", "--data_root", str(healthy)]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows.keys() >= set(miniature.CLASSES)
    assert rows["dtd"]["found"] == str(healthy / "dtd")
    assert [rows["dtd"][key] for key in ("classes", "train", "val", "test", "template")] == [47, 2820, 1128, 1692, "{} texture."]
    assert main(["data", "list", "--data_root", str(healthy / "dtd")]) == 0
    out = capsys.readouterr().out
    assert "1,281,167" in out
    assert "non-commercial" in out


def test_no_torch_is_needed(healthy: Path) -> None:
    code = "import sys; from depthub.cli import main; status = main(sys.argv[1:])"
    code += "; sys.exit(', '.join({'torch', 'torchvision', 'open_clip', 'timm', 'pooch'} & set(sys.modules)) or status)"
    environ = {**os.environ, "DEPTHUB_LOAD_PLUGINS": ""}  # a third party's data sets may come with methods, hence with torch
    done = subprocess.run(
        [sys.executable, "-c", code, "data", "check", "--data_root", str(healthy)], capture_output=True, text=True, check=False, env=environ
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert "fault, split file: dtd/" in done.stdout


def test_the_command_checks_folders_and_lists(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_folder(tmp_path / "pets", "train", "test", each=2)
    (tmp_path / "list.csv").write_text(
        "path,label\n" + "".join(f"pets/train/{name}/train{i}.png,{name}\n" for name in ("cat", "dog") for i in (0, 1))
    )
    assert data_check(capsys, f"folder:{root}", f"list:{tmp_path / 'list.csv'}")[0] == 0
    (root / "test/dog/test1.png").write_bytes((root / "test/dog/test1.png").read_bytes()[:120])
    status, out = data_check(capsys, f"folder:{root}")
    assert status == 1
    assert f"folder:{root}: fault, decoding: test/dog/test1.png: cannot be decoded: " in out
    assert "not checked: split file, identity" in out
    (root / "train/cat/x.png").mkdir()
    status, out = data_check(capsys, f"folder:{root}", "--json")
    assert status == 1
    (report,) = json.loads(out)["data_sets"]
    assert "is a folder with the name of a picture" in report["faults"][0]["what"]
    assert main(["data", "check", "folder:"]) == 2
    assert "data set 'folder:' has no path; expected folder:PATH" in capsys.readouterr().err
