"""Mathematics as MathML, written when the site is built: a browser draws it without a script or a font of ours."""

from __future__ import annotations

import re

from latex2mathml.converter import convert

# code, which stays as it is; a formula in lines of its own; one within a line
PART = re.compile(r"(?P<code>^ *```.*?^ *```$|`[^`\n]+`)|\$\$(?P<block>.+?)\$\$|\$(?P<inline>[^$\n]+?)\$", re.MULTILINE | re.DOTALL)


def render(text: str) -> str:
    """Markdown with every `$...$` and `$$...$$` as MathML."""
    return PART.sub(_rendered, text)


def _rendered(part: re.Match[str]) -> str:
    if part["code"]:
        return part[0]
    if part["block"]:
        return f'<div class="mathematics">{convert(" ".join(part["block"].split()), display="block")}</div>'
    return f'<span class="formula">{convert(part["inline"])}</span>'  # a line that begins with `<math>` would end the paragraph
