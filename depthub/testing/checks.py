"""The contract of methods and heads, part by part."""

from __future__ import annotations

from depthub.testing import features, training
from depthub.testing.contract import Check

CHECKS: tuple[Check, ...] = (
    training.gradients,
    training.frozen_backbone,
    training.determinism,
    training.save_and_load,
    features.new_classes,
    features.prompts_per_image,
    features.every_head,
    training.two_processes,
    training.mixed_precision,
    features.settings_survive,
    features.static_prompts,
    features.one_image_at_a_time,
)
