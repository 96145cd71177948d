"""Names of others in HTML and in Markdown: shown, and nothing more."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given, settings, strategies as st
from markdown_it import MarkdownIt

from depthub.values.text import html, markdown, plain, short

MARKS = st.text(st.sampled_from(list("\\`*_{}[]()<>#+-.!|~&;:/=$@'\" \n\r\t\x1b\u202eaw1")), max_size=25)
HOSTILE = [
    "<img src=x onerror=alert(1)>|\n# x \x1b[31m",
    "a|b\\|c\\\\|d",
    "# x",
    "- x",
    "1. x",
    "123) x",
    "***x***",
    "__x__ ~~x~~ `x` ``x",
    "[x](javascript:alert(1)) ![x](http://x/y.png)",
    "&lt;b&gt; &amp;amp;",
    "<!-- x",
    "</td></table><script>",
    "--- | ---",
    "http://x.example www.x.example",
    "    code",
]


def visible(page: str) -> str:
    """The text of a page without tags; fails on any tag that Markdown makes for more than a paragraph, a heading, a list or a table."""
    texts = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attributes: object) -> None:
            assert tag in {"p", "h1", "ul", "li", "table", "thead", "tbody", "tr", "th", "td"}, tag

        def handle_data(self, data: str) -> None:
            texts.append(data)

        def handle_comment(self, data: str) -> None:
            raise AssertionError(data)

    reader = Reader()
    reader.feed(page)
    reader.close()
    return "".join(texts)


def squeezed(text: str) -> str:
    return " ".join(plain(text).split())


def check(name: str) -> None:
    """In a heading, a list and a table, Markdown shows the name and makes nothing of it."""
    table = "| m | s |\n| --- | ---: |\n| {0} | 1.00 |\n| x | {0} |\n"
    for source, wanted in (("# {}\n", "{}"), ("- {}\n", "{}"), ("- a {}\n", "a {}"), (table, "m s {0} 1.00 x {0}")):
        rendered = MarkdownIt("commonmark", {"html": True}).enable("table").render(source.format(markdown(name)))
        assert squeezed(visible(rendered)) == squeezed(wanted.format(name))


@pytest.mark.parametrize("name", HOSTILE)
def test_markdown_shows_a_name_as_it_is(name: str) -> None:
    check(name)


@settings(deadline=None, derandomize=True, database=None)
@given(MARKS)
def test_markdown_shows_every_name_as_it_is(name: str) -> None:
    check(name)


@settings(deadline=None, derandomize=True, database=None)
@given(MARKS)
def test_html_shows_every_name_as_it_is(name: str) -> None:
    assert visible(f"<p>{html(name)}</p>") == plain(name)
    attributes: list[tuple[str, str | None]] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            attributes.extend(attrs)

    reader = Reader()
    reader.feed(f"<p title=\"{html(name)}\" id='{html(name)}'>")
    assert attributes == [("title", plain(name)), ("id", plain(name))]


def test_a_link_is_no_link() -> None:
    assert markdown("http://x.example WWW.x.example") == "http\\://x.example WWW\\.x.example"


@pytest.mark.parametrize("length", [0, 3, 59, 60, 61, 1000])
def test_long_text_keeps_both_ends(length: int) -> None:
    text = "".join(chr(ord("a") + i % 26) for i in range(length))
    shortened = short(text)
    assert len(shortened) <= 60
    assert shortened == text if length <= 60 else (shortened.startswith(text[:30]) and shortened.endswith(text[-10:]))
