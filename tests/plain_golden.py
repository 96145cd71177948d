"""Records in the form of tests/golden, computed with open_clip's own layers and the published formulas, step by step."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from math import cos, pi
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

Parameters = dict[str, Tensor]
STEPS, LABELLED = 5, 3  # batches of training, images in each
BASE, HEAD_SCALE = 0.02, 6.5  # learning rate of the prompts, and the head's relative to it

# Settings by method, with depthub's names; a case may change them.
SETTINGS: dict[str, dict[str, Any]] = {
    "CoOp": {"n_ctx": 4, "ctx_init": "", "class_specific": False, "position": "end"},
    "CoCoOp": {"n_ctx": 4, "ctx_init": "a photo of a"},
    "KgCoOp": {"n_ctx": 4, "ctx_init": "a photo of a", "weight": 8.0, "template": "a photo of a {}, a type of thing."},
    "MaPLe": {"n_ctx": 2, "depth": 2, "ctx_init": "a photo of a"},
}
# Published name -> depthub's, of the parameters that have the same name everywhere.
OURS = {
    "prompt_learner.ctx": "method.context",
    "prompt_learner.meta_net.linear1.weight": "method.meta_net.0.weight",
    "prompt_learner.meta_net.linear1.bias": "method.meta_net.0.bias",
    "prompt_learner.meta_net.linear2.weight": "method.meta_net.2.weight",
    "prompt_learner.meta_net.linear2.bias": "method.meta_net.2.bias",
    "prompt_learner.proj.weight": "method.couple.weight",
    "prompt_learner.proj.bias": "method.couple.bias",
    "film_lp_img.scale": "head.cat.image.gamma",
    "film_lp_img.bias": "head.cat.image.beta",
    "film_lp_text.scale": "head.cat.text.gamma",
    "film_lp_text.bias": "head.cat.text.beta",
    "linear_probe_proj.weight": "head.cat.classifier.weight",
    "linear_probe_proj.bias": "head.cat.classifier.bias",
}
FILMS = {"CAT": ("img", "text"), "MatchingCAT": ("img", "text"), "SharedCAT": ("img",), "ImageOnlyCAT": ("img",)}


def text(clip: Any, tokenizer: Any, start_words: str, names: list[str], contexts: list[Tensor], position: str = "end") -> Tensor:
    """Class features (M, d) under contexts of (n, w) or (M, n, w), one for each of the first layers."""
    ids = tokenizer([f"{start_words} {name}." for name in names])
    tokens, n = clip.token_embedding(ids), contexts[0].shape[-2]
    first = contexts[0].expand(len(names), -1, -1)
    half = {"end": n, "middle": n // 2, "front": 0}[position]
    rows = []
    for i, name in enumerate(names):
        length = len(tokenizer.encode(name))
        name_tokens, rest = tokens[i, 1 + n : 1 + n + length], tokens[i, 1 + n + length :]
        rows.append(torch.cat([tokens[i, :1], first[i, :half], name_tokens, first[i, half:], rest]))
    length = int(ids.argmax(dim=-1).max()) + 8  # later tokens cannot change the end token
    x = (torch.stack(rows) + clip.positional_embedding)[:, :length]
    for i, block in enumerate(clip.transformer.resblocks):
        if 0 < i < len(contexts):
            x = torch.cat([x[:, :1], contexts[i].expand(len(names), -1, -1), x[:, 1 + n :]], dim=1)
        x = block(x, attn_mask=clip.attn_mask[:length, :length])
    ended: Tensor = clip.ln_final(x)[torch.arange(len(names)), ids.argmax(dim=-1)] @ clip.text_projection
    return ended


def image(clip: Any, images: Tensor, prompts: list[Tensor]) -> Tensor:
    """Image features (B, d) with prompts of (n, w_v) behind the patches of the first layers."""
    visual = clip.visual
    patches = visual.conv1(images).flatten(2).transpose(1, 2)
    start = visual.class_embedding.expand(len(images), 1, -1)
    x = torch.cat([start, patches], dim=1) + visual.positional_embedding
    if prompts:
        x = torch.cat([x, prompts[0].expand(len(images), -1, -1)], dim=1)
    x = visual.ln_pre(x)
    for i, block in enumerate(visual.transformer.resblocks):
        if 0 < i < len(prompts):
            x = torch.cat([x[:, : -prompts[i].shape[0]], prompts[i].expand(len(images), -1, -1)], dim=1)
        x = block(x)
    pooled: Tensor = visual.ln_post(x[:, 0]) @ visual.proj
    return pooled


@dataclass
class Plain:
    """One synthetic case.

    Args:
        method: "CoOp", "CoCoOp", "KgCoOp" or "MaPLe".
        names: of the trained classes.
        changed: settings of the method that differ from `SETTINGS`.
        balance: weight of CAT in a DePT head; None: the head is ITM.
        fusion: of the DePT head.
        cat: name of its CAT.
        transform: whether that has channelwise transforms.
        new: names of the classes evaluated after training; none: there is no such evaluation.
    """

    method: str = "CoOp"
    names: tuple[str, ...] = ("dog", "annual_crop_land", "2012 Audi A5 Coupe")
    changed: dict[str, Any] = field(default_factory=dict)
    balance: float | None = None
    fusion: str = "logits"
    cat: str = "CAT"
    transform: bool = True
    new: tuple[str, ...] = ()

    def write(self, path: Path, clip: Any, tokenizer: Any, images: Tensor) -> Path:
        """Compute in float64 and write both files; `images` (N, 3, H, W) has enough of them for all steps and an evaluation."""
        torch.manual_seed(len(self.names))
        self.clip, self.tokenizer = clip, tokenizer
        self.words = [name.replace("_", " ") for name in self.names]
        self.settings = SETTINGS[self.method] | self.changed
        start, n = self.start(), STEPS * LABELLED
        train, test = images[:n].view(STEPS, LABELLED, *images.shape[1:]), images[n:]
        labels = torch.randint(len(self.names), (STEPS, LABELLED))
        arrays = {"images_train": train, "labels_train": labels, "images_eval": test}
        arrays["tokens"] = tokenizer([f"{self.start_words} {word}." for word in self.words])
        arrays |= {f"start/{name}": p for name, p in start.items()}
        values = self.first_batch(start, train[0], labels[0]) | self.constant(start, train, labels, test)
        arrays |= {f"fp64/{name}": value for name, value in (values | self.scheduled(start, train, labels)).items()}
        meta = {
            "classes": list(self.names),
            "batch_size": LABELLED,
            "steps": STEPS,
            "optimizer": {
                "momentum": 0.9,
                "weight_decay": 0.0005,
                "lr_of_parameter": {name: BASE * self.scale_of(name) for name in start},
            },
            "replay": self.replay(start),
        }
        path.write_text(json.dumps(meta | ({"new_classes": list(self.new)} if self.new else {})))
        np.savez(path.with_suffix(".npz"), **{name: np.asarray(value) for name, value in arrays.items()})
        return path

    def replay(self, start: Parameters) -> dict[str, Any]:
        """The components and parameters, with depthub's names."""
        head: dict[str, Any] = {"name": "ITM", "settings": {}}
        if self.balance is not None:
            cat = {"name": self.cat, "settings": {} if self.cat == "MatchingCAT" else {"transform": self.transform}}
            head = {"name": "DePT", "settings": {"balance": self.balance, "fusion": self.fusion, "cat": cat}}
        ours = OURS | ({"prompt_learner.ctx": "method.contexts.0"} if self.method == "MaPLe" else {})
        for i in range(self.settings.get("depth", 1) - 1):
            ours[f"prompt_learner.compound_prompts_text.{i}"] = f"method.contexts.{i + 1}"
            for part in ("weight", "bias"):
                ours[f"prompt_learner.compound_prompt_projections.{i}.{part}"] = f"method.deeper_couples.{i}.{part}"
        method = {"name": self.method, "settings": self.settings}
        return {"method": method, "head": head, "parameters": {name: ours[name] for name in start}}

    @staticmethod
    def scale_of(name: str) -> float:
        """Learning rate of a parameter relative to the prompts'."""
        return HEAD_SCALE if name.startswith(("film", "linear")) else 1

    @property
    def start_words(self) -> str:
        """The words in the place of the context."""
        return self.settings["ctx_init"].replace("_", " ") or " ".join(["X"] * self.settings["n_ctx"])

    def start(self) -> Parameters:
        """Start values, rounded to float32 as the records are."""
        width, image_width, dim = 64, 128, 48
        n = self.settings["n_ctx"] if self.method == "MaPLe" else len(self.start_words.split())
        classes = (len(self.names),) if self.settings.get("class_specific") else ()
        start = {"prompt_learner.ctx": 0.3 * torch.randn(*classes, n, width)}
        if self.method == "CoCoOp":
            for name, shape in (("linear1", (3, dim)), ("linear2", (width, 3))):
                start[f"prompt_learner.meta_net.{name}.weight"] = 0.3 * torch.randn(shape)
                start[f"prompt_learner.meta_net.{name}.bias"] = 0.3 * torch.randn(shape[0])
        if self.method == "MaPLe":
            deeper = range(self.settings["depth"] - 1)
            start |= {f"prompt_learner.compound_prompts_text.{i}": 0.3 * torch.randn(n, width) for i in deeper}
            for name in ("proj", *(f"compound_prompt_projections.{i}" for i in deeper)):
                start[f"prompt_learner.{name}.weight"] = 0.1 * torch.randn(image_width, width)
                start[f"prompt_learner.{name}.bias"] = 0.1 * torch.randn(image_width)
        if self.balance is not None:
            for which in FILMS[self.cat] if self.transform else ():
                start[f"film_lp_{which}.scale"] = 1 + 0.2 * torch.randn(dim)
                start[f"film_lp_{which}.bias"] = 0.2 * torch.randn(dim)
            if self.cat != "MatchingCAT":
                start["linear_probe_proj.weight"] = 0.2 * torch.randn(len(self.names), dim)
                start["linear_probe_proj.bias"] = 0.2 * torch.randn(len(self.names))
        return start

    def features(self, p: Parameters, images: Tensor, names: list[str]) -> tuple[Tensor, Tensor]:
        """Image features (B, d), and text features (M, d) or (B, M, d)."""
        context = p["prompt_learner.ctx"]
        if self.method == "MaPLe":
            names_of = [("proj", context)] + [
                (f"compound_prompt_projections.{i}", p[f"prompt_learner.compound_prompts_text.{i}"])
                for i in range(self.settings["depth"] - 1)
            ]
            prompts = [F.linear(c, p[f"prompt_learner.{name}.weight"], p[f"prompt_learner.{name}.bias"]) for name, c in names_of]
            return image(self.clip, images, prompts), text(self.clip, self.tokenizer, self.start_words, names, [c for _, c in names_of])
        image_rows = image(self.clip, images, [])
        if self.method != "CoCoOp":
            rows = context[[self.words.index(name) for name in names]] if self.settings.get("class_specific") else context
            return image_rows, text(self.clip, self.tokenizer, self.start_words, names, [rows], self.settings.get("position", "end"))
        net = [
            (p[f"prompt_learner.meta_net.{layer}.weight"], p[f"prompt_learner.meta_net.{layer}.bias"]) for layer in ("linear1", "linear2")
        ]
        shifts = F.linear(F.linear(F.normalize(image_rows, dim=-1), *net[0]).relu(), *net[1])
        return image_rows, torch.stack([text(self.clip, self.tokenizer, self.start_words, names, [context + shift]) for shift in shifts])

    def matching(self, image_rows: Tensor, text_rows: Tensor) -> Tensor:
        """Logits (B, M) of image-text matching."""
        text_rows = text_rows if text_rows.ndim == 3 else text_rows.expand(len(image_rows), -1, -1)
        cosine = (F.normalize(image_rows, dim=-1)[:, None] * F.normalize(text_rows, dim=-1)).sum(dim=-1)
        return self.clip.logit_scale.exp() * cosine  # type: ignore[no-any-return]

    def film(self, p: Parameters, which: str, x: Tensor) -> Tensor:
        which = "img" if self.cat == "SharedCAT" else which
        return x * p[f"film_lp_{which}.scale"] + p[f"film_lp_{which}.bias"] if self.transform else x

    def voted(self, p: Parameters, rows: Tensor, which: str) -> Tensor:
        """Logits of the classifier."""
        return F.linear(self.film(p, which, rows), p["linear_probe_proj.weight"], p["linear_probe_proj.bias"])

    def learned(self, p: Parameters, image_rows: Tensor, text_rows: Tensor, labels: Tensor) -> Tensor:
        """Logits that CAT's loss is computed from."""
        if self.cat == "MatchingCAT":
            return self.matching(self.film(p, "img", image_rows), self.film(p, "text", text_rows))
        if self.cat == "ImageOnlyCAT":
            return self.voted(p, image_rows, "img")
        true_rows = text_rows[labels] if text_rows.ndim == 2 else text_rows[torch.arange(len(labels)), labels]
        return torch.cat([self.voted(p, true_rows, "text"), self.voted(p, image_rows, "img")])

    def knowledge(self, text_rows: Tensor) -> tuple[Tensor, Tensor]:
        """The hand-written prompts' normalised features (M, d), and one minus the mean cosine to them."""
        written = self.clip.encode_text(self.tokenizer([self.settings["template"].format(word) for word in self.words]))
        return F.normalize(written, dim=-1), 1 - F.cosine_similarity(text_rows, written, dim=-1).mean()

    def losses(self, p: Parameters, images: Tensor, labels: Tensor) -> Parameters:
        """Logits and losses by part; "loss" is what training lowers."""
        image_rows, text_rows = self.features(p, images, self.words)
        itm = self.matching(image_rows, text_rows)
        values = {"logits_itm": itm, "loss_itm": F.cross_entropy(itm, labels)}
        loss = values["loss_itm"]
        if self.balance is not None:
            cat = self.learned(p, image_rows, text_rows, labels)
            values |= {"logits_cat": cat, "loss_cat": F.cross_entropy(cat, labels.repeat(len(cat) // len(labels)))}
            loss = (1 - self.balance) * loss + self.balance * values["loss_cat"]
        if self.method == "KgCoOp":
            values["loss_kg"] = self.knowledge(text_rows)[1]
            loss = loss + self.settings["weight"] * values["loss_kg"]
        return values | {"loss": loss}

    @torch.no_grad()
    def first_batch(self, start: Parameters, images: Tensor, labels: Tensor) -> Parameters:
        """What is recorded of it."""
        p = {name: value.double() for name, value in start.items()}
        parts = self.losses(p, images, labels)
        del parts["loss"]
        values = {f"train/{name}": value for name, value in parts.items()}
        if self.method == "KgCoOp":
            values["reference_text_features"] = self.knowledge(self.features(p, images, self.words)[1])[0]
        return values

    @torch.no_grad()
    def evaluate(self, p: Parameters, images: Tensor, names: tuple[str, ...]) -> Parameters:
        """What a record of an evaluation holds."""
        image_rows, text_rows = self.features(p, images, [name.replace("_", " ") for name in names])
        itm = self.matching(image_rows, text_rows)
        values = {"logits": itm, "text_features": text_rows, "image_features": image_rows, "logits_itm": itm}
        if self.balance is not None and set(names) <= set(self.names):
            rows = [self.names.index(name) for name in names]
            matching = self.cat == "MatchingCAT"
            cat = self.learned(p, image_rows, text_rows, torch.tensor([])) if matching else self.voted(p, image_rows, "img")[:, rows]
            parts = (cat.softmax(dim=-1), itm.softmax(dim=-1)) if self.fusion == "probabilities" else (cat, itm)
            fused = self.balance * parts[0] + (1 - self.balance) * parts[1]
            values |= {"logits": cat if self.fusion == "none" else fused, "logits_cat": cat}
        return values

    def constant(self, start: Parameters, images: Tensor, labels: Tensor, test: Tensor) -> Parameters:
        """Steps at constant rates, and everything recorded on the way."""
        p = {name: value.double().requires_grad_() for name, value in start.items()}
        values, momentum = self.evaluated(p, "eval_start", test, self.names), dict[str, Tensor]()
        losses = []
        for step in range(STEPS):
            loss, gradients = self.step(p, momentum, images[step], labels[step], {name: BASE * self.scale_of(name) for name in p})
            losses.append(loss)
            if step == 0:
                values |= {f"grad/{name}": g for name, g in gradients.items()}
            if step in (0, 4):
                values |= {f"after{step + 1}/{name}": value.detach().clone() for name, value in p.items()}
        values |= self.evaluated(p, "eval_after5", test, self.names)
        if self.new:
            values |= self.evaluated(p, "eval_after5_new", test, self.new)
        return values | {"loss": torch.tensor(losses, dtype=torch.float64)}

    def scheduled(self, start: Parameters, images: Tensor, labels: Tensor) -> Parameters:
        """The same batches, one an epoch, with the published schedule of ten epochs."""
        p = {name: value.double().requires_grad_() for name, value in start.items()}
        momentum, losses, used = dict[str, Tensor](), [], []
        for epoch in range(STEPS):
            full = 0.5 * BASE * (1 + cos(pi * (epoch - 1) / 10))
            rates = {name: full * self.scale_of(name) if epoch else 1e-5 for name in p}
            losses.append(self.step(p, momentum, images[epoch], labels[epoch], rates)[0])
            used.append(list(dict.fromkeys(rates.values())) if epoch else [1e-5] * len({self.scale_of(name) for name in p}))
        after = {f"sched/after5/{name}": value.detach() for name, value in p.items()}
        return after | {"sched/loss": torch.tensor(losses, dtype=torch.float64), "sched/lr": torch.tensor(used, dtype=torch.float64)}

    def evaluated(self, p: Parameters, when: str, test: Tensor, names: tuple[str, ...]) -> Parameters:
        return {f"{when}/{name}": value for name, value in self.evaluate(p, test, names).items()}

    def step(
        self, p: Parameters, momentum: Parameters, images: Tensor, labels: Tensor, rates: dict[str, float]
    ) -> tuple[float, Parameters]:
        """One step of SGD in place; the loss before it and its gradients."""
        loss = self.losses(p, images, labels)["loss"]
        gradients = dict(zip(p, torch.autograd.grad(loss, list(p.values())), strict=True))
        with torch.no_grad():
            for name, value in p.items():
                change = gradients[name] + 0.0005 * value
                momentum[name] = 0.9 * momentum[name] + change if name in momentum else change
                value -= rates[name] * momentum[name]
        return loss.item(), gradients
