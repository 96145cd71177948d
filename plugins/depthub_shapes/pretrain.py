"""Pre-train the small CLIP on rendered scenes: `python -m depthub_shapes.pretrain --seed 0 --steps 3600 --out DIR`.

An interrupted run continues exactly: every step draws its batch from a generator seeded with (seed, step), and model, heads and
optimiser come from the checkpoint.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import time
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from open_clip import SimpleTokenizer
from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg
from open_clip.tokenizer import default_bpe
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn
from torch.nn import functional as F

from . import vocabulary
from .attributes import CARDINALITY
from .captions import describe
from .scenes import random_scene
from .world import IMAGE, Look, render

BPE = "bpe_shapes.txt.gz"
CHECKPOINT = "checkpoint.pt"
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)  # CLIP's, per channel
DIM, CONTEXT = 128, 24
# Auxiliary heads: attribute -> weight relative to `Recipe.auxiliary`.
HEADS = {"shape": 2.0, **dict.fromkeys(("colour", "texture", "count", "position", "style", "background", "second"), 0.5)}


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the weights.

    easy_from, easy_to: share of easy scenes at the start and from `ramp` (a fraction of the steps) on. auxiliary: weight of the
    heads' losses. logit_rate: factor on the learning rate of the logit scale, which hardly moves without it.
    """

    seed: int = 0
    steps: int = 3600
    batch: int = 128
    lr: float = 1e-3
    warmup: int = 80
    betas: tuple[float, float] = (0.9, 0.98)
    decay: float = 0.05
    clip: float = 1.0
    auxiliary: float = 0.3
    easy_from: float = 0.9
    easy_to: float = 0.2
    ramp: float = 0.6
    logit_rate: float = 10.0
    most_scale: float = 100.0

    def easy(self, step: int) -> float:
        """Share of easy scenes at a step."""
        done = min(1.0, step / max(1.0, self.ramp * self.steps))
        return self.easy_from + (self.easy_to - self.easy_from) * done

    def rate(self, step: int) -> float:
        """Learning rate at a step: linear warm-up, then a cosine to zero."""
        if step < self.warmup:
            return self.lr * (step + 1) / self.warmup
        return self.lr * 0.5 * (1 + math.cos(math.pi * (step - self.warmup) / max(1, self.steps - self.warmup)))


def model_config(vocabulary_size: int) -> dict[str, object]:
    """The `model_cfg` of open_clip: a 48-pixel, patch-8 ViT of 4 blocks and a text tower of 3."""
    vision = {"image_size": IMAGE, "patch_size": 8, "layers": 4, "width": DIM, "head_width": 32, "mlp_ratio": 4.0}
    text = {"context_length": CONTEXT, "vocab_size": vocabulary_size, "width": DIM, "heads": 4, "layers": 3}
    return {"embed_dim": DIM, "vision_cfg": vision, "text_cfg": text}


def build(vocabulary_size: int) -> CLIP:
    """A randomly initialised model of `model_config`."""
    config = model_config(vocabulary_size)
    return CLIP(embed_dim=DIM, vision_cfg=CLIPVisionCfg(**config["vision_cfg"]), text_cfg=CLIPTextCfg(**config["text_cfg"]))  # type: ignore[arg-type]


def encode_text(model: CLIP, tokens: Tensor) -> Tensor:
    """Text features (B, DIM), not normalised, of tokens (B, CONTEXT).

    The mask is causal, so nothing after the longest end-of-text token is needed: equal to `model.encode_text`, in less time.
    """
    end = tokens.argmax(dim=-1)  # the end-of-text token has the largest id
    length = int(end.max()) + 1
    x = model.token_embedding(tokens[:, :length]) + model.positional_embedding[:length]
    x = model.ln_final(model.transformer(x, attn_mask=model.attn_mask[:length, :length]))
    projected: Tensor = x[torch.arange(len(x)), end] @ model.text_projection
    return projected


def to_input(images: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> Tensor:
    """RGB images (B, side, side, 3) of 0-255 as model input (B, 3, side, side), CLIP's normalisation."""
    x = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    return (x - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(STD).view(1, 3, 1, 1)


@dataclass(frozen=True)
class Batch:
    """images: (B, 3, side, side). texts: B captions. codes: (B, attributes), -1 where undefined. named: (B, attributes), bool."""

    images: Tensor
    texts: list[str]
    codes: Tensor
    named: Tensor

    @classmethod
    def draw(cls, recipe: Recipe, step: int) -> Batch:
        """The batch of a step, a function of the recipe's seed and the step alone."""
        rng = np.random.default_rng([recipe.seed, step])
        scenes = [random_scene(rng, recipe.easy(step)) for _ in range(recipe.batch)]
        captions = [describe(scene, rng) for scene in scenes]
        images = np.stack([np.asarray(render(scene, rng, Look())) for scene in scenes])
        codes = torch.tensor([list(scene.codes().values()) for scene in scenes])
        named = torch.tensor([[key in caption.named for key in CARDINALITY] for caption in captions])
        return cls(to_input(images), [caption.text for caption in captions], codes, named)

    def positives(self) -> Tensor:
        """(B images, B captions), bool: whether the image has every attribute that the caption names."""
        equal = self.codes[:, None, :] == self.codes[None, :, :]
        return (equal | ~self.named[None]).all(dim=-1)


def contrastive_loss(images: Tensor, texts: Tensor, scale: Tensor, positives: Tensor) -> Tensor:
    """CLIP's loss with targets uniform over all positives, in both directions; features (B, DIM)."""
    logits = scale * F.normalize(images, dim=-1) @ F.normalize(texts, dim=-1).T
    target = positives.float()
    by_image = F.cross_entropy(logits, target / target.sum(1, keepdim=True))
    by_text = F.cross_entropy(logits.T, target.T / target.T.sum(1, keepdim=True))
    return (by_image + by_text) / 2


class Heads(nn.Module):
    """Linear classifiers of the attributes on the layer-normed image feature; thrown away after training."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes = [CARDINALITY[name] for name in HEADS]
        self.columns = [list(CARDINALITY).index(name) for name in HEADS]
        self.norm = nn.LayerNorm(DIM)
        self.linear = nn.Linear(DIM, sum(self.sizes))

    def forward(self, features: Tensor, codes: Tensor) -> tuple[Tensor, dict[str, float]]:
        """Weighted sum of the losses, and the accuracy of each head, over the images that have the attribute."""
        loss, accuracies = features.new_zeros(()), {}
        parts = self.linear(self.norm(features)).split(self.sizes, dim=-1)
        for (name, weight), column, logits in zip(HEADS.items(), self.columns, parts, strict=True):
            known = codes[:, column] >= 0
            if known.any():
                target = codes[known, column]
                loss = loss + weight * F.cross_entropy(logits[known], target)
                accuracies[name] = float((logits[known].argmax(-1) == target).float().mean())
        return loss, accuracies


class Run:
    """One pre-training run: model, heads, optimiser and the step it is at."""

    def __init__(self, recipe: Recipe, out: Path) -> None:
        self.recipe, self.out = recipe, out
        out.mkdir(parents=True, exist_ok=True)
        vocabulary.write(Path(default_bpe()), out / BPE)
        self.tokenizer = SimpleTokenizer(str(out / BPE), context_length=CONTEXT)
        torch.manual_seed(recipe.seed)
        self.model, self.heads = build(self.tokenizer.vocab_size), Heads()
        self.parameters = [*self.model.parameters(), *self.heads.parameters()]
        scale = self.model.logit_scale
        matrices = [p for p in self.parameters if p.ndim > 1]
        others = [p for p in self.parameters if p.ndim <= 1 and p is not scale]
        groups = [(matrices, recipe.decay, 1.0), (others, 0.0, 1.0), ([scale], 0.0, recipe.logit_rate)]
        self.optimizer = torch.optim.AdamW(
            [{"params": members, "weight_decay": decay, "factor": factor} for members, decay, factor in groups], betas=recipe.betas
        )
        self.step, self.seconds = 0, 0.0
        self.recent: list[dict[str, float]] = []
        if (out / CHECKPOINT).exists():
            self._restore()

    def advance(self) -> None:
        """One optimisation step."""
        began = time.perf_counter()
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.rate(self.step) * group["factor"]
        batch = Batch.draw(self.recipe, self.step)
        features = self.model.encode_image(batch.images)
        texts = encode_text(self.model, self.tokenizer(batch.texts))
        contrast = contrastive_loss(features, texts, self.model.logit_scale.exp(), batch.positives())
        auxiliary, accuracies = self.heads(features, batch.codes)
        self.optimizer.zero_grad(set_to_none=True)
        (contrast + self.recipe.auxiliary * auxiliary).backward()
        nn.utils.clip_grad_norm_(self.parameters, self.recipe.clip)
        self.optimizer.step()
        with torch.no_grad():
            self.model.logit_scale.clamp_(max=math.log(self.recipe.most_scale))
        self.recent = [*self.recent[-49:], {"loss": float(contrast), "auxiliary": float(auxiliary), **accuracies}]
        self.step += 1
        self.seconds += time.perf_counter() - began

    def means(self) -> dict[str, float]:
        """Losses and accuracies over the last (at most 50) steps."""
        names = sorted({name for entry in self.recent for name in entry})
        return {name: float(np.mean([entry[name] for entry in self.recent if name in entry])) for name in names}

    def save(self) -> None:
        """Write the checkpoint; replacing the file is atomic, so an interruption leaves the old or the new one."""
        state = {
            "recipe": asdict(self.recipe),
            "step": self.step,
            "seconds": self.seconds,
            "recent": self.recent,
            "model": self.model.state_dict(),
            "heads": self.heads.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        new = self.out / (CHECKPOINT + ".new")
        torch.save(state, new)
        os.replace(new, self.out / CHECKPOINT)

    def _restore(self) -> None:
        state = torch.load(self.out / CHECKPOINT, weights_only=True)
        if state["recipe"] != asdict(self.recipe):
            raise SystemExit(f"{self.out / CHECKPOINT} is of another recipe: {state['recipe']}; choose another --out, or the same settings")
        self.model.load_state_dict(state["model"])
        self.heads.load_state_dict(state["heads"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds, self.recent = state["step"], state["seconds"], state["recent"]


def train(run: Run, until: int, save_every: int = 100, log_every: int = 50) -> None:
    """Advance to step `until`, with a progress bar, a line of log.txt every `log_every` steps and checkpoints."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as bar, (run.out / "log.txt").open("a", encoding="utf-8") as log:
        task = bar.add_task("pre-training", total=until, completed=run.step)
        while run.step < until:
            run.advance()
            bar.update(task, completed=run.step)
            if run.step % log_every == 0 or run.step == until:
                means = run.means()
                numbers = " ".join(f"{name} {value:.3f}" for name, value in means.items())
                log.write(f"step {run.step} easy {run.recipe.easy(run.step):.2f} {numbers} seconds {run.seconds:.0f}\n")
                log.flush()
                bar.update(task, description=f"loss {means['loss']:.3f} shape {means.get('shape', 0):.2f}")
            if run.step % save_every == 0 or run.step == until:
                run.save()


def report(run: Run) -> dict[str, object]:
    """What `training.json` holds."""
    versions = {name: version(name) for name in ("torch", "open_clip_torch", "numpy", "pillow")}
    return {
        "recipe": asdict(run.recipe),
        "images": run.recipe.steps * run.recipe.batch,
        "seconds": round(run.seconds, 1),
        "threads": torch.get_num_threads(),
        "machine": platform.machine(),
        "versions": {"python": platform.python_version(), **versions},
        "final": {name: round(value, 4) for name, value in run.means().items()},
    }


def main(argv: list[str] | None = None) -> None:
    """Train, or go on training, and export."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0, help="of the weights and of every batch")
    parser.add_argument("--steps", type=int, default=Recipe.steps, help="of 128 images; the schedules stretch with it")
    parser.add_argument("--out", type=Path, required=True, help="directory of the checkpoint, the log and the exported model")
    parser.add_argument("--threads", type=int, default=1, help="of torch on the CPU")
    parser.add_argument("--save-every", type=int, default=100, help="steps between checkpoints")
    options = parser.parse_args(argv)
    torch.set_num_threads(options.threads)
    run = Run(Recipe(seed=options.seed, steps=options.steps), options.out)
    train(run, options.steps, options.save_every)
    from .export import export  # noqa: PLC0415  (reads the class sentences of the data sets, which training does not need)

    export(run.model, run.tokenizer, options.out)
    (options.out / "training.json").write_text(json.dumps(report(run), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
