"""The command line: `depthub COMMAND`. One module a command, imported only when it is called.

A command module has `HELP`, one line; `parser()`, its options; and `main(config)`, which does the work and gives the exit status.
Only here are errors turned into messages.
"""

from __future__ import annotations

import pkgutil
import sys
from contextlib import nullcontext
from importlib import import_module
from importlib.metadata import version
from typing import Any

from depthub.cli import commands, done, ending
from depthub.cli.progress import Activity
from depthub.errors import DepthubError, hint
from depthub.values.text import plain

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
        The exit status: 0, 2 for the user's mistakes, 130 when interrupted, 143 when terminated, 129 when the terminal was closed. Bugs
        keep their traceback.
    """
    try:
        with ending.ended_by_signals():
            status = _dispatch(sys.argv[1:] if args is None else args)
            sys.stdout.flush()  # a reader that has gone shows here, not when Python exits
        return status
    except DepthubError as error:
        print(f"depthub: error: {plain(str(error))}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as end:
        return ending.report(end)
    except BrokenPipeError:  # the reader has gone
        ending.discard(sys.stdout.fileno())
        return 1
    except SystemExit as end:  # how argument parsers end after --help
        return _status(end.code)


def _status(code: object) -> int:
    """The exit status that Python gives to `sys.exit(code)`; words are said, as Python does."""
    if code is None or isinstance(code, int):
        return code or 0
    print(f"depthub: error: {plain(str(code))}", file=sys.stderr)
    return 1


def command_modules() -> dict[str, Any]:
    """The command modules by name."""
    return {name: import_module(f"{commands.__name__}.{name}") for name in _names()}


def _names() -> list[str]:
    return sorted(info.name for info in pkgutil.iter_modules(commands.__path__))


def _dispatch(args: list[str]) -> int:
    first = args[0] if args else "--help"
    if first in ("-h", "--help"):
        print(USAGE.format(commands="\n".join(f"  {name:<31}  {module.HELP}" for name, module in command_modules().items())), end="")
    elif first == "--version":
        print(f"depthub {version('depthub')}")
    elif first.startswith("-"):
        _root().parse_args(args)
    elif first == "run" and (status := done.at_once(args[1:])) is not None:
        return status
    else:
        if first not in _names():
            raise DepthubError(f"unknown command {first!r}{hint(first, _names())}")
        module: Any = import_module(f"{commands.__name__}.{first}")
        done.arguments.set(tuple(args[1:]))
        with Activity() if getattr(module, "LONG", False) and not _asks(args) else nullcontext():
            ended: int = module.main(module.parser().parse_args(args[1:]))
        return ended
    return 0


def _asks(args: list[str]) -> bool:
    """Whether a command line asks how to use the command, which is no work."""
    return any(arg == "-h" or arg.startswith(("--help", "--print")) or arg.endswith(".help") for arg in args)


def _root() -> Any:
    """All commands in one parser: for completion scripts, which are worth loading everything."""
    from depthub.cli.options.parser import Parser  # a finished run is shown without it

    parser = Parser("depthub", "")
    subcommands = parser.add_subcommands(required=True)
    for name, module in command_modules().items():
        try:
            subcommands.add_subcommand(name, module.parser(), help=module.HELP)
        except ValueError:  # jsonargparse takes no parser with subcommands of its own: only the command itself is completed
            subcommands.add_subcommand(name, Parser(), help=module.HELP)
    return parser
