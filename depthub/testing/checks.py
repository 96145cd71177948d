"""The contract, part by part."""

from __future__ import annotations

from depthub.testing import backbones, datasets, executors, features, protocols, training
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
    protocols.stages,
    protocols.few_shot_sample,
    protocols.scores,
    datasets.loading,
    datasets.digest,
    datasets.pictures,
    backbones.encoding,
    executors.outcomes,
    executors.stopping,
)
