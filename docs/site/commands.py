"""What each command says of itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

from depthub.cli import command_modules, main


def reference() -> str:
    """A section for each command and sub-command, with the text of its `--help`."""
    return "\n\n".join(_section(words) for words in command_lines())


def command_lines() -> list[tuple[str, ...]]:
    """Every command and sub-command as words."""
    return [line for name, module in command_modules().items() for line in ((name,), *((name, sub) for sub in _parts(module.parser())))]


def help_of(words: tuple[str, ...]) -> str:
    """What a command prints for `--help`."""
    with redirect_stdout(StringIO()) as out:
        main([*words, "--help"])
    # argparse's parser steps back over a blank before what may follow an option directly
    return out.getvalue().replace(" \b", "").replace(str(Path.home()), "~")


def _section(words: tuple[str, ...]) -> str:
    return f"{'#' * (1 + len(words))} depthub {' '.join(words)}\n\n```text\n{help_of(words).strip()}\n```"


def _parts(parser: Any) -> Iterator[str]:
    """A parser's sub-commands."""
    group = parser._subcommands_action
    yield from group.choices if group else ()
