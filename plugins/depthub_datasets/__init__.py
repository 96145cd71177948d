"""The field's 15 data sets in the folders of CoOp users: their cards, without images."""

from __future__ import annotations

import json
from pathlib import Path

from depthub import DataSet, DatasetCard, OnDisk, hookimpl

HERE = Path(__file__).parent


@hookimpl
def depthub_datasets() -> list[DataSet]:
    cards = json.loads((HERE / "cards.json").read_text(encoding="utf-8"))
    samples = json.loads((HERE / "fingerprints.json").read_text(encoding="utf-8"))
    return [OnDisk(DatasetCard.of({**card, "fingerprints": samples.get(card["name"], {})})) for card in cards]
