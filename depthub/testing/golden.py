"""Replay records of published implementations: a trainer's configuration becomes one of ours, and every recorded number is compared.

A case is a pair of files: `NAME.json` holds configuration, class names, optimiser and the meanings of the arrays; `NAME.npz` images, start
values, and per precision (`fp64/...`, `fp32/...`) what the published code gave. The model is `model.safetensors` with its open_clip
configuration `small_clip.json`, in the case's folder or one above it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
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
from depthub.types import ClassSet

MODEL = "model.safetensors"
# Largest error divided by the largest entry; a quantity's part before the slash says which. float64 agrees within 1e-10 everywhere.
FLOAT32 = {
    "eval_start": 1e-5,
    "loss": 5e-5,
    "train": 5e-5,
    "grad": 5e-5,
    "after1": 2e-5,
    "after5": 5e-4,
    "eval_after5": 5e-4,
    "sched": 5e-4,
}
FLOAT64 = 1e-10

# Published parameter name -> ours.
NAMES = {
    "prompt_learner.ctx": "method.context",
    "prompt_learner.meta_net.linear1.weight": "method.meta_net.0.weight",
    "prompt_learner.meta_net.linear1.bias": "method.meta_net.0.bias",
    "prompt_learner.meta_net.linear2.weight": "method.meta_net.2.weight",
    "prompt_learner.meta_net.linear2.bias": "method.meta_net.2.bias",
    "prompt_learner.proj.weight": "method.couple.weight",
    "prompt_learner.proj.bias": "method.couple.bias",
    **{f"prompt_learner.compound_prompts_text.{i}": f"method.contexts.{i + 1}" for i in range(11)},
    **{
        f"prompt_learner.compound_prompt_projections.{i}.{p}": f"method.deeper_couples.{i}.{p}"
        for i in range(11)
        for p in ("weight", "bias")
    },
    "film_lp_img.scale": "head.cat.image.gamma",
    "film_lp_img.bias": "head.cat.image.beta",
    "film_lp_text.scale": "head.cat.text.gamma",
    "film_lp_text.bias": "head.cat.text.beta",
    "linear_probe_proj.weight": "head.cat.classifier.weight",
    "linear_probe_proj.bias": "head.cat.classifier.bias",
}


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
    return FLOAT64 if precision == "fp64" else FLOAT32[quantity.split("/")[0]]


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
        self.backbone = _model(model.resolve() if model else model_folder(case), self.dtype)
        names = tuple(self.meta["classes"])
        self.classes = ClassSet("golden", tuple(range(len(names))), names)

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
        config = self.meta["trainer_config"]
        if told := config.get("MAPLE"):
            return Component("MaPLe", {"n_ctx": told["N_CTX"], "depth": told["PROMPT_DEPTH"], "ctx_init": told["CTX_INIT"]})
        if told := config.get("COCOOP"):
            return Component("CoCoOp", {"n_ctx": told["N_CTX"], "ctx_init": told["CTX_INIT"]})
        told = config.get("COOP")
        if told is None:
            raise DepthubError(f"nothing here replays a trainer with the configuration {sorted(config)}")
        if "reference_template" in self.meta:
            weight = (self.meta.get("dept") or {}).get("kg_weight") or told["W"]
            return Component("KgCoOp", {"weight": float(weight), "template": self.meta["reference_template"]})
        settings = {"n_ctx": told["N_CTX"], "ctx_init": told["CTX_INIT"], "position": told["CLASS_TOKEN_POSITION"]}
        # the published code ignores class-specific contexts when there are start words
        return Component("CoOp", {**settings, "class_specific": told["CSC"] and not told["CTX_INIT"]})

    def head(self) -> Component:
        """Our head for it."""
        config = self.meta["trainer_config"]
        probe = config.get("LINEAR_PROBE")
        if probe is None:
            return Component("ITM")
        cat = Component("MatchingCAT") if probe["TYPE"] == "similarity" else Component("CAT", {"transform": config["FILM"]["LINEAR_PROBE"]})
        fusion = "logits" if probe["TEST_TIME_FUSION"] else "none"
        return Component("DePT", {"balance": probe["WEIGHT"], "fusion": fusion, "cat": cat})

    def learned(self) -> list[tuple[str, str]]:
        """(published name, ours) of every parameter that is trained."""
        names = NAMES | ({"prompt_learner.ctx": "method.contexts.0"} if "MAPLE" in self.meta["trainer_config"] else {})
        return [(theirs, names[theirs]) for theirs in self.meta["learnable"]]

    def tuner(self) -> Tuner:
        """Our method and head at the case's start values."""
        plugins = installed()
        method = make(complete(self.method(), "methods", plugins), "methods", plugins, self.backbone, self.classes)
        head = make(complete(self.head(), "heads", plugins), "heads", plugins, self.backbone.dim, self.classes)
        tuner = Tuner(self.backbone, method, head).to(self.dtype)
        with torch.no_grad():
            for theirs, ours in self.learned():
                tuner.get_parameter(ours).copy_(self.tensor(f"start/{theirs}"))
        return tuner

    def deviations(self) -> Iterator[tuple[str, float]]:
        """Evaluation at the start, the first gradients, parameters after 1 and 5 steps at constant rates, losses, evaluation."""
        tuner, told, losses = self.tuner(), self.meta["optimizer"], list[float]()
        groups = tuner.parameter_groups(told["group_lr"][0])
        optimizer = torch.optim.SGD(groups, momentum=told["momentum"], weight_decay=told["weight_decay"])
        labels = self.tensor("labels_train")
        yield from self._evaluation(tuner, "eval_start")
        yield from self._parts(tuner, self.tensor("images_train")[0], labels[0])
        for step, images in enumerate(self.tensor("images_train")):
            loss = torch.stack(list(tuner(images, self.classes, labels[step]).values())).sum()
            losses.append(loss.item())
            loss.backward()  # type: ignore[no-untyped-call]
            if step == 0:
                yield from (self.compare(f"grad/{theirs}", tuner.get_parameter(ours).grad) for theirs, ours in self.learned())
            optimizer.step()
            optimizer.zero_grad()
            if step in (0, 4):
                yield from self._parameters(tuner, f"after{step + 1}")
        yield self.compare("loss", torch.tensor(losses, dtype=torch.float64))
        yield from self._evaluation(tuner, "eval_after5")

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
        """The losses of the first batch by part, where recorded."""
        features = tuner.method.features(self.backbone, images, self.classes)
        head: Any = tuner.head
        if self.recorded("train/loss_cat"):
            yield self.compare("train/loss_cat", head.cat.loss(features, labels))
        if self.recorded("train/loss_itm"):
            yield self.compare("train/loss_itm", (head.itm if self.recorded("train/loss_cat") else head).loss(features, labels))

    def _parameters(self, tuner: Tuner, when: str) -> Iterator[tuple[str, float]]:
        return (self.compare(f"{when}/{theirs}", tuner.get_parameter(ours)) for theirs, ours in self.learned())

    @torch.no_grad()
    def _evaluation(self, tuner: Tuner, when: str) -> Iterator[tuple[str, float]]:
        images, head = self.tensor("images_eval"), tuner.head
        features = tuner.method.features(self.backbone, images, self.classes)
        found = {"text_features": features.text, "image_features": features.image, "logits": tuner(images, self.classes)}
        for part in ("itm", "cat"):
            if self.recorded(f"{when}/logits_{part}"):
                found[f"logits_{part}"] = getattr(head, part)(features)
        yield from (self.compare(f"{when}/{name}", value) for name, value in found.items())
