"""Image features in the memory of this process."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterable, Mapping

from torch import Tensor


class RecentFeatures:
    """Features by key, (d,) each; the least recently used are forgotten first.

    Args:
        limit: bytes of all features together.
    """

    def __init__(self, limit: int) -> None:
        self.limit, self.size = limit, 0
        self._rows: OrderedDict[Hashable, Tensor] = OrderedDict()

    def find(self, keys: Iterable[Hashable]) -> dict[Hashable, Tensor]:
        """The features of these keys, as far as they are remembered."""
        return {key: self._rows[key] for key in keys if key in self._rows}

    def use(self, rows: Mapping[Hashable, Tensor]) -> None:
        """Remember these features as the most recently used."""
        for key, row in rows.items():
            if key not in self._rows:
                self._rows[key] = row.clone()  # a row of a batch would hold the memory of the whole batch
                self.size += row.nbytes
            self._rows.move_to_end(key)
        while self.size > self.limit:
            self.size -= self._rows.popitem(last=False)[1].nbytes
