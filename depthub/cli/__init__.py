"""The command line: `depthub COMMAND`. One module a command, imported only when it is called.

A command module has `HELP`, one line; `parser()`, its options; and `main(config)`, which does the work and gives the exit status.
Only here are errors turned into messages.
"""

from __future__ import annotations

import os
import pkgutil
import sys
from importlib import import_module
from importlib.metadata import version
from typing import Any

from depthub.cli.parser import Parser
from depthub.errors import DepthubError, hint

USAGE = """usage: depthub COMMAND [options]

The benchmark suite for tuning CLIP-like vision-language models with few images.

commands:
{commands}

options:
  -h, --help                       this text; `depthub COMMAND --help` lists a command's options
  --version                        the version
  --print_completion SHELL         a completion script: shtab-bash, shtab-zsh, shtab-fish, shtab-tcsh
"""


def main(args: list[str] | None = None) -> int:
    """Run one command.

    Args:
        args: the command line without the program's name; by default this process's.

    Returns:
        The exit status: 0, 2 for the user's mistakes, 130 when interrupted. Bugs keep their traceback.
    """
    try:
        status = _dispatch(sys.argv[1:] if args is None else args)
        sys.stdout.flush()  # a reader that has gone shows here, not when Python exits
        return status
    except DepthubError as error:
        print(f"depthub: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("depthub: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # the reader has gone; what Python still flushes at exit goes nowhere, without a complaint
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except SystemExit as end:  # how argument parsers end after --help
        return end.code if isinstance(end.code, int) else 0


def commands() -> dict[str, Any]:
    """The command modules by name."""
    modules = {info.name: import_module(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__)}
    return {name: module for name, module in modules.items() if hasattr(module, "HELP")}


def _dispatch(args: list[str]) -> int:
    first = args[0] if args else "--help"
    if first in ("-h", "--help"):
        print(USAGE.format(commands="\n".join(f"  {name:<31}  {module.HELP}" for name, module in commands().items())), end="")
    elif first == "--version":
        print(f"depthub {version('depthub')}")
    elif first.startswith("-"):
        _root().parse_args(args)
    else:
        names = {info.name for info in pkgutil.iter_modules(__path__)}
        module: Any = import_module(f"{__name__}.{first}") if first in names else None
        if not hasattr(module, "HELP"):
            raise DepthubError(f"unknown command {first!r}{hint(first, commands())}")
        status: int = module.main(module.parser().parse_args(args[1:]))
        return status
    return 0


def _root() -> Parser:
    """All commands in one parser: for completion scripts, which are worth loading everything."""
    parser = Parser("depthub", "")
    subcommands = parser.add_subcommands(required=True)
    for name, module in commands().items():
        try:
            subcommands.add_subcommand(name, module.parser(), help=module.HELP)
        except ValueError:  # jsonargparse takes no parser with subcommands of its own: only the command itself is completed
            subcommands.add_subcommand(name, Parser(), help=module.HELP)
    return parser
