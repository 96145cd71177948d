"""The training script: matches of captions and images, the short text tower, and the continuation of an interrupted training."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from depthub_shapes import WEIGHTS
from depthub_shapes.attributes import CARDINALITY, Scene
from depthub_shapes.pretrain import BPE, Learner, Training, main, model_config, positives, sample, schedules
from open_clip.tokenizer import SimpleTokenizer
from safetensors.torch import load_file

TOKENIZER = SimpleTokenizer(str(WEIGHTS / BPE), context_length=32)


def test_a_caption_matches_every_image_with_the_named_attributes() -> None:
    scenes = [
        Scene("object", "red", "star", background="white"),
        Scene("object", "red", "heart", background="white"),
        Scene("object", "blue", "star", background="black"),
        Scene("pattern", "red", None, "striped", None, None, None),
    ]
    codes = torch.tensor([list(scene.codes().values()) for scene in scenes])
    attributes = [{"kind", "colour"}, {"kind", "shape", "colour"}, {"kind", "shape"}, {"kind"}]
    named = torch.tensor([[name in names for name in CARDINALITY] for names in attributes])
    assert positives(codes, named).int().tolist() == [[1, 1, 0, 0], [0, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 1]]


def test_the_short_text_tower_is_open_clip_s() -> None:
    torch.manual_seed(0)
    learner = Learner(model_config(TOKENIZER.vocab_size)).eval()
    ids = TOKENIZER(["a photo of a red star.", "navy", "three stars on a white background"])
    with torch.no_grad():
        torch.testing.assert_close(learner.encode_text(ids), learner.clip.encode_text(ids), rtol=1e-5, atol=1e-6)


def test_schedules() -> None:
    assert schedules(0, 3600) == (1e-3 / 80, 0.9)
    assert schedules(1080, 3600)[1] == pytest.approx(0.55)
    assert schedules(2160, 3600)[1] == schedules(3599, 3600)[1] == pytest.approx(0.2)
    assert schedules(3599, 3600)[0] < 1e-8


def test_a_batch_depends_on_seed_and_step_alone() -> None:
    one, again, other = (sample(0, step, 0.5, TOKENIZER, size=4) for step in (7, 7, 8))
    assert torch.equal(one.pixels, again.pixels)
    assert torch.equal(one.ids, again.ids)
    assert not torch.equal(one.pixels, other.pixels)
    assert positives(one.codes, one.named).diagonal().all()


def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("depthub_shapes.pretrain.BATCH", 4)
    Training(tmp_path, seed=0, steps=2).run()
    with pytest.raises(SystemExit, match="choose another --out"):
        Training(tmp_path, seed=1, steps=2)


@pytest.mark.slow
def test_an_interrupted_training_ends_with_the_same_weights(tmp_path: Path) -> None:
    main(["--steps", "30", "--out", str(tmp_path / "whole")])
    Training(tmp_path / "halves", seed=0, steps=30).run(until=13)
    main(["--steps", "30", "--out", str(tmp_path / "halves")])
    whole, halves = (load_file(tmp_path / name / "open_clip_model.safetensors") for name in ("whole", "halves"))
    assert whole.keys() == halves.keys()
    assert all(torch.equal(whole[name], halves[name]) for name in whole)
