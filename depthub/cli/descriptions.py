"""What installed methods, heads and data sets are, by name: the first paragraph of their documentation."""

from __future__ import annotations

import inspect
import re

from depthub.registry.plugins import installed

KINDS = ("methods", "heads", "datasets")


def descriptions() -> dict[str, str]:
    """One paragraph for each, without the marks of code."""
    plugins = installed()
    texts = {name: inspect.getdoc(plugins.get(kind, name)) for kind in KINDS for name in plugins.names(kind)}
    return {name: " ".join(re.sub("[`*]", "", text.partition("\n\n")[0]).split()) for name, text in texts.items() if text}
