"""Pre-train the embedded CLIP on rendered scenes: `python -m depthub_shapes.pretrain --seed 0 --out DIR`.

A contrastive loss with several positives, auxiliary attribute heads for the time of training, and a curriculum from simple scenes to the
full mixture. One thread needs about half an hour. After an interruption, the same command continues from the last checkpoint and ends
with exactly the same weights.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import open_clip
import torch
from open_clip.tokenizer import SimpleTokenizer, default_bpe
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from .attributes import CARDINALITY
from .captions import describe
from .scenes import random_scene
from .vocabulary import write
from .world import Look, render

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
BPE = "bpe_shapes.txt.gz"
BATCH = 128
LR, WARMUP, DECAY = 1e-3, 80, 0.05
EASY = (0.9, 0.2, 0.6)  # share of simple scenes: from, to, over this part of the steps
NORM = 10.0  # mean norm of the shipped model's features before normalisation, roughly as in released CLIP models
AUXILIARY = {"shape": 0.6, **dict.fromkeys(("colour", "texture", "count", "position", "style", "background", "second"), 0.15)}
ATTRIBUTES = tuple(CARDINALITY)


@dataclass(frozen=True)
class Batch:
    """B images with a caption each.

    Args:
        pixels: (B, 3, 48, 48), normalised.
        ids: tokens of the captions, (B, L).
        codes: values of the A attributes, (B, A); -1: undefined.
        named: whether the caption has the attribute, (B, A).
    """

    pixels: Tensor
    ids: Tensor
    codes: Tensor
    named: Tensor


def model_config(vocabulary: int) -> dict[str, Any]:
    """open_clip's configuration: 1.7 million parameters."""
    return {
        "embed_dim": 128,
        "vision_cfg": {"image_size": 48, "patch_size": 8, "layers": 4, "width": 128, "head_width": 32, "mlp_ratio": 4.0},
        "text_cfg": {"context_length": 32, "vocab_size": vocabulary, "width": 128, "heads": 4, "layers": 3},
    }


def sample(seed: int, step: int, easy: float, tokenizer: SimpleTokenizer, size: int = BATCH) -> Batch:
    """The step's batch; it depends on seed and step alone, so that an interrupted training continues exactly."""
    rng = np.random.default_rng([seed, step])
    scenes = [random_scene(rng, easy) for _ in range(size)]
    look = Look()
    pictures = np.stack([np.asarray(render(scene, rng, look)) for scene in scenes])
    captions = [describe(scene, rng) for scene in scenes]
    codes = torch.tensor([list(scene.codes().values()) for scene in scenes])
    named = torch.tensor([[name in caption.named for name in ATTRIBUTES] for caption in captions])
    return Batch(normalised(pictures), tokenizer([caption.text for caption in captions]), codes, named)


def normalised(pictures: npt.NDArray[np.uint8]) -> Tensor:
    """(B, H, W, 3) of 0-255 to (B, 3, H, W) as the model reads them."""
    pixels = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
    return (pixels - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)


def positives(codes: Tensor, named: Tensor) -> Tensor:
    """Matches of captions and images, (B captions, B images), boolean: whether the image has every attribute in the caption.

    Args:
        codes: attribute values of the images, (B, A).
        named: whether the caption has the attribute, (B, A).
    """
    same = codes[:, None] == codes[None]
    return (same | ~named[:, None]).all(dim=-1)


class Learner(nn.Module):
    """The CLIP and the auxiliary heads on its image features."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__()
        self.clip = open_clip.CLIP(**config)
        self.heads = nn.ModuleDict({name: nn.Linear(config["embed_dim"], CARDINALITY[name]) for name in AUXILIARY})

    def encode_text(self, ids: Tensor) -> Tensor:
        """The same as open_clip's, but only up to the end of the longest caption: later tokens do not reach the feature."""
        clip, ends = self.clip, ids.argmax(dim=-1)
        length = int(ends.max()) + 1
        x = clip.token_embedding(ids[:, :length]) + clip.positional_embedding[:length]
        x = clip.ln_final(clip.transformer(x, attn_mask=clip.attn_mask[:length, :length]))
        features: Tensor = x[torch.arange(len(ids)), ends] @ clip.text_projection
        return features

    def forward(self, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        """Loss, (), and the values for the log."""
        image, text = self.clip.encode_image(batch.pixels), self.encode_text(batch.ids)
        logits = self.clip.logit_scale.exp() * F.normalize(text, dim=-1) @ F.normalize(image, dim=-1).T
        matches = positives(batch.codes, batch.named).float()
        by_caption = F.cross_entropy(logits, matches / matches.sum(dim=1, keepdim=True))
        by_image = F.cross_entropy(logits.T, (matches / matches.sum(dim=0)).T)
        contrastive = (by_caption + by_image) / 2
        features = F.layer_norm(image, image.shape[-1:])
        guesses = {name: head(features) for name, head in self.heads.items()}
        answers = {name: batch.codes[:, ATTRIBUTES.index(name)] for name in self.heads}
        # the mean over no image at all would be NaN
        extra = sum(
            AUXILIARY[name] * F.cross_entropy(guesses[name], answers[name], ignore_index=-1)
            for name in guesses
            if (answers[name] >= 0).any()
        )
        has_shape = answers["shape"] >= 0
        shape = (guesses["shape"].argmax(dim=-1) == answers["shape"])[has_shape].float().mean().item()
        return contrastive + extra, {"contrastive": contrastive.item(), "shape accuracy": shape}


def schedules(step: int, steps: int) -> tuple[float, float]:
    """Learning rate and share of simple scenes of a step."""
    rate = min((step + 1) / WARMUP, 0.5 * (1 + math.cos(math.pi * step / steps)))
    start, end, part = EASY
    return LR * rate, start + (end - start) * min(1.0, step / (part * steps))


def make_optimizer(learner: Learner) -> torch.optim.AdamW:
    """AdamW with weight decay on matrices only, and ten times the rate for the logit scale, which would hardly move otherwise."""
    scale = learner.clip.logit_scale
    rest = [p for p in learner.parameters() if p is not scale]
    groups = [
        {"params": [p for p in rest if p.ndim >= 2], "weight_decay": DECAY, "times": 1.0},
        {"params": [p for p in rest if p.ndim < 2], "weight_decay": 0.0, "times": 1.0},
        {"params": [scale], "weight_decay": 0.0, "times": 10.0},
    ]
    return torch.optim.AdamW(groups, lr=LR, betas=(0.9, 0.98))


class Training:
    """A pre-training run in a folder, from scratch or from the folder's checkpoint."""

    def __init__(self, out: Path, seed: int, steps: int) -> None:
        out.mkdir(parents=True, exist_ok=True)
        self.out, self.seed, self.steps, self.step, self.seconds = out, seed, steps, 0, 0.0
        if not (out / BPE).exists():
            write(Path(default_bpe()), out / BPE)
        self.tokenizer = SimpleTokenizer(str(out / BPE), context_length=32)
        self.config = model_config(self.tokenizer.vocab_size)
        torch.manual_seed(seed)
        self.learner = Learner(self.config)
        self.optimizer = make_optimizer(self.learner)
        self.last: dict[str, float] = {}
        if self.checkpoint.exists():
            self._restore()

    @property
    def checkpoint(self) -> Path:
        return self.out / "checkpoint.pt"

    def run(self, until: int | None = None) -> None:
        """Train up to a step (default: to the end), with progress, a log and checkpoints."""
        columns = (TextColumn("pre-training"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
        last = self.steps if until is None else until
        with Progress(*columns) as progress, (self.out / "log.txt").open("a") as log:
            bar = progress.add_task("", total=self.steps, completed=self.step)
            while self.step < last:
                start = time.perf_counter()
                values = self._step()
                self.seconds += time.perf_counter() - start
                self.last = {name: 0.98 * self.last.get(name, value) + 0.02 * value for name, value in values.items()}
                line = "  ".join(f"{name} {value:.3f}" for name, value in self.last.items())
                progress.update(bar, completed=self.step, description=line)
                if self.step % 50 == 0:
                    log.write(f"step {self.step}  {self.seconds:.0f} s  {line}\n")
                    log.flush()
                if self.step % 100 == 0 or self.step == last:
                    self._save()

    def _step(self) -> dict[str, float]:
        rate, easy = schedules(self.step, self.steps)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["times"]
        loss, values = self.learner(sample(self.seed, self.step, easy, self.tokenizer))
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.learner.parameters(), 1.0)
        self.optimizer.step()
        with torch.no_grad():
            self.learner.clip.logit_scale.clamp_(max=math.log(100))
        self.step += 1
        return {"loss": loss.item(), **values}

    def _save(self) -> None:
        state = {"run": [self.seed, self.steps], "step": self.step, "seconds": self.seconds, "last": self.last}
        temporary = self.checkpoint.with_suffix(".tmp")
        torch.save({**state, "learner": self.learner.state_dict(), "optimizer": self.optimizer.state_dict()}, temporary)
        temporary.replace(self.checkpoint)

    def _restore(self) -> None:
        state = torch.load(self.checkpoint, weights_only=True)
        if state["run"] != [self.seed, self.steps]:
            raise SystemExit(f"{self.checkpoint} is of seed and steps {state['run']}, not {[self.seed, self.steps]}; choose another --out")
        self.step, self.seconds, self.last = state["step"], state["seconds"], state["last"]
        self.learner.load_state_dict(state["learner"])
        self.optimizer.load_state_dict(state["optimizer"])

    @torch.no_grad()
    def export(self) -> None:
        """Write the model as a folder that open_clip loads with `local-dir:`, in half precision."""
        clip = self.learner.clip.eval()
        batch = sample(seed=self.seed + 10_000, step=0, easy=1.0, tokenizer=self.tokenizer, size=256)
        clip.visual.proj *= NORM / clip.encode_image(batch.pixels).norm(dim=-1).mean()
        clip.text_projection *= NORM / self.learner.encode_text(batch.ids).norm(dim=-1).mean()
        save_file({name: value.half().contiguous() for name, value in clip.state_dict().items()}, self.out / "open_clip_model.safetensors")
        preprocess = {"mean": MEAN, "std": STD, "interpolation": "bicubic", "resize_mode": "shortest"}
        _write_json(self.out / "open_clip_config.json", {"model_cfg": self.config, "preprocess_cfg": preprocess})
        versions = {"python": platform.python_version(), "torch": torch.__version__, "open_clip_torch": open_clip.__version__}
        record = {
            "seed": self.seed,
            "steps": self.steps,
            "batch": BATCH,
            "seconds": round(self.seconds),
            "threads": torch.get_num_threads(),
        }
        _write_json(self.out / "training.json", {**record, "versions": versions, "last": {k: round(v, 4) for k, v in self.last.items()}})


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n")


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m depthub_shapes.pretrain", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="seed of weights, scenes and captions")
    parser.add_argument("--steps", type=int, default=3600, help=f"batches of {BATCH} images")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoint, log and the finished model")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    training = Training(options.out, options.seed, options.steps)
    training.run()
    training.export()


if __name__ == "__main__":
    main()
