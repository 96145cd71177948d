"""The contract, part by part."""

from __future__ import annotations

from depthub.testing import abilities, backbones, datasets, executors, features, protocols, training
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
    abilities.encodings,
    abilities.layer_states,
    abilities.training_features,
    abilities.class_subsets,
    abilities.stacking,
    abilities.views,
    abilities.prepare,
    abilities.presets,
    abilities.class_texts,
    abilities.finished_runs,
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
