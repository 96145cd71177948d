"""Templates to pages: every value is escaped, and harmless as text."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from depthub.literature.leagues import LEAGUES
from depthub.site import views
from depthub.system.provenance import version
from depthub.values.text import plain


def renderer() -> Any:
    """A function of a template's name, the way to the site's root, and the template's values."""

    def harmless(value: Any) -> Any:
        return plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    environment = Environment(
        loader=PackageLoader("depthub.site"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=harmless,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"levels": views.LEVELS, "leagues": LEAGUES, "version": version("depthub") or ""}

    def render(name: str, root: str, **values: Any) -> str:
        return str(environment.get_template(f"{name}.html.j2").render(root=root, **values))

    return render
