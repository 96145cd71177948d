"""The published data sets, as their cards say."""

from __future__ import annotations

from depthub.data.published.on_disk import OnDisk
from depthub.registry.plugins import installed
from docs.site.tables import table

PARTS = ("train", "val", "test")


def published() -> str:
    """A row for each data set that lives on disk."""
    plugins = installed()
    sets = [one for name in plugins.names("datasets") if isinstance(one := plugins.get("datasets", name), OnDisk)]
    return table(("name", "data set", "folder", "list of images", "classes", *PARTS), [_row(one) for one in sets])


def _row(one: OnDisk) -> tuple[str, ...]:
    card = one.card
    images = [f"{card.counts[part]:,}" if part in card.counts else "" for part in PARTS]
    lists = f"`{card.split_file}`" if card.split_file else f"its own {card.layout}"
    return f"`{one.name}`", card.title, f"`{card.directory}/{card.images}`".replace("/.", ""), lists, f"{card.n_classes:,}", *images
