"""depthub: benchmark the tuning of CLIP-like vision-language models with few images.

Everything public is here; plugins import from nowhere else. Names are loaded when first used, so that
`import depthub` does not pay for torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from depthub.backbone import Backbone
    from depthub.classified import Classified
    from depthub.classifier import Classifier, load
    from depthub.collection import Results, results
    from depthub.comparison import Comparison, compare
    from depthub.data.dataset import Data, DataSet, Examples
    from depthub.data.facts import Facts
    from depthub.data.fewshot import few_shot
    from depthub.data.ondisk import OnDisk
    from depthub.document import read
    from depthub.errors import DepthubError
    from depthub.executor import Executor
    from depthub.export import export_classifier, export_prompts
    from depthub.head import ITM, Head, trained_rows
    from depthub.hookspecs import hookimpl
    from depthub.in_memory import data_in_memory
    from depthub.method import Method, PromptMethod, canonical_context, canonical_words, start_context
    from depthub.options import RunOptions
    from depthub.predictions import Predictions
    from depthub.presets import with_preset
    from depthub.protocol import Count, Protocol, Stage, Summary, Task
    from depthub.registering import register
    from depthub.rescoring import Reading, Rescored, rescore, rescore_jointly
    from depthub.result import RunResult, Sample, TestedTask, TrainedStage
    from depthub.runner import run, run_many
    from depthub.showing import progress
    from depthub.spec import BackboneSpec, Component, DataSpec, NamedBackbone, Preset, RunSpec, Training
    from depthub.store import Store
    from depthub.types import ClassSet, Features, Prompts

_HOME = {
    "ITM": "head",
    "Backbone": "backbone",
    "BackboneSpec": "spec",
    "ClassSet": "types",
    "Classified": "classified",
    "Classifier": "classifier",
    "Comparison": "comparison",
    "Component": "spec",
    "Count": "protocol",
    "Data": "data.dataset",
    "DataSet": "data.dataset",
    "DataSpec": "spec",
    "DepthubError": "errors",
    "Examples": "data.dataset",
    "Executor": "executor",
    "Facts": "data.facts",
    "Features": "types",
    "Head": "head",
    "Method": "method",
    "NamedBackbone": "spec",
    "OnDisk": "data.ondisk",
    "Predictions": "predictions",
    "Preset": "spec",
    "PromptMethod": "method",
    "Prompts": "types",
    "Protocol": "protocol",
    "Reading": "rescoring",
    "Rescored": "rescoring",
    "Results": "collection",
    "RunOptions": "options",
    "RunResult": "result",
    "RunSpec": "spec",
    "Sample": "result",
    "Stage": "protocol",
    "Store": "store",
    "Summary": "protocol",
    "Task": "protocol",
    "TestedTask": "result",
    "TrainedStage": "result",
    "Training": "spec",
    "canonical_context": "method",
    "canonical_words": "method",
    "compare": "comparison",
    "data_in_memory": "in_memory",
    "export_classifier": "export",
    "export_prompts": "export",
    "few_shot": "data.fewshot",
    "hookimpl": "hookspecs",
    "load": "classifier",
    "progress": "showing",
    "read": "document",
    "register": "registering",
    "rescore": "rescoring",
    "rescore_jointly": "rescoring",
    "results": "collection",
    "run": "runner",
    "run_many": "runner",
    "start_context": "method",
    "trained_rows": "head",
    "with_preset": "presets",
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
