"""Replay a golden case: the published trainer's configuration becomes one of ours, and every recorded number is compared."""

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
from depthub.model import Tuner
from depthub.plugins import installed
from depthub.settings import complete, make
from depthub.spec import Component, Training
from depthub.types import ClassSet

HERE = Path(__file__).parent / "golden"

# published parameter name -> ours
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


@cache
def small_clip() -> dict[str, Tensor]:
    """The golden model's state; its token table is the sum of two factors."""
    state = load_file(HERE / "model.safetensors")
    a, b = state.pop("token_embedding.factor_a"), state.pop("token_embedding.factor_b")
    ids = torch.arange(49408)
    return {**state, "token_embedding.weight": a[ids % len(a)] + b[ids // len(a)]}


def backbone(dtype: torch.dtype) -> Backbone:
    open_clip.add_model_config(HERE / "small_clip.json")
    model = open_clip.create_model("small_clip")
    model.load_state_dict(small_clip())
    return Backbone(model.to(dtype), open_clip.get_tokenizer("ViT-B-32"))


class Case:
    """One golden case in one precision."""

    def __init__(self, name: str, precision: str) -> None:
        self.meta: dict[str, Any] = json.loads((HERE / f"{name}.json").read_text())
        self.arrays = dict(np.load(HERE / f"{name}.npz"))
        self.precision = precision
        self.dtype = {"fp64": torch.float64, "fp32": torch.float32}[precision]
        self.backbone = backbone(self.dtype)
        names = tuple(self.meta["classes"])
        self.classes = ClassSet("golden", tuple(range(len(names))), names)

    def tensor(self, name: str) -> Tensor:
        value = torch.from_numpy(self.arrays[name])
        return value.to(self.dtype) if value.is_floating_point() else value

    def expected(self, name: str) -> NDArray[Any]:
        return self.arrays[f"{self.precision}/{name}"]

    def method(self, config: dict[str, Any]) -> Component:
        """Our method for the published trainer's configuration."""
        if "MAPLE" in config:
            told = config["MAPLE"]
            return Component("MaPLe", {"n_ctx": told["N_CTX"], "depth": told["PROMPT_DEPTH"], "ctx_init": told["CTX_INIT"]})
        if "COCOOP" in config:
            return Component("CoCoOp", {"n_ctx": config["COCOOP"]["N_CTX"], "ctx_init": config["COCOOP"]["CTX_INIT"]})
        told = config["COOP"]
        if "reference_template" in self.meta:
            return Component("KgCoOp", {"weight": told["W"], "template": self.meta["reference_template"]})
        settings = {"n_ctx": told["N_CTX"], "ctx_init": told["CTX_INIT"], "position": told["CLASS_TOKEN_POSITION"]}
        return Component("CoOp", {**settings, "class_specific": told["CSC"] and not told["CTX_INIT"]})

    def tuner(self) -> Tuner:
        """Our method and head for the case's configuration, at its start values."""
        plugins, config = installed(), self.meta["trainer_config"]
        method, head = self.method(config), Component("ITM")
        if "LINEAR_PROBE" in config:
            fused = config["LINEAR_PROBE"]["TEST_TIME_FUSION"]
            head = Component("DePT", {"balance": config["LINEAR_PROBE"]["WEIGHT"], "fusion": "logits" if fused else "none"})
        made = make(complete(method, "methods", plugins), "methods", plugins, self.backbone, self.classes)
        top = make(complete(head, "heads", plugins), "heads", plugins, self.backbone.dim, self.classes)
        tuner = Tuner(self.backbone, made, top).to(self.dtype)
        with torch.no_grad():
            for theirs, ours in self.learned():
                tuner.get_parameter(ours).copy_(self.tensor(f"start/{theirs}"))
        return tuner

    def optimizer(self, tuner: Tuner) -> torch.optim.SGD:
        told, rates = self.meta["optimizer"], self.meta["optimizer"]["group_lr"]
        groups = tuner.parameter_groups(rates[0])
        assert [g["lr"] for g in groups] == rates
        return torch.optim.SGD(groups, momentum=told["momentum"], weight_decay=told["weight_decay"])

    def deviations(self) -> Iterator[tuple[str, float]]:
        """(quantity, largest error divided by the largest entry) of everything recorded."""
        tuner = self.tuner()
        yield from self._evaluation(tuner, "eval_start")
        optimizer, losses = self.optimizer(tuner), []
        labels = self.tensor("labels_train")
        yield from self._parts(tuner, self.tensor("images_train")[0], labels[0])
        for step, images in enumerate(self.tensor("images_train")):
            parts = tuner(images, self.classes, labels[step])
            loss = sum(parts.values())
            losses.append(loss.item())
            loss.backward()
            if step == 0:
                yield from ((f"grad/{t}", self.compare(f"grad/{t}", tuner.get_parameter(o).grad)) for t, o in self.learned())
            optimizer.step()
            optimizer.zero_grad()
            if step in (0, 4):
                yield from self._parameters(tuner, f"after{step + 1}")
        yield "loss", self.compare("loss", torch.tensor(losses, dtype=torch.float64))
        yield from self._evaluation(tuner, "eval_after5")

    def scheduled(self) -> Iterator[tuple[str, float]]:
        """The same through the engine's own loop: one batch an epoch, with the schedule switched on."""
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
        yield "sched/loss", self.compare("sched/loss", torch.tensor(losses, dtype=torch.float64))
        yield from self._parameters(tuner, f"sched/after{len(images)}")

    def learned(self) -> list[tuple[str, str]]:
        names = NAMES | ({"prompt_learner.ctx": "method.contexts.0"} if "MAPLE" in self.meta["trainer_config"] else {})
        return [(theirs, names[theirs]) for theirs in self.meta["learnable"]]

    def compare(self, name: str, value: Tensor | None) -> float:
        assert value is not None, f"{name} has no value"
        expected = self.expected(name)
        assert value.shape == expected.shape, name
        return float(np.abs(value.detach().numpy() - expected).max() / np.abs(expected).max())

    @torch.no_grad()
    def _parts(self, tuner: Tuner, images: Tensor, labels: Tensor) -> Iterator[tuple[str, float]]:
        """The two losses of a first batch under DePT, where recorded."""
        if f"{self.precision}/train/loss_cat" in self.arrays:
            features = tuner.method.features(self.backbone, images, self.classes)
            yield "train/loss_itm", self.compare("train/loss_itm", tuner.head.itm.loss(features, labels))
            yield "train/loss_cat", self.compare("train/loss_cat", tuner.head.cat.loss(features, labels))

    def _parameters(self, tuner: Tuner, when: str) -> Iterator[tuple[str, float]]:
        for theirs, ours in self.learned():
            yield f"{when}/{theirs}", self.compare(f"{when}/{theirs}", tuner.get_parameter(ours))

    @torch.no_grad()
    def _evaluation(self, tuner: Tuner, when: str) -> Iterator[tuple[str, float]]:
        images = self.tensor("images_eval")
        features = tuner.method.features(self.backbone, images, self.classes)
        yield f"{when}/text_features", self.compare(f"{when}/text_features", features.text)
        yield f"{when}/image_features", self.compare(f"{when}/image_features", features.image)
        yield f"{when}/logits", self.compare(f"{when}/logits", tuner(images, self.classes))
        if hasattr(tuner.head, "cat"):
            yield f"{when}/logits_itm", self.compare(f"{when}/logits_itm", tuner.head.itm(features))
            yield f"{when}/logits_cat", self.compare(f"{when}/logits_cat", tuner.head.cat(features))
