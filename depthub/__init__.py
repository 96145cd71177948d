"""depthub: benchmark the tuning of CLIP-like vision-language models with few images.

Everything public is here; plugins import from nowhere else. Names are loaded when first used, so that
`import depthub` does not pay for torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from depthub.backbone import Backbone
    from depthub.data.dataset import Data, DataSet, Examples
    from depthub.data.facts import Facts
    from depthub.data.fewshot import few_shot
    from depthub.data.ondisk import OnDisk
    from depthub.errors import DepthubError
    from depthub.executor import Executor
    from depthub.head import ITM, Head, trained_rows
    from depthub.hookspecs import hookimpl
    from depthub.method import Method, PromptMethod, start_context
    from depthub.protocol import Count, Protocol, Stage, Task
    from depthub.runner import run, run_many
    from depthub.spec import BackboneSpec, Component, DataSpec, NamedBackbone, Preset, RunSpec, Training
    from depthub.store import RunResult
    from depthub.types import ClassSet, Features, Prompts

_HOME = {
    "ITM": "head",
    "Backbone": "backbone",
    "BackboneSpec": "spec",
    "ClassSet": "types",
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
    "Preset": "spec",
    "PromptMethod": "method",
    "Prompts": "types",
    "Protocol": "protocol",
    "RunResult": "store",
    "RunSpec": "spec",
    "Stage": "protocol",
    "Task": "protocol",
    "Training": "spec",
    "few_shot": "data.fewshot",
    "hookimpl": "hookspecs",
    "run": "runner",
    "run_many": "runner",
    "start_context": "method",
    "trained_rows": "head",
}

__all__ = [
    "ITM",
    "Backbone",
    "BackboneSpec",
    "ClassSet",
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
    "Preset",
    "PromptMethod",
    "Prompts",
    "Protocol",
    "RunResult",
    "RunSpec",
    "Stage",
    "Task",
    "Training",
    "few_shot",
    "hookimpl",
    "run",
    "run_many",
    "start_context",
    "trained_rows",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'depthub' has no attribute {name!r}")
    return getattr(import_module(f"depthub.{_HOME[name]}"), name)
