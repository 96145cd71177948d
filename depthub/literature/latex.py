"""LaTeX as plain text: braces, rows and cells of a tabular are followed, commands are names to strip; nothing is ever executed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from depthub.errors import DepthubError

DEEPEST = 30  # groups in one another
WIDEST = 200  # columns
# commands by the number of arguments that are no text; arguments after these are
DROPPED = {
    **dict.fromkeys(("cite", "citep", "citet", "ref", "label", "footnote", "cellcolor", "rowcolor", "color", "textcolor", "colorbox"), 1),
    **dict.fromkeys(("hspace", "vspace", "cmidrule", "cline", "arrayrulecolor", "rotatebox", "scalebox", "raisebox"), 1),
    **dict.fromkeys(("multirow", "rule", "resizebox", "setlength", "fontsize"), 2),
    "specialrule": 3,
    **dict.fromkeys(("hline", "toprule", "midrule", "bottomrule", "addlinespace", "xspace", "quad", "qquad", "centering", "noalign"), 0),
    **dict.fromkeys(("bf", "it", "rm", "em", "bfseries", "itshape", "small", "footnotesize", "scriptsize", "tiny"), 0),
}
JOINED = frozenset(("textbf", "textit", "textrm", "textsc", "texttt", "underline", "uline", "emph", "mathbf", "mathrm", "bm", "boldsymbol"))
SYMBOLS = {
    "pm": "±", "dagger": "†", "ddagger": "‡", "ast": "*", "uparrow": "↑", "downarrow": "↓", "Delta": "Δ", "textbackslash": "\\",
    "textasciitilde": "~", "textasciicircum": "^", "textless": "<", "textgreater": ">", "textbar": "|", "textquotedbl": '"',
    "textasciigrave": "`",
}  # fmt: skip
_TOKEN = re.compile(r"\\[A-Za-z]+\*?|\\.|[{}&]|[^\\{}&]+", re.DOTALL)
_OPTION = re.compile(r"^\s*\[[^\]]*\]")
_STARRED = re.compile(r"(\s*[\[(][^\])]*[\])])*\s*\*?")


@dataclass(frozen=True)
class Node:
    """A command, text or a group.

    Args:
        text: a command with its backslash, or text; empty for a group.
        line: of the file, from 1.
        inside: of a group.
    """

    text: str
    line: int
    inside: tuple[Node, ...] | None = None


@dataclass(frozen=True)
class Cell:
    """A cell of a row: its plain text, and the number of columns that it takes."""

    text: str
    span: int


def without_comments(text: str) -> str:
    """The text with its lines where they were."""
    return re.sub(r"(\\.)|%[^\n]*", lambda match: match[1] or "", text, flags=re.DOTALL)


def parse(text: str, line: int, source: str) -> tuple[Node, ...]:
    """Text without comments as nodes.

    Args:
        text: to read.
        line: of its beginning.
        source: its name, for messages.

    Raises:
        DepthubError: for braces that do not match, or too many in one another.
    """
    stack: list[list[Node]] = [[]]
    for token in _TOKEN.findall(text):
        if token == "{":
            stack.append([])
        elif token == "}" and len(stack) > 1:
            inside = tuple(stack.pop())
            stack[-1].append(Node("", line, inside))
        else:
            stack[-1].append(Node(token, line))
        line += token.count("\n")
        if len(stack) > DEEPEST or (token == "}" and stack[-1][-1].inside is None):
            raise DepthubError(f"{source}, line {line}: braces that do not match, or more than {DEEPEST} in one another")
    if len(stack) > 1:
        raise DepthubError(f"{source}, line {line}: a brace that is not closed in its table")
    return tuple(stack[0])


def plain_text(nodes: Sequence[Node]) -> str:
    """What a reader sees, in one line. A command that is not known stays as its name, or as a space before its argument."""
    return " ".join("".join(_parts(nodes)).split())


def rows(nodes: Sequence[Node]) -> Iterator[tuple[int, list[Cell]]]:
    """Line of the end and cells of each row of a tabular's inside.

    Raises:
        DepthubError: for a width that is no number of columns.
    """
    cells: list[list[Node]] = [[]]
    for node in [*nodes, Node(r"\\", nodes[-1].line if nodes else 0)]:
        if node.text in {r"\\", r"\tabularnewline"}:
            yield node.line, [_cell(cell) for cell in cells]
            cells = [[]]
        elif node.text == "&":
            cells.append([])
        else:  # at the beginning of a row, what follows \\ in brackets is a distance
            cells[-1].append(node if cells != [[]] else Node(_OPTION.sub("", node.text, count=1), node.line, node.inside))


def _cell(nodes: Sequence[Node]) -> Cell:
    for place, node in enumerate(nodes):
        if node.text == r"\multicolumn":
            groups = [other for other in nodes[place + 1 :] if other.inside is not None][:3]
            width = plain_text(groups[0].inside or ()) if len(groups) == 3 else ""
            if not width.isascii() or not width.isdecimal() or not 0 < int(width[:4]) <= WIDEST:
                raise DepthubError(f"line {node.line}: \\multicolumn over {width[:20]!r} columns, expected a number up to {WIDEST}")
            return Cell(plain_text([*nodes[:place], groups[2], *nodes[nodes.index(groups[2], place) + 1 :]]), int(width[:4]))
    return Cell(plain_text(nodes), 1)


def _parts(nodes: Sequence[Node]) -> Iterator[str]:
    rest = [*reversed(nodes)]
    while rest:
        node = rest.pop()
        name = node.text[1:].removesuffix("*") if node.text.startswith("\\") else ""
        if node.inside is not None:
            yield from _parts(node.inside)
        elif name in SYMBOLS or name in DROPPED:
            yield SYMBOLS.get(name, " ")
            _drop(rest, DROPPED.get(name, 0))
        elif name and not name.isalpha():
            yield name if name in "&%$#_{}" else " "
        elif name:
            yield "" if name in JOINED else " " if rest and rest[-1].inside is not None else name
        else:
            yield node.text.replace("$", "").translate({ord(mark): " " for mark in "~^_"})


def _drop(rest: list[Node], arguments: int) -> None:
    """Take options and arguments of a command off what is left, the next one last; text that is no option stays."""
    for _ in range(arguments):
        _take(rest, _STARRED)
        if rest and rest[-1].inside is not None:
            rest.pop()
    _take(rest, _OPTION)


def _take(rest: list[Node], pattern: re.Pattern[str]) -> None:
    if rest and rest[-1].inside is None and (match := pattern.match(rest[-1].text)):
        node = rest.pop()
        rest += [Node(node.text[match.end() :], node.line)] if node.text[match.end() :] else []
