"""Every public name of depthub, and the module that it lives in: read by type checkers, and by `__init__.py` when a name is first used."""

from .boards import load_board as load_board
from .compute.processes import elementwise_max as elementwise_max
from .compute.scaled_gradient import scaled_gradient as scaled_gradient
from .data.class_texts import NamedTexts as NamedTexts
from .data.dataset import Data as Data, DataSet as DataSet, Examples as Examples
from .data.fewshot import few_shot as few_shot
from .data.published.cards import DatasetCard as DatasetCard, Facts as Facts
from .data.published.on_disk import OnDisk as OnDisk
from .encoding.backbone import Backbone as Backbone
from .encoding.tuned_weights import AddedParts as AddedParts, LowRank as LowRank, TunedWeights as TunedWeights
from .errors import DepthubError as DepthubError
from .executor import Executor as Executor
from .head import ITM as ITM, Head as Head, trained_rows as trained_rows
from .inference.channels import ChannelImportance as ChannelImportance, channel_importance as channel_importance
from .inference.classified import Classified as Classified
from .inference.classifier import Classifier as Classifier
from .inference.export import export_classifier as export_classifier, export_prompts as export_prompts
from .inference.forgetting import forgetting as forgetting
from .inference.loading import load as load
from .inference.rescored import Rescored as Rescored
from .inference.rescoring import Reading as Reading, rescore as rescore, rescore_jointly as rescore_jointly
from .method import (
    Method as Method,
    PromptMethod as PromptMethod,
    canonical_context as canonical_context,
    canonical_words as canonical_words,
    check_depth as check_depth,
    check_first_layer as check_first_layer,
    deep_prompts as deep_prompts,
    start_context as start_context,
    start_words as start_words,
)
from .protocol import Count as Count, Protocol as Protocol, Stage as Stage, Summary as Summary, Task as Task
from .recipe import Training as Training
from .records.collection import Results as Results, results as results
from .records.comparison import Comparison as Comparison, compare as compare
from .records.document import read as read
from .records.measuring import metrics as metrics
from .records.predictions import Predictions as Predictions
from .records.result import RunResult as RunResult, Sample as Sample, TestedTask as TestedTask, TrainedStage as TrainedStage
from .records.store import Store as Store
from .registry.hookspecs import hookimpl as hookimpl
from .registry.presets import with_preset as with_preset
from .running.do_pack import do_pack as do_pack
from .running.in_memory import data_in_memory as data_in_memory
from .running.options import RunOptions as RunOptions
from .running.reproduction import Reproduction as Reproduction, reproduce as reproduce
from .running.runner import run as run, run_many as run_many
from .running.session import register as register
from .site.reports.report import Report as Report, report as report
from .spec import (
    BackboneSpec as BackboneSpec,
    Component as Component,
    DataSpec as DataSpec,
    NamedBackbone as NamedBackbone,
    Preset as Preset,
    RunSpec as RunSpec,
    TextsSpec as TextsSpec,
)
from .system.display import progress as progress
from .training.finished import finished_tensors as finished_tensors
from .types import (
    ClassSet as ClassSet,
    Features as Features,
    LayerOverlay as LayerOverlay,
    Overlay as Overlay,
    Prompts as Prompts,
)
from .version import __version__ as __version__
