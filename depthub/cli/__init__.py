"""The command line: `depthub COMMAND`. One module per command, imported only when it is called.

A command module has `HELP`, one line; `parser()`, its options; and `main(config)`, which does the work and returns the exit status.
Errors become messages only here.
"""

from __future__ import annotations

import sys
from contextlib import nullcontext
from importlib import import_module
from importlib.metadata import version
from typing import Any

from depthub.cli import commands, done, ending
from depthub.cli.progress import Activity
from depthub.errors import DepthubError, hint, nearest
from depthub.system import provenance
from depthub.values.text import plain

# in the order of use: first steps, runs and what comes of them, data and plugins, housekeeping
COMMANDS = (
    "quickstart", "run", "launch", "suite", "runs", "cost", "predict", "rescore", "channels", "export", "report", "leaderboard", "submit",
    "claim", "paper", "data", "plugins", "check", "new", "cache", "golden", "work",
)  # fmt: skip
USAGE = """usage: depthub COMMAND [options]

The benchmark suite for tuning CLIP-like vision-language models with few images.

commands:
{commands}

options:
  -h, --help               this text; `depthub COMMAND --help` lists a command's options
  --version                the version
  --print_completion FORM  a completion script: shtab-bash, shtab-zsh, shtab-fish or shtab-tcsh
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
            sys.stdout.flush()  # fails here if the reader has gone, not when Python exits
        return status
    except DepthubError as error:
        print(f"depthub: error: {plain(str(error))}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as end:
        return ending.report(end)
    except BrokenPipeError:  # the reader has gone
        ending.discard(sys.stdout.fileno())
        return 1
    except SystemExit as end:  # the end of argument parsers after --help
        return _status(end.code)


def _status(code: object) -> int:
    """The exit status of `sys.exit(code)`; a message is printed, as Python does."""
    if code is None or isinstance(code, int):
        return code or 0
    print(f"depthub: error: {plain(str(code))}", file=sys.stderr)
    return 1


def command_modules() -> dict[str, Any]:
    """The command modules by name, in the order of use."""
    return {name: import_module(f"{commands.__name__}.{name}") for name in COMMANDS}


def _dispatch(args: list[str]) -> int:
    first = args[0] if args else "--help"
    if first in ("-h", "--help"):
        print(USAGE.format(commands="\n".join(f"  {name:<11}  {module.HELP}" for name, module in command_modules().items())), end="")
    elif first == "--version":
        print(f"depthub {version('depthub')}")
    elif first.startswith("-"):
        _print_completion(first, args[1:])
    elif first == "run" and (status := done.at_once(args[1:])) is not None:
        return status
    else:
        if first not in COMMANDS:
            raise DepthubError(f"unknown command {first!r}{hint(first, COMMANDS, len(COMMANDS))}")
        module: Any = import_module(f"{commands.__name__}.{first}")
        with provenance.asked_by(args), Activity() if getattr(module, "LONG", False) and not _asks(args) else nullcontext():
            status = int(module.main(module.parser().parse_args(args[1:])))
        return status
    return 0


def _asks(args: list[str]) -> bool:
    """Whether a command line asks for help, which is not work."""
    return any(arg == "-h" or arg.startswith(("--help", "--print")) or arg.endswith(".help") for arg in args)


def _print_completion(option: str, values: list[str]) -> None:
    """Print a completion script, for which all commands and plugins are loaded."""
    name, _, joined = option.partition("=")
    if name not in ("--print_completion", "--print-completion"):
        raise DepthubError(f"unknown option {option!r}{nearest(name, ['--help', '--version', '--print_completion'])}")
    from depthub.cli.completion import SHELLS, script

    form = joined or next(iter(values), "")
    if not form:
        raise DepthubError(f"{name}: expected one of {', '.join(SHELLS)}")
    print(script(form, command_modules()))
