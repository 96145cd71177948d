"""Mistakes on a command line, each as one line: the option, its value, the expected values, the nearest valid one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import UnionType
from typing import Any, Literal, NoReturn, Union, get_args, get_origin

from jsonargparse import ArgumentError, ArgumentParser
from jsonargparse.typing import NonNegativeInt, PositiveInt

from depthub.errors import DepthubError, nearest
from depthub.values.annotations import in_words
from depthub.values.configuration import brief

WORDS: Mapping[Any, str] = {PositiveInt: "a positive integer", NonNegativeInt: "an integer of at least 0"}


def refuse_argument(argument: str, options: Iterable[str], prog: str) -> NoReturn:
    """Refuse an argument that a command does not have.

    Args:
        argument: an option or a value.
        options: the command's, without dashes.
        prog: the command.
    """
    if not argument.startswith("-"):
        raise DepthubError(f"unexpected argument {brief(argument)}; `{prog} --help` lists the options")
    name = argument.partition("=")[0]
    near = nearest(name, [f"--{option}" for option in options])
    raise DepthubError(f"unknown option {brief(name)}{near or f'; `{prog} --help` lists them'}")


def refuse_value(option: str, value: Any, expected: Any, cause: Exception | None = None) -> None:
    """Refuse a value that does not fit its option's type.

    Args:
        option: its name, or the key in a configuration file.
        value: a word of the command line, or plain data of a file.
        expected: the type.
        cause: the error of jsonargparse.
    """
    if not _fits(value, expected):
        near = nearest(value, map(str, _words(expected))) if isinstance(value, str) else ""
        raise DepthubError(f"{option}: got {brief(value)}, expected {_in_words(expected)}{near}") from cause


def _fits(value: Any, expected: Any) -> bool:
    """Whether jsonargparse takes the value for this type."""
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--value", type=expected)
    try:
        parser.parse_args([f"--value={value}"]) if isinstance(value, str) else parser.parse_object({"value": value})
    except ArgumentError:
        return False
    return True


def _words(expected: Any) -> Iterator[Any]:
    """The words that a type names."""
    if get_origin(expected) is Literal:
        yield from get_args(expected)
    elif get_origin(expected) in (Union, UnionType):
        for one in get_args(expected):
            yield from _words(one)


def _in_words(expected: Any) -> str:
    if get_origin(expected) in (Union, UnionType):
        return " or ".join(map(_in_words, get_args(expected)))
    return WORDS.get(expected) or in_words(expected)
