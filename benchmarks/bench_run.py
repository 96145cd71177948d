"""A whole base-to-new run on the embedded default, from its spec to its file, with the image features of earlier runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.cases import EMBEDDED
from benchmarks.measure import Benchmark, side_by_side, variants
from depthub import Backbone, Component, DataSpec, RunResult, RunSpec, Training, run

EPOCHS = 1  # at the warm-up rate, where rounding cannot grow into other predictions


@pytest.mark.parametrize("head", ["ITM", "DePT"])
def test_run(benchmark: Benchmark, head: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = RunSpec(head=Component(head), data=DataSpec("tones"), training=Training(epochs=EPOCHS))
    results: dict[str, RunResult] = {}

    def way(encoding: str) -> Callable[[], object]:
        def do() -> object:
            monkeypatch.setattr(Backbone, "encoding", encoding)
            results[encoding] = run(spec, runs=tmp_path / encoding, force=True, cache=False)
            return results[encoding]

        return do

    ours, plain = way("fast"), way("reference")
    ours()
    plain()
    assert results["fast"].counts == results["reference"].counts
    what = f"a run of {EPOCHS} epoch: CoOp+{head}, {EMBEDDED}, tones"
    side_by_side(benchmark, what, 3, variants(ours, plain))
