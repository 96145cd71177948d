"""Records in the form of tests/golden, computed with open_clip's own layers and the published formulas, one after the other."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

Parameters = dict[str, Tensor]
LABELLED = 3  # images a step


def text(clip: Any, tokenizer: Any, held: str, names: list[str], contexts: list[Tensor], position: str = "end") -> Tensor:
    """Class features (M, d) under contexts of (n, w) or (M, n, w), one for each of the first layers."""
    ids = tokenizer([f"{held} {name}." for name in names])
    tokens, n = clip.token_embedding(ids), contexts[0].shape[-2]
    first = contexts[0].expand(len(names), -1, -1)
    half = {"end": n, "middle": n // 2, "front": 0}[position]
    rows = []
    for i, name in enumerate(names):
        length = len(tokenizer.encode(name))
        own, rest = tokens[i, 1 + n : 1 + n + length], tokens[i, 1 + n + length :]
        rows.append(torch.cat([tokens[i, :1], first[i, :half], own, first[i, half:], rest]))
    length = int(ids.argmax(dim=-1).max()) + 8  # nothing reaches the end token from far behind it
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
        config: the method's part of the trainer's configuration, where it differs from the usual.
        probe: the configuration's LINEAR_PROBE, for a DePT head.
        cat: which CAT that is: "full", "shared", "matching", "image only" or "no transform".
        meta: more keys of the JSON file.
        arrays: more arrays.
        groups: word in the arrays' names -> (classes' names, weight of CAT in the fusion) of other evaluations than the trained classes'.
    """

    method: str = "CoOp"
    names: tuple[str, ...] = ("dog", "annual_crop_land", "2012 Audi A5 Coupe")
    config: dict[str, Any] = field(default_factory=dict)
    probe: dict[str, Any] | None = None
    cat: str = "full"
    meta: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, Any] = field(default_factory=dict)
    groups: dict[str, tuple[list[str], float | None]] = field(default_factory=dict)
    template: str = "a photo of a {}, a type of thing."

    def write(self, path: Path, clip: Any, tokenizer: Any, images: Tensor) -> Path:
        """Compute in float64 and write both files; `images` (N, 3, H, W) has enough of them for two steps and an evaluation."""
        torch.manual_seed(len(self.names))
        self.clip, self.tokenizer = clip, tokenizer
        self.words = [name.replace("_", " ") for name in self.names]
        names = {"COOP": ("CoOp", "KgCoOp"), "COCOOP": ("CoCoOp",), "MAPLE": ("MaPLe",)}
        part = next(key for key, methods in names.items() if self.method in methods)
        told: dict[str, Any] = {"N_CTX": 4, "CTX_INIT": "a photo of a", "PREC": "fp32"}
        if part == "COOP":
            told |= {"CTX_INIT": "", "CSC": False, "CLASS_TOKEN_POSITION": "end", "W": 8.0}
        if part == "MAPLE":
            told |= {"N_CTX": 2, "PROMPT_DEPTH": 2}
        self.told = told | self.config
        config = {part: self.told} | (
            {"LINEAR_PROBE": self.probe, "FILM": {"LINEAR_PROBE": self.cat != "no transform"}} if self.probe else {}
        )
        start, train, test = self.start(), images[: 2 * LABELLED].view(2, LABELLED, *images.shape[1:]), images[2 * LABELLED :]
        labels = torch.randint(len(self.names), (2, LABELLED))
        found = {"images_train": train, "labels_train": labels, "images_eval": test, **self.arrays}
        found |= {f"start/{name}": p for name, p in start.items()}
        found |= {f"fp64/{name}": value for name, value in self.train(start, train, labels, test).items()}
        rates = {name: 0.02 * (6.5 if name.startswith(("film", "linear")) else 1) for name in start}
        meta = {
            "classes": list(self.names),
            "batch_size": LABELLED,
            "trainer_config": config,
            "learnable": list(start),
            "trainable_without_gradient": [],
        }
        meta["optimizer"] = {"momentum": 0.9, "weight_decay": 0.0005, "group_lr": sorted(set(rates.values()))}
        if self.method == "KgCoOp":
            meta["reference_template"] = self.template
        path.write_text(json.dumps(meta | self.meta))
        np.savez(path.with_suffix(".npz"), **{name: np.asarray(value) for name, value in found.items()})
        return path

    @property
    def held(self) -> str:
        """The words that hold the context's place."""
        if self.method == "KgCoOp":
            return "a photo of a"
        return self.told["CTX_INIT"].replace("_", " ") or " ".join(["X"] * self.told["N_CTX"])

    def start(self) -> Parameters:
        """Start values, rounded to float32 as the records are."""
        width, seen, dim = 64, 128, 48
        n = (
            self.told["N_CTX"]
            if self.method in ("CoOp", "MaPLe") and not (self.method == "CoOp" and self.told["CTX_INIT"])
            else len(self.held.split())
        )
        made = {"prompt_learner.ctx": 0.3 * torch.randn(*((len(self.names),) if self.told.get("CSC") else ()), n, width)}
        if self.method == "CoCoOp":
            for name, shape in (("linear1", (3, dim)), ("linear2", (width, 3))):
                made[f"prompt_learner.meta_net.{name}.weight"] = 0.3 * torch.randn(shape)
                made[f"prompt_learner.meta_net.{name}.bias"] = 0.3 * torch.randn(shape[0])
        if self.method == "MaPLe":
            deeper = range(self.told["PROMPT_DEPTH"] - 1)
            made |= {f"prompt_learner.compound_prompts_text.{i}": 0.3 * torch.randn(n, width) for i in deeper}
            for name in ("proj", *(f"compound_prompt_projections.{i}" for i in deeper)):
                made[f"prompt_learner.{name}.weight"] = 0.1 * torch.randn(seen, width)
                made[f"prompt_learner.{name}.bias"] = 0.1 * torch.randn(seen)
        if self.probe:
            films = {"full": ("img", "text"), "matching": ("img", "text"), "shared": ("img",), "image only": ("img",), "no transform": ()}
            for which in films[self.cat]:
                made[f"film_lp_{which}.scale"] = 1 + 0.2 * torch.randn(dim)
                made[f"film_lp_{which}.bias"] = 0.2 * torch.randn(dim)
            if self.cat != "matching":
                made["linear_probe_proj.weight"] = 0.2 * torch.randn(len(self.names), dim)
                made["linear_probe_proj.bias"] = 0.2 * torch.randn(len(self.names))
        return made

    def features(self, p: Parameters, images: Tensor, names: list[str]) -> tuple[Tensor, Tensor]:
        """Image features (B, d), and text features (M, d) or (B, M, d)."""
        context = p["prompt_learner.ctx"]
        if self.method == "MaPLe":
            names_of = [("proj", context)] + [
                (f"compound_prompt_projections.{i}", p[f"prompt_learner.compound_prompts_text.{i}"])
                for i in range(self.told["PROMPT_DEPTH"] - 1)
            ]
            visual = [F.linear(c, p[f"prompt_learner.{name}.weight"], p[f"prompt_learner.{name}.bias"]) for name, c in names_of]
            return image(self.clip, images, visual), text(self.clip, self.tokenizer, self.held, names, [c for _, c in names_of])
        seen = image(self.clip, images, [])
        if self.method != "CoCoOp":
            return seen, text(self.clip, self.tokenizer, self.held, names, [context], self.told["CLASS_TOKEN_POSITION"])
        net = [
            (p[f"prompt_learner.meta_net.{layer}.weight"], p[f"prompt_learner.meta_net.{layer}.bias"]) for layer in ("linear1", "linear2")
        ]
        shifts = F.linear(F.linear(F.normalize(seen, dim=-1), *net[0]).relu(), *net[1])
        return seen, torch.stack([text(self.clip, self.tokenizer, self.held, names, [context + shift]) for shift in shifts])

    def matching(self, seen: Tensor, told: Tensor) -> Tensor:
        """Logits (B, M) of image-text matching."""
        told = told if told.ndim == 3 else told.expand(len(seen), -1, -1)
        cosine = (F.normalize(seen, dim=-1)[:, None] * F.normalize(told, dim=-1)).sum(dim=-1)
        return self.clip.logit_scale.exp() * cosine  # type: ignore[no-any-return]

    def film(self, p: Parameters, which: str, x: Tensor) -> Tensor:
        which = "img" if self.cat == "shared" else which
        return x if self.cat == "no transform" else x * p[f"film_lp_{which}.scale"] + p[f"film_lp_{which}.bias"]

    def voted(self, p: Parameters, seen: Tensor, told: Tensor) -> Tensor:
        """Logits (B, M) of CAT."""
        if self.cat == "matching":
            return self.matching(self.film(p, "img", seen), self.film(p, "text", told))
        return F.linear(self.film(p, "img", seen), p["linear_probe_proj.weight"], p["linear_probe_proj.bias"])

    def loss(self, p: Parameters, images: Tensor, labels: Tensor) -> Tensor:
        seen, told = self.features(p, images, self.words)
        loss = F.cross_entropy(self.matching(seen, told), labels)
        if self.probe:
            own = told[labels] if told.ndim == 2 else told[torch.arange(len(labels)), labels]
            if self.cat in ("matching", "image only"):
                cat = F.cross_entropy(self.voted(p, seen, told), labels)
            else:
                rows = torch.cat([self.film(p, "text", own), self.film(p, "img", seen)])
                logits = F.linear(rows, p["linear_probe_proj.weight"], p["linear_probe_proj.bias"])
                cat = F.cross_entropy(logits, torch.cat([labels, labels]))
            loss = (1 - self.probe["WEIGHT"]) * loss + self.probe["WEIGHT"] * cat
        if self.method == "KgCoOp":
            written = self.clip.encode_text(self.tokenizer([self.template.format(word) for word in self.words]))
            loss = loss + self.told["W"] * (1 - F.cosine_similarity(told, written, dim=-1).mean())
        return loss

    @torch.no_grad()
    def evaluate(self, p: Parameters, images: Tensor, names: list[str], weight: float | None) -> Parameters:
        """What a record of an evaluation holds."""
        seen, told = self.features(p, images, [name.replace("_", " ") for name in names])
        itm = self.matching(seen, told)
        found = {"logits": itm, "text_features": told, "image_features": seen}
        if self.probe and set(names) <= set(self.names):
            cat = self.voted(p, seen, told)
            if self.cat != "matching":  # the rows of these classes
                cat = cat[:, [self.names.index(name) for name in names]]
            weight = self.probe["WEIGHT"] if weight is None else weight
            fused = weight * cat + (1 - weight) * itm
            found |= {"logits": fused if self.probe["TEST_TIME_FUSION"] else cat, "logits_cat": cat, "logits_itm": itm}
        return found

    def train(self, start: Parameters, images: Tensor, labels: Tensor, test: Tensor) -> Parameters:
        """Two steps of SGD, and everything recorded on the way."""
        p = {name: value.double().requires_grad_() for name, value in start.items()}
        momentum, found, losses = dict[str, Tensor](), dict[str, Tensor](), []

        def evaluations(when: str) -> None:
            for word, (names, weight) in ({"": (list(self.names), None)} | self.groups).items():
                for name, value in self.evaluate(p, test, names, weight).items():
                    found[f"eval_{when}{word and '_' + word}/{name}"] = value

        evaluations("start")
        for step in (0, 1):
            loss = self.loss(p, images[step], labels[step])
            gradients = dict(zip(p, torch.autograd.grad(loss, list(p.values())), strict=True))
            losses.append(loss.item())
            with torch.no_grad():
                for name, value in p.items():
                    change = gradients[name] + 0.0005 * value
                    momentum[name] = change if step == 0 else 0.9 * momentum[name] + change
                    value -= 0.02 * (6.5 if name.startswith(("film", "linear")) else 1) * momentum[name]
            if step == 0:
                found |= {f"grad/{name}": g for name, g in gradients.items()}
            found |= {f"after{step + 1}/{name}": value.detach().clone() for name, value in p.items()}
        evaluations("after2")
        return found | {"loss": torch.tensor(losses, dtype=torch.float64)}
