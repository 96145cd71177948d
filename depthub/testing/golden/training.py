"""Records of trainings: depthub's method and head, from the recorded start values, trained on the recorded batches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor
from torch.nn import functional as F

from depthub.data.views import PerEpoch
from depthub.encoding.sentences import write
from depthub.method import PromptMethod
from depthub.spec import Training as Recipe
from depthub.testing.golden import model as small_clip
from depthub.testing.golden.comparison import Comparison
from depthub.testing.golden.readings import FIRST_BATCH, READINGS
from depthub.testing.golden.start import parameter_names, tuner_at_start
from depthub.training.loop import fit
from depthub.training.schedule import learning_rate
from depthub.training.tuner import Tuner
from depthub.types import ClassSet

LAST = 5  # the step after which the parameters are recorded and evaluated once more
EPOCHS = 10  # length of the published schedule; only its first `LAST` epochs are recorded
EVALUATIONS = ("eval_start", "eval_after5", "eval_after5_new")
REFERENCE = "reference_text_features"


def training(comparison: Comparison, model: Path | None) -> None:
    """Compare all of a training: evaluations, first gradients, parameters after 1 and 5 steps, losses, and the run with the schedule."""
    case = Case(comparison, model)
    case.compare_start()
    case.compare_steps()
    case.compare_scheduled()


class Case:
    """A training case.

    Args:
        comparison: the comparison of its record.
        model: folder of the model; None: see `model.load`.

    Raises:
        DepthubError: if a key or an array is missing or invalid, or a recorded name is unknown.
    """

    def __init__(self, comparison: Comparison, model: Path | None) -> None:
        self.comparison, self.record = comparison, comparison.record
        record = self.record
        self.parameters = parameter_names(record)
        record.check_names(self._vocabulary())
        self.backbone = small_clip.load(record.path, model, comparison.dtype)
        names, size = tuple(record.entries(str, "classes")), self.backbone.image_size
        self.classes = ClassSet("golden", tuple(range(len(names))), names)
        steps, batch = record.key(int, "steps"), record.key(int, "batch_size")
        if steps < LAST:
            raise record.error(f"steps is {steps}, expected {LAST}: parameters are recorded after the fifth")
        self.images = comparison.floats("images_train", steps, batch, 3, *size)
        self.labels = comparison.labels("labels_train", len(names), steps, batch)
        self.images_eval = comparison.floats("images_eval", None, 3, *size)
        self.momentum, self.weight_decay = record.rate("optimizer", "momentum"), record.rate("optimizer", "weight_decay")
        self.rates = {name: record.rate("optimizer", "lr_of_parameter", name) for name in self.parameters}

    def tuner(self) -> Tuner:
        """A new tuner at the start values."""
        return tuner_at_start(self.comparison, self.backbone, self.classes, self.parameters)

    def compare_start(self) -> None:
        """Compare tokens, losses and scores of the first batch, and the evaluation before training."""
        tuner = self.tuner()
        self._compare_tokens(tuner)
        self._compare_first_batch(tuner)
        self._evaluate(tuner, "eval_start", self.classes)

    def compare_steps(self) -> None:
        """Compare the steps at constant rates, and the evaluations after the fifth."""
        tuner, losses = self.tuner(), list[float]()
        groups = [{"params": [tuner.get_parameter(ours)], "lr": self.rates[name]} for name, ours in self.parameters.items()]
        optimizer = torch.optim.SGD(groups, momentum=self.momentum, weight_decay=self.weight_decay)
        for step, (images, labels) in enumerate(zip(self.images, self.labels, strict=True), start=1):
            optimizer.zero_grad()
            loss = torch.stack(list(tuner(images, self.classes, labels).values())).sum()
            losses.append(loss.item())
            loss.backward()  # type: ignore[no-untyped-call]
            if step == 1:
                self._compare_parameters(tuner, "grad")
            optimizer.step()
            self._compare_parameters(tuner, f"after{step}")
            if step == LAST:
                self._evaluate(tuner, "eval_after5", self.classes)
                self._evaluate_new(tuner)
        self.comparison.compare("loss", torch.tensor(losses, dtype=torch.float64))

    def compare_scheduled(self) -> None:
        """Compare the run with the schedule, if recorded: through the training loop of runs, with one batch per epoch."""
        if not self.comparison.recorded("sched/"):
            return
        tuner, losses = self.tuner(), list[float]()
        batch, rate = self.images.shape[1], self._base_rate(tuner)
        recipe = Recipe(epochs=EPOCHS, batch_size=batch, lr=rate, momentum=self.momentum, weight_decay=self.weight_decay)

        def stop_after_last(epoch: int, loss: float) -> None:
            losses.append(loss)
            if epoch == LAST:
                raise _LastEpoch

        with suppress(_LastEpoch):
            fit(tuner, _OneBatch(self.images, self.labels), self.classes, recipe, 0, Accelerator(cpu=True), on_epoch=stop_after_last)
        bases = [group["lr"] for group in tuner.parameter_groups(recipe.lr)]
        rates = [[learning_rate(base, epoch, recipe) for base in bases] for epoch in range(LAST)]
        self.comparison.compare("sched/lr", torch.tensor(rates, dtype=torch.float64))
        self.comparison.compare("sched/loss", torch.tensor(losses, dtype=torch.float64))
        self._compare_parameters(tuner, f"sched/after{LAST}")

    def _vocabulary(self) -> Iterator[str]:
        """The valid names of results. A published parameter without a gradient may still have values."""
        yield from ("loss", REFERENCE, "sched/lr", "sched/loss")
        yield from (f"train/{name}" for name in FIRST_BATCH)
        yield from (f"{when}/{name}" for when in EVALUATIONS for name in READINGS)
        yield from (f"grad/{name}" for name in self.parameters)
        names = {name.removeprefix("start/") for name in self.record.arrays if name.startswith("start/")} | self.parameters.keys()
        yield from (f"{when}/{name}" for when in ("after1", "after5", "sched/after5") for name in names)

    def _base_rate(self, tuner: Tuner) -> float:
        """The recipe's learning rate, from that of the first parameter."""
        name, ours = next(iter(self.parameters.items()))
        return self.rates[name] / (tuner.head.lr_scale if ours.startswith("head.") else 1)

    def _compare_tokens(self, tuner: Tuner) -> None:
        """Compare the token ids of the sentences, in which placeholder words stand for the context."""
        method, backbone = tuner.method, self.backbone
        if isinstance(method, PromptMethod):
            image = backbone.encode_image(self.images_eval) if method.needs_image else None
            prompts = method.prompts_for(backbone, self.classes, image)
            n = prompts.n
            sentences = write(backbone.tokenizer, backbone.context_length, self.classes, n, "end", prompts.words)
            self.comparison.equal("tokens", sentences.ids)

    @torch.no_grad()
    def _compare_first_batch(self, tuner: Tuner) -> None:
        """Compare losses and scores of the first batch."""
        features, labels = tuner.method.features(self.backbone, self.images[0], self.classes), self.labels[0]
        for name in self.comparison.recorded("train/"):
            value = FIRST_BATCH[name](tuner, features, labels)
            self.comparison.compare(f"train/{name}", value)
            if name == "logits_cat":
                self.comparison.equal("train_labels_cat", labels.repeat(len(value) // len(labels)))
        if self.comparison.recorded(REFERENCE):
            anchors = getattr(tuner.method, "anchors", None)
            self.comparison.compare(REFERENCE, None if anchors is None else F.normalize(anchors, dim=-1))

    def _compare_parameters(self, tuner: Tuner, when: str) -> None:
        """Compare the parameters, or for "grad" their gradients."""
        for name, ours in self.parameters.items():
            parameter = tuner.get_parameter(ours)
            self.comparison.compare(f"{when}/{name}", parameter.grad if when == "grad" else parameter)

    def _evaluate_new(self, tuner: Tuner) -> None:
        """Compare the evaluation on the new classes; a name among the trained classes means that class."""
        if self.comparison.recorded("eval_after5_new/"):
            names, n = tuple(self.record.entries(str, "new_classes")), len(self.classes)
            id_of = dict(zip(self.classes.names, self.classes.ids, strict=True))
            ids = tuple(id_of.get(name, n + i) for i, name in enumerate(names))
            self._evaluate(tuner, "eval_after5_new", ClassSet(self.classes.space, ids, names))

    @torch.no_grad()
    def _evaluate(self, tuner: Tuner, when: str, classes: ClassSet) -> None:
        """Compare all quantities of an evaluation."""
        if names := self.comparison.recorded(f"{when}/"):
            features = tuner.method.features(self.backbone, self.images_eval, classes)
            for name in names:
                self.comparison.compare(f"{when}/{name}", READINGS[name](tuner.head, features))


class _LastEpoch(Exception):  # noqa: N818  # not an error
    """Ends the training after the last recorded epoch, in the middle of the schedule."""


class _OneBatch(PerEpoch):
    """A data set with one batch per epoch: step s of the record is epoch s. A mean does not depend on the order within a batch."""

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        self.images, self.labels, self.epoch = images, labels, 0

    def __len__(self) -> int:
        return len(self.images[0])

    def __getitem__(self, i: int) -> tuple[Tensor, Any]:
        return self.images[self.epoch][i], self.labels[self.epoch][i]
