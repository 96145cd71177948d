"""How records of published implementations spell what they say: configuration, classes, parameters and arrays, and what that is here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from depthub.errors import DepthubError
from depthub.types import Features

# Group of evaluated classes -> where their names, or their places among the trained ones, are told; "" is what no word in a name says.
CLASSES = {
    "": ("eval_classes", "classes_eval", "test_classes", "classes", "new_classes", "classes_new", "subset_classes", "class_rows"),
    "new": ("new_classes", "classes_new"),
    "base": ("base_classes", "classes_base", "train_classes", "trained_classes", "classes"),
    "subset": ("subset_classes", "classes_subset", "class_subset", "subset", "class_rows", "rows"),
    "all": ("all_classes", "classes_all", "classes"),
}
TRAINED = ("train_classes", "trained_classes", "base_classes", "classes_base", "all_classes", "classes_all", "classes")
EVAL_WEIGHT = ("eval_weight", "weight_eval", "test_weight", "fusion_weight", "eval_lambda", "lambda_eval", "test_lambda")
VARIANT = ("variant", "cat", "ablation", "type")
CATS = {
    **dict.fromkeys(("linear", "cat", "full"), "CAT"),
    **dict.fromkeys(("v1", "shared", "share", "shared_film", "shared_cwt", "sharedcat"), "SharedCAT"),
    **dict.fromkeys(("v2", "similarity", "matching", "itm", "matchingcat"), "MatchingCAT"),
    **dict.fromkeys(("v3", "image_only", "only_image", "img_only", "only_img", "imageonlycat"), "ImageOnlyCAT"),
}
# What a trainer's configuration may say; a switch that is on names its CAT.
CONFIG = {
    "COOP": ("N_CTX", "CSC", "CTX_INIT", "PREC", "CLASS_TOKEN_POSITION", "ALPHA", "W"),
    "COCOOP": ("N_CTX", "CTX_INIT", "PREC"),
    "MAPLE": ("N_CTX", "CTX_INIT", "PREC", "PROMPT_DEPTH"),
    "LINEAR_PROBE": ("TYPE", "WEIGHT", "TEST_TIME_FUSION", *(key.upper() for key in (*EVAL_WEIGHT, *VARIANT, *CATS))),
    "FILM": ("LINEAR_PROBE", *(key.upper() for key in CATS)),
}
OTHER_ARRAYS = re.compile(r"(grad|after\d+|train|sched)/.+|loss|reference_text_features")
QUANTITIES = {frozenset(name.split("_")): name for name in ("logits", "logits_itm", "logits_cat", "text_features", "image_features")}

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
    **{
        f"film_lp{theirs}.{p}": f"head.cat.{ours}.{name}"
        for theirs, ours in (("", "image"), ("_img", "image"), ("_text", "text"))
        for p, name in (("scale", "gamma"), ("bias", "beta"))
    },
    "linear_probe_proj.weight": "head.cat.classifier.weight",
    "linear_probe_proj.bias": "head.cat.classifier.bias",
}


@dataclass(frozen=True)
class Evaluation:
    """One recorded array of an evaluation.

    Args:
        when: "start", or "after5" for five steps later.
        group: the classes, a key of `CLASSES`.
        weight: of CAT in the fusion, if not the training's.
        name: one of `QUANTITIES`.
    """

    when: str
    group: str
    weight: float | None
    name: str

    @property
    def axis(self) -> int:
        """The array's axis over classes, counted from the end; 0 if it has none."""
        return {"image_features": 0, "text_features": -2}.get(self.name, -1)

    def quantity(self, head: Any, features: Features) -> Tensor | None:
        """The same of ours; None if the head has no such part."""
        what, _, part = self.name.partition("_")
        if what in ("text", "image"):
            return features.text if what == "text" else features.image
        reader = getattr(head, part, None) if part else head
        return None if reader is None else reader(features)


def read(name: str) -> Evaluation:
    """What an array's name says, word by word: "eval_after5_new/logits" is what evaluation of the new classes gives after five steps.

    Raises:
        DepthubError: if a word means nothing here.
    """
    when, group, weight, rest = "start", "", None, set[str]()
    for word in re.split("[/_]", name):
        if number := re.fullmatch(r"(?:lambda|weight|w)?(\d\.\d+|0\d+|[01])", word):
            weight = float(re.sub(r"^0(?=\d)", "0.", number[1]))
        elif re.fullmatch(r"start|after\d+", word):
            when = word
        elif word in CLASSES:
            group = word
        elif word not in ("eval", "lambda", "weight", "fused"):
            rest.add(word)
    if frozenset(rest) not in QUANTITIES:
        raise DepthubError(f"replay does not know the array {name!r}; of an evaluation it knows {', '.join(QUANTITIES.values())}")
    return Evaluation(when, group, weight, QUANTITIES[frozenset(rest)])


def check(config: dict[str, dict[str, Any]]) -> None:
    """Refuse a trainer's configuration of which something would go unheard.

    Raises:
        DepthubError: with the first unknown key.
    """
    if not config.keys() & {"COOP", "COCOOP", "MAPLE"}:
        raise DepthubError(f"nothing here replays a trainer with the configuration {sorted(config)}")
    for part, told in config.items():
        unknown = [f"{part}.{key}" for key in told if key not in CONFIG[part]] if part in CONFIG else [part]
        if unknown:
            raise DepthubError(f"replay does not know {unknown[0]} in trainer_config; known: {', '.join(CONFIG.get(part, CONFIG))}")


def cat(meta: dict[str, Any], rows: int | None) -> str:
    """Our CAT: from a switch that is on, else from the first word for it, else from what is learned and on how many rows.

    Args:
        meta: the case's JSON.
        rows: rows a batch from which the classifier learns, if recorded: twice the batch size where texts are among them.

    Raises:
        DepthubError: if the word is unknown.
    """
    config, learned = meta["trainer_config"], set(meta["learnable"]) - set(meta.get("trainable_without_gradient", ()))
    probe, parts = config["LINEAR_PROBE"], (config["LINEAR_PROBE"], config.get("FILM", {}))
    words = [key for part in parts for key, on in part.items() if key.lower() in CATS and on is True]
    words += [part[key] for part in (meta, meta.get("dept") or {}) for key in VARIANT if key in part]
    words += [probe[key.upper()] for key in VARIANT if key.upper() in probe]
    word = str((words or ["linear"])[0]).lower().replace("-", "_").replace(" ", "_")
    if word not in CATS:
        raise DepthubError(f"replay knows no CAT named {words[0]!r}; known: {', '.join(CATS)}")
    if CATS[word] != "CAT":
        return CATS[word]
    if rows == meta["batch_size"]:
        return "ImageOnlyCAT"
    return "SharedCAT" if "film_lp_text.scale" not in learned and learned & {"film_lp_img.scale", "film_lp.scale"} else "CAT"


def eval_weight(meta: dict[str, Any]) -> float | None:
    """The weight of CAT in all evaluations, if the case tells one apart from the training's."""
    parts = (meta, meta.get("dept") or {}, {k.lower(): v for k, v in meta["trainer_config"].get("LINEAR_PROBE", {}).items()})
    return next((float(part[key]) for part in parts for key in EVAL_WEIGHT if key in part), None)
