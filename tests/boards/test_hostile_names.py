"""Names of others on a board."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from depthub.cli import main
from depthub.protocol import Summary
from depthub.spec import BackboneSpec, Component
from depthub.values.text import plain
from tests.boards.runs import result, saved

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
    output, text = capsys.readouterr(), (tmp_path / "out/leaderboard.md").read_text()
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202e]", output.out + output.err + text)
    assert len(output.out.splitlines()) == 3  # two incomplete rows, and what was written
    assert len(output.err.splitlines()) == 2  # one left out, and a protocol that is not installed
    assert sorted(set(shown_names(text))) == sorted({"method", "CoOp", plain(name).strip()})
    columns = {len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) for line in text.splitlines() if line.startswith("| ")}
    assert columns == {5, 6}  # a method, three scores, in the averages also the parameters
