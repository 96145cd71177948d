"""The benchmarks: their reference computes the same, and the README shows the recorded results. No test looks at a time."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator

from depthub.training import graphs
from tests import tape
from tests.models import CLASSES, random_backbone
from tests.processes import started

WHY = "the benchmarks belong to the repository, not to the wheel"
cases = pytest.importorskip("benchmarks.cases", reason=WHY)
gpu = pytest.importorskip("benchmarks.bench_gpu", reason=WHY)
stack = pytest.importorskip("benchmarks.bench_stack", reason=WHY)
evaluation = pytest.importorskip("benchmarks.bench_evaluation", reason=WHY)
measure = pytest.importorskip("benchmarks.measure", reason=WHY)
report = pytest.importorskip("benchmarks.report", reason=WHY)


@pytest.mark.parametrize("method", cases.METHODS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, measure.TOLERANCE)], ids=str)
def test_the_plain_reference_computes_what_ours_does(method: str, dtype: torch.dtype, tolerance: float) -> None:
    backbone = random_backbone(dtype=dtype, context_length=40)
    ours, plain = cases.pair(backbone, method, CLASSES)
    assert (ours.backbone.encoding, plain.backbone.encoding) == ("fast", "reference")
    pixels, labels = torch.randn(4, 3, 32, 32, dtype=dtype), torch.tensor([0, 3, 1, 4])
    errors = measure.step_errors(ours, plain, pixels, CLASSES, labels) | measure.score_errors(ours, plain, pixels, CLASSES)
    assert errors.keys() == {"loss_error", "gradient_error", "score_error"}
    assert max(errors.values()) <= tolerance


def test_a_difference_would_show() -> None:
    backbone = random_backbone(dtype=torch.float32)
    ours, plain = cases.pair(backbone, "CoOp", CLASSES)
    with torch.no_grad():
        ours.method.context[0, 0] += 0.1
    errors = measure.step_errors(ours, plain, torch.randn(4, 24), CLASSES, torch.tensor([0, 3, 1, 4]))
    assert min(errors.values()) > measure.TOLERANCE


def test_what_is_measured_on_a_gpu_computes_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the CPU, with a tape in place of CUDA graphs."""
    monkeypatch.setattr(graphs, "capture", tape.capture)
    for seeds in (1, 2):
        sweep = stack.Sweep(cases.Case("CoOp+DePT", 4, backbone=cases.EMBEDDED), (0.7,), seeds, steps=3, rounds=1)
        ways, tuned = gpu.steps(sweep, Accelerator(cpu=True))
        before = tuned()
        for way in ways.values():
            way()
        after = tuned()
        assert all(measure.relative_error(after[name], before[name]) > 0.01 for name in ways)
        assert max(measure.relative_error(after[name], after[measure.PLAIN]) for name in ways) <= measure.TOLERANCE


def test_the_readme_shows_every_case_of_the_results() -> None:
    results, readme = json.loads(report.RESULTS.read_text()), report.README.read_text()
    assert results["cases"]
    for case in results["cases"]:
        assert f"\n| {case['case']} |" in readme
    assert report.rewritten(readme, results) == readme


@pytest.mark.slow
def test_a_quick_run_measures_the_embedded_model_and_leaves_the_readme_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("PYTEST_XDIST")]:  # else it refuses to measure
        monkeypatch.delenv(name)
    before, out = report.README.read_bytes(), tmp_path / "results.json"
    command = [sys.executable, "-m", "benchmarks", "--quick", "--results", str(out)]
    with started(*command, cwd=report.FOLDER.parent) as child:
        assert child.status(limit=7200) == 0, child.out + child.err  # minutes, where nothing else runs
    recorded = json.loads(out.read_text())["cases"]
    (memory,) = (case for case in recorded if "ours_mb" in case)
    assert memory["plain_mb"] > memory["ours_mb"] > 0
    timed = [case for case in recorded if case is not memory]
    assert len(timed) == sum(case.backbone == cases.EMBEDDED for case in cases.STEPS) + len(evaluation.BATCHES) + 1  # and a stack
    assert all(case["plain_ms"] > 0 and case["ours_ms"] > 0 and case["sgemm_gflops"] > 0 for case in timed)
    assert report.README.read_bytes() == before
