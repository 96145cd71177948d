"""The blocks of code in the documentation, and a place to run them in.

A block is a fence with a language. `python` runs as cells of a notebook, one namespace a page; lines of `shell` or `console` that call
depthub run in this process, with a small recipe where they state none. A comment above a block says what is special about it:

- `<!-- plugin: NAME -->`: it is the module of an installed plugin of this name.
- `<!-- file: PATH -->`: it is the content of a file.
- `<!-- runs: slow -->`: it runs with `-m slow` only.
- `<!-- not run: REASON -->`: it does not run.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from importlib import invalidate_caches
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from depthub import RunSpec, Training
from depthub.cli import main
from depthub.registry.plugins import installed
from tests.cells import Notebook

ROOT = Path(__file__).parents[2]
FENCE = re.compile(
    r"(?:<!-- (?P<word>plugin|file|runs|not run): (?P<rest>[^\n]*?) -->\s*\n)?"
    r"^(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)
SHELL = ("shell", "console", "sh", "bash")
COMMANDS = ("depthub", "python", "torchrun", "pip", "tox", "git", "$")  # first words of a block without a language that make it a shell's
ELSEWHERE = {  # a line with one of these is not run
    "pip install": "installs",
    "tox": "installs",
    "torchrun": "starts processes, which other tests do",
    "--download": "asks the network",
    "--data_root": "needs data sets that are not here",
    "hatchling": "releases",
    "git": "changes a repository",
    "quickstart": "takes a minute; it has tests of its own",
    "/path/to": "is a place that nobody has",
}
SMALL = {"--shots": "2", "--training.epochs": "1"}  # of a run that states none


@dataclass(frozen=True)
class Block:
    """A block of a page.

    Args:
        language: of the fence; a shell's where the block has none and consists of commands.
        text: without the fence and its indentation.
        word, rest: of the comment above it.
    """

    language: str
    text: str
    word: str
    rest: str

    @property
    def runs(self) -> bool:
        """Whether it is code that is to be run."""
        return self.word != "not run" and (self.language in ("python", *SHELL) or self.word in ("file", "plugin"))

    @property
    def commands(self) -> list[str]:
        """The commands of a shell's block, without comments and prompts; lines that end in a backslash are put together."""
        lines = self.text.replace("\\\n", " ").splitlines()
        given = [shlex.join(words) if "|" in line else line for line in lines if (words := shlex.split(line, comments=True))]
        return [part.strip().removeprefix("$ ") for line in given for part in line.split("&&")]


def blocks(page: Path) -> list[Block]:
    """The blocks of a page, in their order."""
    return [_block(fence) for fence in FENCE.finditer(page.read_text())]


def not_run(block: Block) -> list[str]:
    """The commands of a block that are not run, each with the reason; one entry for a whole block."""
    if block.language not in ("python", *SHELL):
        return []
    if block.word == "not run":
        return [f"{block.text.strip().splitlines()[0]} ({block.rest})"]
    if block.language == "python":
        return []
    reasons = {command: next((why for part, why in ELSEWHERE.items() if part in command), "") for command in block.commands}
    return [f"{command} ({why})" for command, why in reasons.items() if why]


@dataclass
class Desk:
    """Where the blocks of a page are run: a folder, which is the working folder, and a notebook.

    Args:
        folder: empty, or with what the page takes for granted.
        words: what to put in the place of words of the page.
    """

    folder: Path
    words: Mapping[str, str] = field(default_factory=dict)
    notebook: Notebook = field(default_factory=Notebook)

    def run(self, block: Block) -> str:
        """Run a block; what its commands print."""
        text = self._replaced(block.text)
        if block.word == "plugin":
            self._install(block.rest, text)
        elif block.word == "file":
            place = self.folder / ("site" if "/" in block.rest else "") / block.rest  # of a plugin's package, or beside the user's own
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
        elif block.language == "python":
            with redirect_stdout(StringIO()) as out:
                self.notebook.run(text)
            return out.getvalue()
        else:
            skipped = {entry.rpartition(" (")[0] for entry in not_run(block)}
            return "".join(self.command(self._replaced(command)) for command in block.commands if command not in skipped)
        return ""

    def command(self, line: str) -> str:
        """Run a command line of depthub; what it prints. `>` is understood."""
        line, _, file = line.partition(" > ")
        program, *words = shlex.split(line)
        assert program == "depthub", f"{line!r} cannot be run here: call depthub, or say why not with `<!-- not run: REASON -->`"
        with redirect_stdout(StringIO()) as out:
            status = main([*words, *_small(words)])
        assert status == 0, f"{line}: exit status {status}"
        if file:
            (self.folder / file.strip()).write_text(out.getvalue())
        return out.getvalue()

    def _replaced(self, text: str) -> str:
        for word, other in self.words.items():
            text = text.replace(word, other)
        return re.sub(r"\bRUN\b", self._last_run(), text) if re.search(r"\bRUN\b", text) else text

    def _last_run(self) -> str:
        """The folder of the run that was finished last."""
        return str(max(self.folder.glob("*/*/run.json"), key=lambda path: path.stat().st_mtime_ns).parent)

    def _install(self, name: str, source: str) -> None:
        """Install a plugin, the way that pip leaves it."""
        site = self.folder / "site"
        information = site / f"{name}-1.0.dist-info"
        information.mkdir(parents=True)
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (information / "entry_points.txt").write_text(f"[depthub]\n{name} = {name}\n")
        (site / name).mkdir(exist_ok=True)
        (site / name / "__init__.py").write_text(source)
        invalidate_caches()
        installed.cache_clear()


def _block(fence: re.Match[str]) -> Block:
    indent = len(fence["indent"])
    text = "".join(line[indent:] if line.strip() else line for line in fence["text"].splitlines(keepends=True))
    language = fence["language"]
    if not language and all(line.split()[0] in COMMANDS for line in text.splitlines() if line.strip() and not line.startswith("#")):
        language = "shell"
    return Block(language, text, fence["word"] or "", fence["rest"] or "")


def _small(words: list[str]) -> Iterator[str]:
    """Options that make a run small; nothing for other commands."""
    asks = any(word.startswith("--print") or word.endswith(".help") or word in ("-h", "--help") for word in words)
    if words[:1] == ["run"] and not asks:
        yield from (part for option, value in SMALL.items() if option not in words for part in (option, value))


def make_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Specs that state no shots and recipes that state no epochs are small for the rest of a test."""
    for cls, name, value in ((RunSpec, "shots", 2), (Training, "epochs", 1)):
        arguments: Any = cls.__init__
        names = arguments.__code__.co_varnames[1 : arguments.__code__.co_argcount]
        defaults = dict(zip(names[-len(arguments.__defaults__) :], arguments.__defaults__, strict=True)) | {name: value}
        monkeypatch.setattr(arguments, "__defaults__", tuple(defaults.values()))


def leave(name_of_site: Path) -> None:
    """Forget the modules of the plugins that a page installed."""
    for name, module in [*sys.modules.items()]:
        if str(getattr(module, "__file__", "") or "").startswith(str(name_of_site)):
            del sys.modules[name]
    installed.cache_clear()
