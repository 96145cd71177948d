"""Replay records of published implementations: a trainer's configuration becomes one of ours, and every recorded number is compared.

A case is a pair of files: `NAME.json` holds configuration, class names, optimiser and the meanings of the arrays; `NAME.npz` images, start
values, and per precision (`fp64/...`, `fp32/...`) what the published code gave. The model is `model.safetensors` with its open_clip
configuration `small_clip.json`, in the case's folder or one above it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from copy import copy
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor

from depthub.backbone import Backbone
from depthub.engine import fit
from depthub.errors import DepthubError
from depthub.model import Tuner
from depthub.plugins import installed
from depthub.settings import complete, make
from depthub.spec import Component, Training
from depthub.testing import spellings
from depthub.types import ClassSet, Features

MODEL = "model.safetensors"
# Largest error divided by the largest entry; how a quantity's name begins says which. float64 agrees within 1e-10 everywhere.
FLOAT32 = {
    "reference_text_features": 1e-5,
    "eval_start": 1e-5,
    "loss": 5e-5,
    "train": 5e-5,
    "grad": 5e-5,
    "after1": 2e-5,
}
LATER, FLOAT64 = 5e-4, 1e-10  # LATER: after more than one step


def replay(case: Path, precision: str = "fp64", model: Path | None = None) -> dict[str, float]:
    """Deviations of everything recorded in a training case: largest error divided by the largest entry, by quantity.

    Args:
        case: its JSON file.
        precision: "fp64" or "fp32".
        model: folder of the model; by default the case's own or one above it.

    Raises:
        DepthubError: if files are missing or the configuration is of a trainer that nothing here replays.
    """
    found = Case(case, precision, model)
    return dict([*found.deviations(), *found.scheduled()])


def tolerance(precision: str, quantity: str) -> float:
    """The largest deviation that still counts as equal."""
    return FLOAT64 if precision == "fp64" else next((limit for start, limit in FLOAT32.items() if quantity.startswith(start)), LATER)


@cache
def _model(folder: Path, dtype: torch.dtype) -> Backbone:
    state = load_file(folder / MODEL)
    # the file holds the token table as the sum of two factors
    a, b = state.pop("token_embedding.factor_a"), state.pop("token_embedding.factor_b")
    ids = torch.arange(49408)
    state["token_embedding.weight"] = a[ids % len(a)] + b[ids // len(a)]
    clip = open_clip.CLIP(**json.loads((folder / "small_clip.json").read_text()))
    clip.load_state_dict(state)
    return Backbone(clip.to(dtype), open_clip.get_tokenizer("ViT-B-32"))


def model_folder(case: Path) -> Path:
    """Where the model of a case lies.

    Raises:
        DepthubError: if it is not there.
    """
    for folder in (case.parent, case.parent.parent, case.parent.parent / "public"):
        if (folder / MODEL).is_file():
            return folder.resolve()
    raise DepthubError(f"no {MODEL} beside {case} or one folder above; say where with --model")


class Case:
    """One case in one precision."""

    def __init__(self, case: Path, precision: str, model: Path | None = None) -> None:
        try:
            self.meta: dict[str, Any] = json.loads(case.read_text())
            self.arrays = dict(np.load(case.with_suffix(".npz")))
        except (OSError, ValueError) as error:
            raise DepthubError(f"cannot read the golden case {case}: {error}") from error
        self.precision, self.dtype = precision, {"fp64": torch.float64, "fp32": torch.float32}[precision]
        if not any(name.startswith(f"{precision}/") for name in self.arrays):
            raise DepthubError(f"the golden case {case} has no {precision} records; ask for the other precision")
        self.backbone = _model(model.resolve() if model else model_folder(case), self.dtype)
        self.config: dict[str, dict[str, Any]] = self.meta.get("trainer_config", {})
        names = tuple(next(self.meta[key] for key in spellings.TRAINED if key in self.meta))
        self.classes = ClassSet("golden", tuple(range(len(names))), names)  # what is trained on

    def tensor(self, name: str) -> Tensor:
        """An input, floats in the case's precision."""
        value = torch.from_numpy(self.arrays[name])
        return value.to(self.dtype) if value.is_floating_point() else value

    def compare(self, name: str, value: Tensor | None) -> tuple[str, float]:
        """The deviation of a value from the record; infinite if there is none or its shape differs."""
        expected: NDArray[Any] = self.arrays[f"{self.precision}/{name}"]
        if value is None or value.shape != expected.shape:
            return name, float("inf")
        return name, float(np.abs(value.detach().numpy() - expected).max() / max(np.abs(expected).max(), 1e-300))

    def recorded(self, name: str) -> bool:
        """Whether the case holds this quantity."""
        return f"{self.precision}/{name}" in self.arrays

    def method(self) -> Component:
        """Our method for the published trainer's configuration."""
        spellings.check(self.config)
        if told := self.config.get("MAPLE"):
            words = told["CTX_INIT"] if told["N_CTX"] <= 4 else ""  # the published code starts longer contexts at random
            return Component("MaPLe", {"n_ctx": told["N_CTX"], "depth": told["PROMPT_DEPTH"], "ctx_init": words})
        if told := self.config.get("COCOOP"):
            return Component("CoCoOp", {"n_ctx": told["N_CTX"], "ctx_init": told["CTX_INIT"] or ""})
        told = self.config["COOP"]
        if "reference_template" in self.meta:
            weight = (self.meta.get("dept") or {}).get("kg_weight") or told["W"]
            words = "a photo of a" if told["CTX_INIT"] else ""  # whatever the words are, the published code takes these
            settings = {"n_ctx": told["N_CTX"], "ctx_init": words, "weight": float(weight)}
            return Component("KgCoOp", settings | {"template": self.meta["reference_template"]})
        settings = {"n_ctx": told["N_CTX"], "ctx_init": told["CTX_INIT"] or "", "position": told["CLASS_TOKEN_POSITION"]}
        # the published code ignores class-specific contexts when there are start words
        return Component("CoOp", {**settings, "class_specific": told["CSC"] and not told["CTX_INIT"]})

    def head(self) -> Component:
        """Our head for it."""
        probe = self.config.get("LINEAR_PROBE")
        if probe is None:
            return Component("ITM")
        labels = self.arrays.get("train_labels_cat")
        cat = spellings.cat(self.meta, None if labels is None else len(labels))
        with_transform = {} if cat == "MatchingCAT" else {"transform": self.config.get("FILM", {}).get("LINEAR_PROBE", True)}
        fusion = "logits" if probe.get("TEST_TIME_FUSION", True) else "none"
        return Component("DePT", {"balance": probe["WEIGHT"], "fusion": fusion, "cat": Component(cat, with_transform)})

    def _head_classes(self) -> ClassSet:
        """What the head was trained on: the trained classes, or as many unknown ones as its recorded classifier has rows."""
        if "LINEAR_PROBE" not in self.config:
            return self.classes
        recorded = self.arrays.get("start/linear_probe_proj.weight")
        rows = len(self.classes) if recorded is None else len(recorded)
        only_new = self.meta.get("subsample_classes") == "new" and recorded is None and "images_train" not in self.arrays
        if rows == len(self.classes) and not only_new:
            return self.classes
        return ClassSet("not told", tuple(range(rows)), tuple(map(str, range(rows))))

    @cached_property
    def evaluations(self) -> dict[str, spellings.Evaluation]:
        """What was recorded of evaluations, by the arrays' names without the precision."""
        names = [name.removeprefix(f"{self.precision}/") for name in self.arrays if name.startswith(f"{self.precision}/")]
        return {name: spellings.read(name) for name in names if not spellings.OTHER_ARRAYS.fullmatch(name)}

    def evaluated(self, group: str) -> ClassSet:
        """The classes of a group, as many as its recorded scores or text features are of; trained ones keep their ids.

        Raises:
            DepthubError: if the case does not tell them.
        """
        recorded = [(f"{self.precision}/{name}", e.axis) for name, e in self.evaluations.items() if e.group == group and e.axis]
        sizes = [self.arrays[name].shape[axis] for name, axis in recorded]
        keys = spellings.CLASSES[group]
        told = [self.meta[key] for key in keys if key in self.meta] + [self.arrays[key].tolist() for key in keys if key in self.arrays]
        entries = next((entries for entries in told if len(entries) in sizes or not sizes), None)
        if entries is None:
            raise DepthubError(f"the case does not tell its {sizes[0]} {group or 'evaluated'} classes; expected one of {', '.join(keys)}")
        names = [self.classes.names[entry] if isinstance(entry, int) else entry for entry in entries]
        known = {name: i for i, name in enumerate(self.classes.names)}
        return ClassSet("golden", tuple(known.get(name, len(known) + i) for i, name in enumerate(names)), tuple(names))

    def learned(self) -> list[tuple[str, str]]:
        """(published name, ours) of every parameter that is trained."""
        names = spellings.NAMES | ({"prompt_learner.ctx": "method.contexts.0"} if "MAPLE" in self.config else {})
        idle = self.meta.get("trainable_without_gradient", ())
        unknown = [theirs for theirs in self.meta["learnable"] if theirs not in names and theirs not in idle]
        if unknown:
            raise DepthubError(f"replay does not know the learnable parameter {unknown[0]!r}")
        return [(theirs, names[theirs]) for theirs in self.meta["learnable"] if theirs not in idle]

    def tuner(self) -> Tuner:
        """Our method and head at the case's start values."""
        plugins = installed()
        method = make(complete(self.method(), "methods", plugins), "methods", plugins, self.backbone, self.classes)
        head = make(complete(self.head(), "heads", plugins), "heads", plugins, self.backbone.dim, self._head_classes())
        tuner = Tuner(self.backbone, method, head).to(self.dtype)
        with torch.no_grad():
            for theirs, ours in self.learned():
                tuner.get_parameter(ours).copy_(self.tensor(f"start/{theirs}"))
        return tuner

    def deviations(self) -> Iterator[tuple[str, float]]:
        """Evaluation at the start, the first gradients, parameters after 1 and 5 steps at constant rates, losses, evaluation."""
        tuner, losses = self.tuner(), list[float]()
        yield from self._evaluation(tuner, "start")
        if "images_train" not in self.arrays:
            return
        told, images_train = self.meta["optimizer"], self.tensor("images_train")
        groups = tuner.parameter_groups(told["group_lr"][0])
        optimizer = torch.optim.SGD(groups, momentum=told["momentum"], weight_decay=told["weight_decay"])
        labels = self.tensor("labels_train")
        yield from self._parts(tuner, images_train[0], labels[0])
        for step, images in enumerate(images_train):
            loss = torch.stack(list(tuner(images, self.classes, labels[step]).values())).sum()
            losses.append(loss.item())
            loss.backward()  # type: ignore[no-untyped-call]
            if step == 0:
                yield from self._parameters(tuner, "grad")
            optimizer.step()
            optimizer.zero_grad()
            yield from self._parameters(tuner, f"after{step + 1}")
            yield from self._evaluation(tuner, f"after{step + 1}")
        if self.recorded("loss"):
            yield self.compare("loss", torch.tensor(losses, dtype=torch.float64))

    def scheduled(self) -> Iterator[tuple[str, float]]:
        """Where recorded: the same through the engine's own loop, one batch an epoch, with the schedule switched on."""
        if not self.recorded("sched/loss"):
            return
        tuner, told = self.tuner(), self.meta["optimizer"]
        images, labels, losses = self.tensor("images_train"), self.tensor("labels_train"), list[float]()
        training = Training(epochs=10, batch_size=images.shape[1], lr=told["group_lr"][0])

        class OneBatchAnEpoch(torch.utils.data.Dataset[tuple[Tensor, Tensor]]):
            """Step s of the record is epoch s; the order inside a batch does not matter to a mean."""

            def __len__(self) -> int:
                return int(images.shape[1])

            def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
                return images[len(losses)][i], labels[len(losses)][i]

        def stop_at_the_last(_: int, loss: float) -> None:
            losses.append(loss)
            if len(losses) == len(images):
                raise InterruptedError

        with suppress(InterruptedError):
            fit(tuner, OneBatchAnEpoch(), self.classes, training, 0, Accelerator(cpu=True), on_epoch=stop_at_the_last)
        yield self.compare("sched/loss", torch.tensor(losses, dtype=torch.float64))
        yield from self._parameters(tuner, f"sched/after{len(images)}")

    @torch.no_grad()
    def _parts(self, tuner: Tuner, images: Tensor, labels: Tensor) -> Iterator[tuple[str, float]]:
        """The losses and scores of the first batch by part, where recorded."""
        features = tuner.method.features(self.backbone, images, self.classes)
        head: Any = tuner.head
        itm = getattr(head, "itm", head)
        found = {"loss_itm": itm.loss(features, labels), "logits_itm": itm(features), "logits": itm(features)}
        if "LINEAR_PROBE" in self.config:
            found["loss_cat"] = head.cat.loss(features, labels)
            linear = hasattr(head.cat, "samples")
            found["logits_cat"] = head.cat.classifier(head.cat.samples(features, labels)) if linear else head.cat(features)
        if "reference_template" in self.meta:
            method: Any = tuner.method
            found["loss_kg"] = method.losses(features)["knowledge"] / method.weight
            if self.recorded("reference_text_features"):
                yield self.compare("reference_text_features", torch.nn.functional.normalize(method.anchors, dim=-1))
        yield from (self.compare(f"train/{name}", value) for name, value in found.items() if self.recorded(f"train/{name}"))

    def _parameters(self, tuner: Tuner, when: str) -> Iterator[tuple[str, float]]:
        """What was recorded of the parameters then, or of their gradients."""
        for theirs, ours in self.learned():
            p = tuner.get_parameter(ours)
            if self.recorded(name := f"{when}/{theirs}"):
                yield self.compare(name, p.grad if when == "grad" else p)

    @torch.no_grad()
    def _evaluation(self, tuner: Tuner, now: str) -> Iterator[tuple[str, float]]:
        """Everything that was evaluated then."""
        weight, known = spellings.eval_weight(self.meta), dict[str, Features]()
        for name, told in self.evaluations.items():
            if told.when != now:
                continue
            if told.group not in known:
                images = next(key for key in (f"images_eval_{told.group}", f"images_{told.group}", "images_eval") if key in self.arrays)
                known[told.group] = tuner.method.features(self.backbone, self.tensor(images), self.evaluated(told.group))
            head: Any = copy(tuner.head)  # its parts and parameters are shared
            if (other := weight if told.weight is None else told.weight) is not None:
                head.balance = other
            yield self.compare(name, told.quantity(head, known[told.group]))
