"""PromptSRC: its losses and its average over epochs by hand, and that an interrupted training ends alike."""

from __future__ import annotations

from math import exp
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from depthub_promptsrc.templates import TEMPLATES
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.utils.data import TensorDataset

from depthub.cli.commands import run as command
from depthub.encoding.backbone import Backbone
from depthub.errors import DepthubError
from depthub.registry.plugins import installed
from depthub.registry.settings import complete, make
from depthub.spec import Component, Training
from depthub.training.checkpoint import Checkpoint
from depthub.training.evaluation import evaluate
from depthub.training.loop import fit
from depthub.training.tuner import Tuner
from tests.models import CLASSES, random_backbone

SMALL = {"n_text": 2, "n_image": 3, "depth": 2, "templates": ["a photo of a {}.", "the {}."], "mean": 2.0, "std": 1.5}
RECIPE = Training(epochs=4, batch_size=4, lr=0.05, warmup_epochs=0)


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return random_backbone(dtype=torch.float32)


@pytest.fixture(scope="module")
def images() -> TensorDataset:
    generator = torch.Generator().manual_seed(0)
    return TensorDataset(torch.randn(9, 3, 32, 32, generator=generator), torch.randint(5, (9,), generator=generator))


def tuner(backbone: Backbone, head: str = "ITM", **settings: Any) -> Tuner:
    plugins = installed()
    torch.manual_seed(7)
    method = make(complete(Component("PromptSRC", SMALL | settings), "methods", plugins), "methods", plugins, backbone, CLASSES)
    return Tuner(backbone, method, make(complete(Component(head), "heads", plugins), "heads", plugins, backbone.dim, CLASSES))


def state(tuned: Tuner) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in tuned.tuned().items()}


def unit(x: Tensor) -> Tensor:
    return x / x.norm(dim=-1, keepdim=True)


def test_the_losses_by_hand(backbone: Backbone, images: TensorDataset) -> None:
    tuned, pixels = tuner(backbone), images.tensors[0][:4]
    with torch.no_grad():
        features = tuned.method.features(backbone, pixels, CLASSES)
        losses = tuned.method.losses(features)
        written = [backbone.encode_sentences([t.format(name) for name in CLASSES.words]) for t in ("a photo of a {}.", "the {}.")]
        old_text, old_image = unit((written[0] + written[1]) / 2), unit(backbone.encode_image(pixels))
    text, image = unit(features.text), unit(features.image)
    assert not torch.allclose(image, old_image)
    new, old = ((features.scale * x @ y.T).softmax(dim=-1) for x, y in ((image, text), (old_image, old_text)))
    assert losses.keys() == {"text", "image", "scores"}
    torch.testing.assert_close(losses["text"], 25 * (text - old_text).abs().mean())
    torch.testing.assert_close(losses["image"], 10 * (image - old_image).abs().mean())
    torch.testing.assert_close(losses["scores"], (old * (old.log() - new.log())).mean())
    rows = [3, 0]  # of other classes' order the same rows are compared
    part = tuned.method.losses(tuned.method.features(backbone, pixels, CLASSES.take(rows)))
    torch.testing.assert_close(part["text"], 25 * (text[rows] - old_text[rows]).abs().mean())


def test_nothing_frozen_is_encoded_to_evaluate(backbone: Backbone, images: TensorDataset) -> None:
    tuned = tuner(backbone).eval()
    features = tuned.method.features(backbone, images.tensors[0][:2], CLASSES)
    assert features.reference is None
    assert tuned.method.losses(features) == {}


@pytest.mark.parametrize("head", ["ITM", "DePT"])
def test_the_final_prompts_are_the_weighted_average_of_every_epochs(backbone: Backbone, images: TensorDataset, head: str) -> None:
    tuned, states = tuner(backbone, head), []
    original = tuned.method.after_epoch

    def watched(epoch: int, epochs: int) -> None:
        states.append(state(tuned))
        original(epoch, epochs)

    tuned.method.after_epoch = watched  # type: ignore[method-assign]
    fit(tuned, images, CLASSES, RECIPE, 1, Accelerator(cpu=True))
    density = [exp(-((epoch - 2.0) ** 2) / (2 * 1.5**2)) for epoch in (1, 2, 3, 4)]
    for name, p in tuned.tuned().items():
        expected = sum(weight / sum(density) * each[name] for weight, each in zip(density, states, strict=True))
        if name.startswith("head."):
            expected = states[-1][name]
        assert not torch.equal(states[0][name], states[-1][name])
        torch.testing.assert_close(p.detach(), expected, rtol=1e-5, atol=1e-6)


def test_an_interrupted_training_ends_with_the_same_numbers(backbone: Backbone, images: TensorDataset, tmp_path: Path) -> None:
    whole = tuner(backbone, "DePT")
    fit(whole, images, CLASSES, RECIPE, 1, Accelerator(cpu=True))
    for last in (1, 3, 4):
        checkpoint = Checkpoint(tmp_path / f"{last}.safetensors", "a run")

        def interrupt(epoch: int, _: float, last: int = last) -> None:
            if epoch == last:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            fit(tuner(backbone, "DePT"), images, CLASSES, RECIPE, 1, Accelerator(cpu=True), checkpoint=checkpoint, on_epoch=interrupt)
        resumed = tuner(backbone, "DePT")
        fit(resumed, images, CLASSES, RECIPE, 1, Accelerator(cpu=True), checkpoint=checkpoint)
        for name, p in state(whole).items():
            assert torch.equal(p, state(resumed)[name]), f"{name} after {last} epochs"
        assert torch.equal(whole.method.average, resumed.method.average)
        again, expected = (evaluate(tuned, images, CLASSES, Accelerator(cpu=True)).count() for tuned in (resumed, whole))
        assert again == expected


def test_a_checkpoint_holds_the_average_and_not_what_follows_from_the_classes(
    backbone: Backbone, images: TensorDataset, tmp_path: Path
) -> None:
    tuned, checkpoint = tuner(backbone), Checkpoint(tmp_path / "tuned.safetensors", "a run")
    fit(tuned, images, CLASSES, RECIPE, 1, Accelerator(cpu=True), checkpoint=checkpoint)
    tensors, names = load_file(checkpoint.path), set(tuned.tuned())
    assert set(tensors) == names | {f"momentum.{name}" for name in names} | {"buffer.method.average"}
    del tensors["buffer.method.average"]
    save_file(tensors, checkpoint.path, {"epochs_done": "2", "run_id": "a run"})
    with pytest.raises(DepthubError, match=r"is damaged \('buffer\.method\.average'\)"):
        checkpoint.restore(tuned, torch.optim.SGD(tuned.parameters()))


def test_a_mean_far_away_leaves_the_last_epoch(backbone: Backbone, images: TensorDataset) -> None:
    tuned = tuner(backbone, mean=1000.0, std=0.1)  # every density is zero in floating point
    tuned.method.after_epoch(1, 3)
    last = state(tuned)
    for epoch in (2, 3):
        tuned.method.after_epoch(epoch, 3)
    assert all(torch.equal(p, last[name]) for name, p in state(tuned).items())


def test_the_published_templates() -> None:
    assert len(TEMPLATES) == len(set(TEMPLATES)) == 60
    assert all(template.count("{}") == 1 and template.endswith(".") and template == template.strip() for template in TEMPLATES)
    assert (TEMPLATES[0], TEMPLATES[-1]) == ("a photo of a {}.", "itap of the {}.")


def test_templates_on_the_command_line() -> None:
    (spec,) = command.specs(command.parser().parse_args(["--method", "PromptSRC", "--method.templates", '["a {}.", "the {}."]']))
    assert spec.method.settings["templates"] == ["a {}.", "the {}."]
    (plain,) = command.specs(command.parser().parse_args(["--method", "PromptSRC", "--preset", "original"]))
    assert plain.method.settings["templates"] is None
    assert plain.training is not None
    assert (plain.training.lr, plain.training.epochs) == (0.0025, 20)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"depth": 4}, r"depth is 4, expected 1 to 3"),
        ({"n_text": 5}, r"5 tokens per layer, but ctx_init gives 4; give more words or none"),
        ({"std": 0.0}, r"std is 0.0, expected a positive number"),
    ],
)
def test_what_it_refuses(backbone: Backbone, settings: dict[str, Any], says: str) -> None:
    with pytest.raises(DepthubError, match=says):
        tuner(backbone, **settings)
