"""The shipped model: the file of the README, the vocabulary, and zero-shot accuracy on rendered scenes."""

from __future__ import annotations

import hashlib
import json
import re

import numpy as np
import open_clip
import pytest
import torch
from depthub_shapes import WEIGHTS, depthub_backbones, depthub_datasets
from depthub_shapes.attributes import SIZES, Scene, held_out
from depthub_shapes.captions import words
from depthub_shapes.world import Look, render
from open_clip.tokenizer import SimpleTokenizer
from torch.nn import functional as F

SHA256 = "df067602c5ddff16d6506854f8a1a97715c15de8a7484a646375a30482bc6301"
BPE = WEIGHTS / "bpe_shapes.txt.gz"


@pytest.fixture(scope="module")
def model() -> tuple[open_clip.CLIP, object, SimpleTokenizer]:
    """Model, image transform and tokenizer, loaded by open_clip alone."""
    name = depthub_backbones()[0].model
    clip, _, transform = open_clip.create_model_and_transforms(name)
    return clip.eval(), transform, open_clip.get_tokenizer(name, bpe_path=str(BPE))


def test_the_weights_are_the_measured_ones() -> None:
    assert hashlib.sha256((WEIGHTS / "open_clip_model.safetensors").read_bytes()).hexdigest() == SHA256
    record = json.loads((WEIGHTS / "training.json").read_text())
    assert (record["seed"], record["steps"]) == (0, 3600)


def test_the_compact_vocabulary_splits_project_words_as_the_whole_one() -> None:
    whole, compact = SimpleTokenizer(), SimpleTokenizer(str(BPE))
    names = {
        word for data_set in depthub_datasets() if data_set.name != "digits" for word in " ".join(data_set.load().classes.names).split()
    }
    assert names <= words()
    for word in words():
        assert [compact.decoder[i] for i in compact.encode(word)] == [whole.decoder[i] for i in whole.encode(word)]
    for text in ("a bowl of soup", "Überraschung!", "xyzzy 42"):  # other text is split into smaller pieces, never refused
        assert re.sub(r"\s", "", compact.decode(compact.encode(text))) == re.sub(r"\s", "", text.lower())


def test_sixteen_learned_words_leave_room_for_every_class_name(model: tuple[open_clip.CLIP, object, SimpleTokenizer]) -> None:
    clip, _, tokenizer = model
    for data_set in depthub_datasets():
        for name in data_set.load().classes.names:
            assert 1 + 16 + len(tokenizer.encode(name + ".")) + 1 <= clip.context_length


def test_zero_shot_knows_combinations_it_never_saw(model: tuple[open_clip.CLIP, object, SimpleTokenizer]) -> None:
    """The 64 held-out combinations, without a shift: chance 1.6 %. Features have a norm of about 10, as released models'."""
    clip, transform, tokenizer = model
    rng = np.random.default_rng(1)
    grounds = {"white": "blue"}
    scenes = [Scene("object", c, s, t, size=size, background=grounds.get(c, "white")) for c, t, s in held_out() for size in SIZES]
    with torch.no_grad():
        images = clip.encode_image(torch.stack([transform(render(scene, rng, Look())) for scene in scenes]))  # type: ignore[operator]
        texts = clip.encode_text(tokenizer([f"a photo of a {texture} {colour} {shape}." for colour, texture, shape in held_out()]))
    guesses = (F.normalize(images, dim=-1) @ F.normalize(texts, dim=-1).T).argmax(dim=-1)
    assert (guesses == torch.arange(64).repeat_interleave(len(SIZES))).float().mean() > 0.6
    for features in (images, texts):
        assert 7 < features.norm(dim=-1).mean() < 13


def test_zero_shot_on_compose_is_far_above_chance_in_spite_of_its_shift(model: tuple[open_clip.CLIP, object, SimpleTokenizer]) -> None:
    clip, transform, tokenizer = model
    data = next(data_set for data_set in depthub_datasets() if data_set.name == "compose").load()
    rows = range(0, len(data.test), 5)
    with torch.no_grad():
        images = clip.encode_image(torch.stack([transform(data.test.read(data.test.ids[r])) for r in rows]))  # type: ignore[operator]
        texts = clip.encode_text(tokenizer(data.classes.sentences()))
    right = (F.normalize(images, dim=-1) @ F.normalize(texts, dim=-1).T).argmax(dim=-1) == torch.tensor([data.test.labels[r] for r in rows])
    assert right.float().mean() > 0.4
