"""Every block of code in the documentation does what it says, or says why it is not run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, SHELL, Block, Desk, blocks, not_run

PAGES = sorted(
    [ROOT / "README.md", ROOT / "plugins/README.md", *(ROOT / "docs").rglob("*.md")],
    key=lambda page: page.relative_to(ROOT).as_posix(),
)
WITH_TESTS_OF_THEIR_OWN = {"docs/your-pictures.md", "docs/add/notebook.md"}  # tests/docs/test_your_pictures.py and test_notebook.py
BY_HAND = {"docs/releasing.md"}  # what a release needs: tags, uploads, a fresh machine
NOT_RUN = {  # commands, or whole blocks, of each page: a new one is a decision
    "README.md": 4,
    "docs/data-sets.md": 1,
    "docs/executors.md": 2,
    "docs/paper.md": 2,
    "docs/resolution.md": 1,
    "docs/running.md": 3,
}


def name(page: Path) -> str:
    """The page's path in the repository."""
    return page.relative_to(ROOT).as_posix()


RUN = [page for page in PAGES if name(page) not in WITH_TESTS_OF_THEIR_OWN | BY_HAND and any(block.runs for block in blocks(page))]


@pytest.mark.parametrize("page", RUN, ids=name)
def test_the_blocks_of_a_page_run(page: Path, desk: Desk) -> None:
    run_all(page, desk, slow=False)


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in RUN if any(block.word == "runs" for block in blocks(page))], ids=name)
def test_the_blocks_of_a_page_run_with_those_that_take_longer(page: Path, desk: Desk) -> None:
    run_all(page, desk, slow=True)


def run_all(page: Path, desk: Desk, *, slow: bool) -> None:
    """Run the blocks of a page in their order."""
    for block in blocks(page):
        if block.runs and (slow or block.word != "runs"):
            desk.run(block)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_what_is_not_run_is_counted(page: Path) -> None:
    left_out = [entry for block in blocks(page) for entry in not_run(block)]
    expected = NOT_RUN.get(name(page), 0)
    assert name(page) in BY_HAND or len(left_out) == expected, "\n".join(["not run are:", *left_out])


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_block_has_a_language(page: Path) -> None:
    assert name(page) in BY_HAND or [block.text for block in blocks(page) if not block.language] == []


def test_a_wrong_block_fails(desk: Desk) -> None:
    with pytest.raises(NameError):
        desk.run(Block("python", "print(undefined)\n", "", ""))
    with pytest.raises(AssertionError, match="exit status 2"):
        desk.run(Block(SHELL[0], "depthub rnu\n", "", ""))
    with pytest.raises(AssertionError, match="cannot be run here"):
        desk.run(Block(SHELL[0], "rm -r runs\n", "", ""))
