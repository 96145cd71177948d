"""Publications as data: how many numbers each has, chosen cells, every contradiction; and their rows for boards and pages."""

from __future__ import annotations

import json
from collections import Counter
from importlib.resources import files

import pytest

from depthub.cli import main
from depthub.errors import DepthubError
from depthub.literature.consistency import findings
from depthub.literature.printed import published
from depthub.literature.publications import publications
from depthub.literature.reported import reported, resolution

NUMBERS = {
    "atprompt": 378,
    "awesome-prompt-adapter-2025": 33,
    "coprompt": 3,
    "dept-2023": 529,
    "dept-2024": 309,
    "maple-2023": 21,
    "mma": 18,
    "promptkd": 271,
    "promptsrc": 9,
    "protext": 8,
    "skiptuning-2025": 398,
    "tip-adapter-2022": 176,
}
PROTOCOLS = {"base-to-new", "cross-dataset", "domain-generalization", "few-shot"}


def test_every_file_is_in_the_index_with_the_protocol_of_each_table() -> None:
    names = {path.name.removesuffix(".csv") for path in files("depthub.literature").joinpath("published").iterdir() if ".csv" in path.name}
    assert names == publications().keys() == NUMBERS.keys()
    for name, publication in publications().items():
        assert publication.name == name
        assert list(dict.fromkeys(number.table for number in published(name))) == list(publication.tables)
        assert set(publication.tables.values()) <= PROTOCOLS
        assert publication.url.startswith("https://github.com/")
        assert publication.version
        assert publication.source


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_are_complete_and_percentages_with_two_decimals(name: str) -> None:
    numbers = published(name)
    assert len(numbers) == NUMBERS[name]
    assert {number.decimals for number in numbers} == {2}
    assert all(0 < number.value <= 100 for number in numbers if " change" not in number.score)


@pytest.mark.parametrize(
    ("name", "place", "text"),
    [
        ("skiptuning-2025", ("base-to-new", "SkipTuning", "eurosat", "16", "H"), "87.48"),
        ("skiptuning-2025", ("cross-dataset", "CoPrompt*", "average", "16", "target"), "64.81"),
        ("dept-2024", ("base-to-new", "VPT+DePT", "average", "16", "H"), "79.22"),
        ("dept-2024", ("figure 4", "CoOp+DePT, lambda 0", "average", "16", "base"), "81.68"),
        ("atprompt", ("domain-generalization", "CoOp", "imagenet_r", "16", "target"), "75.21"),
        ("promptkd", ("base-to-new", "CLIP", "average", "0", "new"), "74.22"),
        ("tip-adapter-2022", ("few-shot", "Tip-Adapter-F", "imagenet", "1", "accuracy"), "61.13"),
        ("mma", ("base-to-new", "MMA", "average", "16", "base"), "83.20"),
        ("maple-2023", ("base-to-new", "MaPLe", "average", "16", "H"), "78.55"),
    ],
)
def test_chosen_cells(name: str, place: tuple[str, ...], text: str) -> None:
    cells = {(number.table, number.row, number.data, number.shots, number.score): number for number in published(name)}
    assert cells[place].text == text  # type: ignore[index]


def test_every_contradiction() -> None:
    kinds = {
        name: Counter(finding.kind for finding in findings(published(name), publication.tables))
        for name, publication in publications().items()
    }
    assert {name: dict(of) for name, of in kinds.items() if of} == {
        "atprompt": {"harmonic": 1, "average": 2, "tables": 3},  # the text has the averages of another host than the picture
        "awesome-prompt-adapter-2025": {"harmonic": 1},  # HPT, with another convention for H
        "dept-2023": {"average": 4, "harmonic": 5, "grid": 1, "tables": 8},
        "dept-2024": {"harmonic": 7},  # PromptSRC+DePT on UCF101, and six of seven balances in figure 4
        "mma": {"harmonic": 1},  # RPO, with another convention for H
        "promptkd": {"harmonic": 2},  # on StanfordCars and UCF101
        "promptsrc": {"harmonic": 1},  # ProDA
        "skiptuning-2025": {"harmonic": 3, "average": 1},  # a slip of a digit in a cell of CoOp shows in both
    }


def test_rows_of_a_publication() -> None:
    document = reported("skiptuning-2025")
    assert json.loads(json.dumps(document)) == document
    table = document["tables"][0]
    assert (table["protocol"], len(table["data"]), table["scores"]) == ("base-to-new", 11, ["base", "new", "H"])
    rows = {row["row"]: row for row in table["rows"]}
    assert rows["SkipTuning"]["per_data"]["eurosat"] == {"base": 92.47, "new": 83.00, "H": 87.48}
    assert rows["SkipTuning"]["average"] == {
        "printed": {"base": 85.04, "new": 77.53, "H": 81.11},
        "recomputed": rows["SkipTuning"]["average"]["printed"],
    }
    assert (rows["SkipTuning"]["league"], rows["CoPrompt*"]["league"]) == ("S", "")
    assert rows["CoOp"]["average"]["recomputed"]["new"] == 63.18
    assert len(rows["CoOp"]["contradictions"]) == 2
    assert rows["SkipTuning"]["contradictions"] == []
    assert table["resolution"] == {"score": "H", "least": 2.67, "pairs": 45}
    assert document["tables"][1]["resolution"] is None  # averages alone


def test_resolutions_of_the_dept_paper_and_of_few_shots() -> None:
    resolutions = {table["table"]: table["resolution"] for table in reported("dept-2023")["tables"]}
    assert resolutions["2"] == {"score": "H", "least": 2.26, "pairs": 28}
    assert resolutions["3"]["score"] == "target"
    assert resolutions["1"] is None
    (few_shot,) = reported("tip-adapter-2022")["tables"]
    assert few_shot["resolution"]["pairs"] == 5 * 3 + 15  # of rows with equal shots, and with CLIP, which has none
    assert resolution([]) is None
    with pytest.raises(DepthubError, match="unknown publication 'dept'"):
        reported("dept")


@pytest.mark.parametrize("name", ["coprompt", "skiptuning-2025"])
def test_the_command_reads_each(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["claim", name]) == (name != "coprompt")
    assert capsys.readouterr().out.startswith(f"{NUMBERS[name]} numbers, ")
