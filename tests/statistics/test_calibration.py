"""Calibration by hand, and of a real run's stored predictions."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

import depthub
from depthub import DepthubError
from depthub.cli import main
from depthub.statistics.calibration import calibration


def test_by_hand() -> None:
    confidence = np.array([0.95, 0.85, 0.65, 0.55])
    correct = np.array([1.0, 0.0, 1.0, 0.0])
    likelihood = -np.log([0.95, 0.10, 0.65, 0.40])
    two = calibration(confidence, correct, likelihood, bins=2)  # all four are in the upper half: mean 0.75, accuracy 0.5
    assert two.ece == pytest.approx(0.25)
    assert two.adaptive == pytest.approx((abs(1.8 - 1) + abs(1.2 - 1)) / 4)  # the two most and the two least confident
    ten = calibration(confidence, correct, likelihood, bins=10)
    assert ten.ece == pytest.approx((0.05 + 0.85 + 0.35 + 0.55) / 4)
    assert ten.brier == pytest.approx((0.05**2 + 0.85**2 + 0.35**2 + 0.55**2) / 4)
    assert ten.likelihood == pytest.approx(likelihood.mean())
    assert ten.overconfidence == pytest.approx(0.25)


def test_what_is_right_as_often_as_it_says_is_calibrated() -> None:
    generator = np.random.default_rng(0)
    confidence = generator.uniform(0.2, 1, 200_000)
    correct = (generator.uniform(size=len(confidence)) < confidence).astype(float)
    result = calibration(confidence, correct, -np.log(confidence))
    assert max(result.ece, result.adaptive, abs(result.overconfidence)) < 0.005
    assert calibration(np.ones(3), np.ones(3), np.zeros(3)).ece == 0


def test_of_a_run_from_its_folder_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = depthub.run(depthub.RunSpec(method="ZeroShot", data="tones"), runs=tmp_path)
    assert result.folder
    predictions = depthub.read(result.folder).predictions["base"]
    correct = (predictions.predicted == predictions.labels).astype(float)
    of_run = predictions.calibration()
    assert correct.sum() == result.counts["base"].n_correct
    assert of_run.overconfidence == pytest.approx(predictions.probabilities()[:, 0].mean() - correct.mean())
    assert 0 < of_run.ece <= 1
    assert of_run.likelihood > 0
    assert main(["runs", "show", str(result.folder)]) == 0
    output = " ".join(capsys.readouterr().out.split())
    assert f"task base {' '.join(f'{value:.4f}' for value in asdict(of_run).values())}" in output


def test_no_probabilities_are_refused() -> None:
    with pytest.raises(DepthubError, match="2 probabilities, 1 outcomes and 2 likelihoods"):
        calibration(np.ones(2), np.ones(1), np.ones(2))
    with pytest.raises(DepthubError, match="not between 0 and 1"):
        calibration(np.array([1.2]), np.ones(1), np.ones(1))
