"""depthub: benchmark the tuning of CLIP-like vision-language models with few images.

Everything public is here; plugins import from nowhere else. Names are loaded when first used, so that
`import depthub` does not pay for torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from depthub.data.dataset import Data, DataSet, Examples
    from depthub.data.fewshot import few_shot
    from depthub.data.published.cards import Facts
    from depthub.data.published.on_disk import OnDisk
    from depthub.encoding.backbone import Backbone
    from depthub.errors import DepthubError
    from depthub.executor import Executor
    from depthub.head import ITM, Head, trained_rows
    from depthub.inference.classified import Classified
    from depthub.inference.classifier import Classifier, load
    from depthub.inference.export import export_classifier, export_prompts
    from depthub.inference.rescoring import Reading, Rescored, rescore, rescore_jointly
    from depthub.method import Method, PromptMethod, canonical_context, canonical_words, start_context
    from depthub.protocol import Count, Protocol, Stage, Summary, Task
    from depthub.records.collection import Results, results
    from depthub.records.comparison import Comparison, compare
    from depthub.records.document import read
    from depthub.records.predictions import Predictions
    from depthub.records.result import RunResult, Sample, TestedTask, TrainedStage
    from depthub.records.store import Store
    from depthub.registry.hookspecs import hookimpl
    from depthub.registry.presets import with_preset
    from depthub.running.in_memory import data_in_memory
    from depthub.running.options import RunOptions
    from depthub.running.runner import run, run_many
    from depthub.running.session import register
    from depthub.spec import BackboneSpec, Component, DataSpec, NamedBackbone, Preset, RunSpec, Training
    from depthub.system.display import progress
    from depthub.types import ClassSet, Features, Prompts

_HOME = {
    "ITM": "head",
    "Backbone": "encoding.backbone",
    "BackboneSpec": "spec",
    "ClassSet": "types",
    "Classified": "inference.classified",
    "Classifier": "inference.classifier",
    "Comparison": "records.comparison",
    "Component": "spec",
    "Count": "protocol",
    "Data": "data.dataset",
    "DataSet": "data.dataset",
    "DataSpec": "spec",
    "DepthubError": "errors",
    "Examples": "data.dataset",
    "Executor": "executor",
    "Facts": "data.published.cards",
    "Features": "types",
    "Head": "head",
    "Method": "method",
    "NamedBackbone": "spec",
    "OnDisk": "data.published.on_disk",
    "Predictions": "records.predictions",
    "Preset": "spec",
    "PromptMethod": "method",
    "Prompts": "types",
    "Protocol": "protocol",
    "Reading": "inference.rescoring",
    "Rescored": "inference.rescoring",
    "Results": "records.collection",
    "RunOptions": "running.options",
    "RunResult": "records.result",
    "RunSpec": "spec",
    "Sample": "records.result",
    "Stage": "protocol",
    "Store": "records.store",
    "Summary": "protocol",
    "Task": "protocol",
    "TestedTask": "records.result",
    "TrainedStage": "records.result",
    "Training": "spec",
    "canonical_context": "method",
    "canonical_words": "method",
    "compare": "records.comparison",
    "data_in_memory": "running.in_memory",
    "export_classifier": "inference.export",
    "export_prompts": "inference.export",
    "few_shot": "data.fewshot",
    "hookimpl": "registry.hookspecs",
    "load": "inference.classifier",
    "progress": "system.display",
    "read": "records.document",
    "register": "running.session",
    "rescore": "inference.rescoring",
    "rescore_jointly": "inference.rescoring",
    "results": "records.collection",
    "run": "running.runner",
    "run_many": "running.runner",
    "start_context": "method",
    "trained_rows": "head",
    "with_preset": "registry.presets",
}

__all__ = [
    "ITM",
    "Backbone",
    "BackboneSpec",
    "ClassSet",
    "Classified",
    "Classifier",
    "Comparison",
    "Component",
    "Count",
    "Data",
    "DataSet",
    "DataSpec",
    "DepthubError",
    "Examples",
    "Executor",
    "Facts",
    "Features",
    "Head",
    "Method",
    "NamedBackbone",
    "OnDisk",
    "Predictions",
    "Preset",
    "PromptMethod",
    "Prompts",
    "Protocol",
    "Reading",
    "Rescored",
    "Results",
    "RunOptions",
    "RunResult",
    "RunSpec",
    "Sample",
    "Stage",
    "Store",
    "Summary",
    "Task",
    "TestedTask",
    "TrainedStage",
    "Training",
    "canonical_context",
    "canonical_words",
    "compare",
    "data_in_memory",
    "export_classifier",
    "export_prompts",
    "few_shot",
    "hookimpl",
    "load",
    "progress",
    "read",
    "register",
    "rescore",
    "rescore_jointly",
    "results",
    "run",
    "run_many",
    "start_context",
    "trained_rows",
    "with_preset",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'depthub' has no attribute {name!r}")
    return getattr(import_module(f"depthub.{_HOME[name]}"), name)
