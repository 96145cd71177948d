"""A small random backbone, and image features with labels."""

from __future__ import annotations

import pytest
import torch
from torch.utils.data import TensorDataset

from depthub.encoding.backbone import Backbone
from tests.models import random_backbone


@pytest.fixture
def backbone() -> Backbone:
    return random_backbone(dtype=torch.float32)


@pytest.fixture
def images() -> TensorDataset:
    generator = torch.Generator().manual_seed(0)
    return TensorDataset(torch.randn(22, 24, generator=generator), torch.randint(5, (22,), generator=generator))
