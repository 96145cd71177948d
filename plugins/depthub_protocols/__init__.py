"""The field's evaluation protocols."""

from __future__ import annotations

from depthub import Protocol, hookimpl


@hookimpl
def depthub_protocols() -> list[type[Protocol]]:
    from depthub_protocols.base_to_new import BaseToNew
    from depthub_protocols.cross_dataset import CrossDataset
    from depthub_protocols.domain_generalization import DomainGeneralization
    from depthub_protocols.few_shot import FewShot
    from depthub_protocols.oracle import Oracle

    return [BaseToNew, CrossDataset, DomainGeneralization, FewShot, Oracle]
