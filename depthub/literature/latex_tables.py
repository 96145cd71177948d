"""Printed tables from LaTeX: tabular environments whose header names scores or data sets and whose first column names the row.

Three layouts are read: data sets as groups of columns with their scores below, a block or a tabular for each data set, and one data set in
a column. The header may come again within a tabular. "+X" in the first column belongs to the last row without a plus.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from depthub.errors import DepthubError
from depthub.literature.latex import Node, parse, plain_text, rows, without_comments
from depthub.literature.printed import AVERAGE, Printed, refuse_repeats, text_of

SCORES = {name: name for name in ("base", "new", "source", "target", "accuracy")} | {"novel": "new", "h": "H", "hm": "H", "acc": "accuracy"}
_TABULAR = re.compile(r"\\begin\s*\{(tabular[*xy]?)\}(.*?)\\end\s*\{\1\}", re.DOTALL)
_EDGE = r"\\(begin|end)\s*\{(?:%s)\*?\}"
_NUMBER = re.compile(
    r"(\d{1,3}(?:\.\d+)?) ?%?\s*(?:[*†‡↑↓]|±.*|\(.*\)|(?<=\s)[+-].*)?", re.DOTALL
)  # with a deviation or a change beside it
_EMPTY = re.compile(r"[-–—]*|[+−-].*|n/?a", re.DOTALL | re.IGNORECASE)  # of a cell without a percentage; what has a sign is a difference
_MEAN = re.compile(r"(average|avg|ave|mean)\b", re.IGNORECASE)


def read_latex(path: Path) -> list[Printed]:
    """The numbers of all tables in a LaTeX file, which is read and never run.

    Raises:
        DepthubError: if it cannot be read; with the line, if a table is not one of percentages.
    """
    return parsed_latex(text_of(path), str(path))


def parsed_latex(text: str, source: str) -> list[Printed]:
    """The numbers of LaTeX text; tables are numbered from 1, tabulars within one `table` together.

    Args:
        text: of a file.
        source: its name, for messages.

    Raises:
        DepthubError: with the line, if a table is not one of percentages; if there is none.
    """
    text, numbers = without_comments(text), []
    tables: dict[int, str] = {}
    for match in _TABULAR.finditer(text):
        line = text.count("\n", 0, match.start(2)) + 1
        if r"\begin{" in match[2]:
            raise DepthubError(f"{source}, line {line}: an environment within a tabular; write its cell in one line")
        start, _ = _around(text, match.start(), "table") or match.span()
        table = tables.setdefault(start, str(len(tables) + 1))
        nodes = _inside(parse(match[2], line, source), 1 if match[1] == "tabular" else 2)
        numbers += list(_Reader(source, table, _data(_caption(text, match.start(), source))).numbers(nodes))
    refuse_repeats(numbers, source)
    if numbers:
        return numbers
    raise DepthubError(f"{source} has no tabular with percentages below a header")


@dataclass
class _Reader:
    """Reads a tabular from above; `data` is the data set of its caption, `block` that of the last line across it."""

    source: str
    table: str
    data: str
    block: str = ""
    method: str = ""
    header: list[list[str]] = field(default_factory=list)
    ended: bool = False  # a row of numbers came after the header

    def numbers(self, nodes: Sequence[Node]) -> Iterator[Printed]:
        for line, cells in rows(nodes):
            texts = [cell.text for cell in cells for _ in range(cell.span)]
            titles = [cell.text for cell in cells if cell.text]
            if len(titles) == 1 and (cells[0].text or any(cell.text and cell.span > 1 for cell in cells)):
                self.block = _data(titles[0])
            elif any(map(_NUMBER.fullmatch, texts[1:])) or (any(texts) and all(map(_EMPTY.fullmatch, texts[1:]))):
                self.ended = True
                yield from self._row(texts, f"{self.source}, line {line}")
            elif unread := [text for text in texts[1:] if text[:1].isdigit()]:
                raise DepthubError(f"{self.source}, line {line}: {unread[0][:40]!r} is no percentage, such as 81.50")
            elif any(texts):
                self.header = [texts] if self.ended else [*self.header, texts]
                self.ended = False

    def _row(self, texts: Sequence[str], place: str) -> Iterator[Printed]:
        name = self._name(texts[0])
        if not name or not self.header:
            raise DepthubError(f"{place}: numbers without {'a header above them' if name else 'a name in the first column'}")
        for column, text in enumerate(texts[1:], 1):
            data, score = self._column(column)
            if score and not _EMPTY.fullmatch(text):
                number = _NUMBER.fullmatch(text)
                if number is None or float(number[1]) > 100:
                    raise DepthubError(f"{place}: {text[:40]!r} below {score!r} is no percentage, such as 81.50")
                yield Printed(self.table, name, data, "", score, float(number[1]), len(number[1].partition(".")[2]))

    def _name(self, text: str) -> str:
        text = re.sub(r"\s+([*†‡])", r"\1", text)
        self.method = self.method if text.startswith("+") else text
        return f"{self.method}+{text[1:].strip()}" if text.startswith("+") else text

    def _column(self, column: int) -> tuple[str, str]:
        """Data set and score; no score in a column of something else, such as the year of a method."""
        names = [texts[column] for texts in self.header if column < len(texts) and texts[column]]
        others = " ".join(name for name in names if not _score(name))
        score = next((_score(name) for name in reversed(names) if _score(name)), "")
        if score:
            return _data(others) or self.block or self.data or AVERAGE, score
        if any(_score(name) for texts in self.header for name in texts[1:]):
            return "", ""
        of_block = self.block or self.data
        return (of_block, others) if of_block else (_data(others), "accuracy" if others else "")


def _score(name: str) -> str:
    return SCORES.get(re.sub(r"[^a-z]", "", name.lower()), "")


def _data(name: str) -> str:
    name = re.sub(r"^\([a-z]\)\s*", "", name).rstrip(". ")
    return AVERAGE if _MEAN.match(name) else name


def _inside(nodes: Sequence[Node], arguments: int) -> Sequence[Node]:
    """The rows of a tabular, after its width and columns."""
    groups = [place for place, node in enumerate(nodes) if node.inside is not None]
    return nodes[groups[arguments - 1] + 1 :] if len(groups) >= arguments else ()


def _around(text: str, position: int, environments: str) -> tuple[int, int] | None:
    """Beginning and end of the innermost of these environments around a position."""
    edges = list(re.finditer(_EDGE % environments, text))
    before = [edge for edge in edges if edge.start() < position]
    after = next((edge.start() for edge in edges if edge.start() > position), len(text))
    return (before[-1].start(), after) if before and before[-1][1] == "begin" else None


def _caption(text: str, position: int, source: str) -> str:
    """Of the part of a table that a tabular lies in alone."""
    start, end = _around(text, position, "subtable|subfigure|minipage") or (0, 0)
    nodes = parse(text[start:end], text.count("\n", 0, start) + 1, source)
    places = [place for place, node in enumerate(nodes) if node.text in {r"\caption", r"\subcaption"}]
    groups = [node for node in nodes[places[0] :] if node.inside is not None] if places else []
    return plain_text(groups[0].inside or ()) if groups else ""
