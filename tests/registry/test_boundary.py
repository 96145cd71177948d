"""Every run checks the values of its plugins and refuses a wrong one in one line that names the plugin and its own line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open

import depthub
from depthub import Component, DataSpec, DepthubError, RunSpec, Training
from depthub.registry.plugins import installed
from depthub.running.models import features_of, frozen
from tests.conftest import MakeDistribution
from tests.models import write_backbone, write_pictures

MODULES = {
    name: (Path(__file__).parents[1] / f"{name}_plugin.py").read_text().replace("from __future__ import annotations\n", "")
    for name in ("faulty", "faulty_data")
}
AT = r" \(faulty(_data)?\.py, line \d+\)"


@pytest.fixture(autouse=True)
def faulty(make_distribution: MakeDistribution) -> Iterator[None]:
    """The plugin, installed."""
    make_distribution("wrong", {name: name for name in MODULES}, MODULES)
    installed.cache_clear()
    frozen.cache_clear()
    features_of.cache_clear()
    yield
    installed.cache_clear()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> RunSpec:
    folder = tmp_path_factory.mktemp("small")
    data, backbone = write_pictures(folder / "colours", classes=3), write_backbone(folder / "model")
    recipe = Training(epochs=1, batch_size=4, augmentation="none")
    return RunSpec(Component("Plain"), data=data, backbone=backbone, training=recipe, shots=2, protocol=Component("AllOf"))


def refusal(spec: RunSpec, folder: Path, **change: object) -> str:
    """The message, one line, that refuses a run with other parts; the run leaves no result."""
    parts = {name: DataSpec(str(part)) if name == "data" else Component(str(part)) for name, part in change.items()}
    with pytest.raises(DepthubError) as caught:
        depthub.run(RunSpec(**{**vars(spec), **parts}), runs=folder)
    assert not list(folder.rglob("run.json"))
    message = str(caught.value)
    assert "\n" not in message
    return message


PROMPTS = {
    "NoPrompts": r"a NoneType, expected Prompts",
    "TensorPrompts": r"a Parameter, expected Prompts",
    "NoList": r"text prompts that are a Parameter, expected a list of tensors, one per layer",
    "NoToken": r"text prompt 0 as a Tensor of torch.float32 and the shape \(0, 32\), expected a floating-point tensor \(n, 32\), .*",
    "Narrow": r"text prompt 0 as a Tensor of torch.float32 and the shape \(2, 31\), expected a floating-point tensor \(n, 32\), .*",
    "FewClasses": r"text prompt 0 as a Tensor of torch.float32 and the shape \(2, 2, 32\), expected .* \(3, n, 32\) .*",
    "Uneven": r"text prompts of 2 and 1 tokens, expected as many in every layer",
    "Integers": r"text prompt 0 as a Tensor of torch.int64 and the shape \(2, 32\), expected a floating-point tensor .*",
    "Nowhere": r"position 'back' and words '', expected one of end, middle, front, and a text",
    "ImageUnsaid": r"image prompts for image features, expected pixels for them: say tunes_image = True",
    "Tall": r"image prompt 0 as a Tensor of torch.float32 and the shape \(1, 1, 2, 32\), expected a floating-point tensor \(n, 48\) .*",
}
FEATURES = {
    "NoFeatures": r"a tuple, expected Features",
    "OneImage": r"image: a tensor of the shape \(1, 24\), expected floating-point numbers of the shape \(4, 24\)",
    "HalfText": r"text: a tensor of the shape \(3, 23\), expected floating-point numbers of the shape \(3, 24\) or \(4, 3, 24\)",
    "FewTexts": r"text: a tensor of the shape \(2, 24\), expected floating-point numbers of the shape \(3, 24\) or \(4, 3, 24\)",
    "ManyScales": r"scale: a tensor of the shape \(3,\), expected floating-point numbers of the shape \(\)",
    "NumberScale": r"scale: a float, expected floating-point numbers of the shape \(\)",
    "OtherClasses": r"classes ClassSet\(space='mine', .*, expected the classes as they were given",
    "WholeImage": r"image: a tensor of the shape \(4, 24\) and the type int64, expected floating-point numbers of the shape \(4, 24\)",
}
REMEDY = r"compute what changes with torch.func.functional_call\(backbone.clip.visual, tensors, images\)"
OTHERS = {
    "WordLosses": rf"losses\(\) gives a dict, expected a dict of losses under names of their own{AT}",
    "IntegerLoss": rf"loss 'own' gives a tensor of the shape \(\) and the type int64, expected a single number, .*{AT}; take its mean",
    "Answering": rf"check\(\) gives False, expected None, or a DepthubError that says what to do{AT}",
    "Failing": r"check\(\) raised KeyError: 'classes' \(faulty.py, line \d+\), expected None, or a DepthubError that says what to do",
    "Returning": rf"after_epoch\(\) gives a tensor of the shape \(2, 32\), expected None: it changes buffers in place{AT}",
    "Unready": rf"its constructor does not call its base class's, expected super\(\).__init__\(backbone, classes\) before .*{AT}",
    "Early": r"its constructor fails with AttributeError: .*\(faulty.py, line \d+\), expected super\(\).__init__\(backbone, classes\) .*",
    "Hooking": rf"a hook on clip.transformer.resblocks.0 of the backbone is not called, expected one on a layer, .*{AT}; {REMEDY}",
    "Holding": rf"a hook on clip.transformer of the backbone is not called, expected one on a layer, .*{AT}; {REMEDY}",
    "ImageHooking": rf"a hook on clip.visual.\S* of the backbone changes the image features, expected tunes_image .*{AT}; {REMEDY}",
    "Writing": rf"it changed clip.token_embedding.weight of the backbone, expected a frozen model, which other runs share; {REMEDY}",
    "Unlocking": rf"it changed clip.positional_embedding and \d+ more of the backbone, expected a frozen model, .*; {REMEDY}",
    "Adapting": rf"it changed clip.visual.\S*c_fc.weight and 1 more of the backbone, expected a frozen model, .*; {REMEDY}",
}


@pytest.mark.parametrize(("method", "expected"), PROMPTS.items())
def test_prompts(small: RunSpec, tmp_path: Path, method: str, expected: str) -> None:
    assert _whole(rf"method {method} of wrong 1\.0: prompts\(\) gives {expected}{AT}", refusal(small, tmp_path, method=method))


@pytest.mark.parametrize(("method", "expected"), FEATURES.items())
def test_features(small: RunSpec, tmp_path: Path, method: str, expected: str) -> None:
    assert _whole(rf"method {method} of wrong 1\.0: features\(\) gives {expected}{AT}", refusal(small, tmp_path, method=method))


@pytest.mark.parametrize(("method", "expected"), OTHERS.items())
def test_methods(small: RunSpec, tmp_path: Path, method: str, expected: str) -> None:
    assert _whole(rf"method {method} of wrong 1\.0: {expected}", refusal(small, tmp_path, method=method))


HEADS = {
    "Few": rf" gives a tensor of the shape \(15, 2\) for 15 images and 3 classes, expected .* \(15, 3\); its forward{AT} must .*",
    "Whole": rf" gives a tensor of the shape \(15, 3\) and the type int64 for .*; its forward{AT} must score every class .*",
    "EachLoss": rf": loss\(\) gives a tensor of the shape \(4,\), expected a single number, a tensor of the shape \(\){AT}; take its mean",
    "Certain": rf": forward\(\) gives scores from \S+ on, that add up to between \S+ and \S+, expected probabilities, at least 0 .*{AT}",
    "Vague": rf": gives_probabilities\(\) gives a NoneType, expected True or False{AT}",
    "EarlyHead": r": its constructor fails with AttributeError: .*\(faulty.py, line \d+\), expected super\(\).__init__\(dim, classes\) .*",
}
PROTOCOLS = {
    "NoStages": rf": stages\(\) gives a NoneType, expected a list of Stage{AT}",
    "Listing": r": Stage.tests is \[Task\(.*, expected a tuple of Task",
    "Nameless": r": Task.name is None, expected text",
    "Untrained": r": Stage.train is None, expected a Task",
    "Fraction": rf": scores\(\) gives 1000.0 as 'accuracy', expected a number of 0 to 100, in percent{AT}",
    "Undefined": rf": scores\(\) gives nan as 'accuracy', expected a number of 0 to 100, in percent{AT}",
    "NoScores": rf": scores\(\) gives None, expected a dict with at least one score in percent, by name{AT}",
}
DATA_SETS = {
    "list_ids": r", train: Examples.ids is \['train/0', .*, expected a tuple of texts",
    "text_labels": r", test: Examples.labels holds '0', expected a tuple of integers \(int\)",
    "list_names": r": ClassSet.names is \['red', 'blue'\], expected a tuple of texts",
    "number_names": r": ClassSet.names holds 1, expected a tuple of texts",
    "no_test": r": Data.test is None, expected Examples",
    "no_reader": r", test: Examples.read is None, expected a function that gives the picture of an id",
    "list_ids_by_content": r", train: Examples.ids is \['train/0', .*, expected a tuple of texts",
    "nothing": rf": load\(\) gives a NoneType, expected Data{AT}",
    "grey": r": the reader of image 'test/4' gives a picture in mode L, expected RGB: .convert\('RGB'\)",
    "arrays": r": the reader of image 'test/5' gives a ndarray, expected a picture \(PIL.Image.Image\)",
}


@pytest.mark.parametrize(("head", "expected"), HEADS.items())
def test_heads(small: RunSpec, tmp_path: Path, head: str, expected: str) -> None:
    assert _whole(rf"head {head} of wrong 1\.0{expected}", refusal(small, tmp_path, head=head))


@pytest.mark.parametrize(("protocol", "expected"), PROTOCOLS.items())
def test_protocols(small: RunSpec, tmp_path: Path, protocol: str, expected: str) -> None:
    assert _whole(rf"protocol {protocol} of wrong 1\.0{expected}", refusal(small, tmp_path, protocol=protocol))


@pytest.mark.parametrize(("data", "expected"), DATA_SETS.items())
def test_data_sets(small: RunSpec, tmp_path: Path, data: str, expected: str) -> None:
    assert _whole(rf"data set '{data}'(?: of wrong 1\.0)?{expected}", refusal(small, tmp_path, data=data))


def test_what_is_right_runs(small: RunSpec, tmp_path: Path) -> None:
    result = depthub.run(replace(small, data=DataSpec("colours")), runs=tmp_path)
    assert result.counts["all"].n_total == 6


def test_a_bug_keeps_its_traceback_and_says_whose_it_is(small: RunSpec, tmp_path: Path) -> None:
    with pytest.raises(AttributeError, match="no attribute 'missing'") as caught:
        depthub.run(replace(small, method=Component("Crashing")), runs=tmp_path)
    assert caught.value.__notes__ == ["in method Crashing of wrong 1.0"]
    assert Path(caught.traceback[-2].path).name == "faulty.py"


@pytest.mark.parametrize(
    ("change", "text", "note"),
    [
        ({"method": Component("Stumbling")}, "in an epoch", "in method Stumbling of wrong 1.0"),
        ({"protocol": Component("Breaking")}, "in stages", "in protocol Breaking of wrong 1.0"),
        ({"data": DataSpec("broken")}, "in load", "in data set broken of wrong 1.0"),
    ],
)
def test_errors_of_every_kind_say_whose_they_are(small: RunSpec, tmp_path: Path, change: dict[str, Any], text: str, note: str) -> None:
    with pytest.raises(OSError, match=text) as caught:
        depthub.run(replace(small, **change), runs=tmp_path)
    assert caught.value.__notes__ == [note]


@pytest.mark.parametrize("method", ["NoPrompts", "Narrow", "ImageUnsaid"])
def test_runs_that_might_train_together_are_refused_alike(small: RunSpec, tmp_path: Path, method: str) -> None:
    specs = [replace(small, method=Component(method), seed=seed) for seed in (1, 2)]
    with pytest.raises(DepthubError) as caught:
        depthub.run_many(specs, runs=tmp_path)
    assert _whole(rf"method {method} of wrong 1\.0: prompts\(\) gives {PROMPTS[method]}{AT}", str(caught.value))


def test_runs_that_follow_a_method_that_changed_the_model_get_another(small: RunSpec, tmp_path: Path) -> None:
    expected = depthub.run(small, runs=tmp_path / "alone").counts
    for method in ("Hooking", "Writing", "Unlocking", "Adapting"):
        refusal(small, tmp_path / "wrong", method=method)
        assert depthub.run(small, runs=tmp_path / method).counts == expected
    refusal(small, tmp_path / "wrong", method="ImageHooking")
    assert frozen(small.backbone).encoding == "fast"


def test_hooks_on_whole_layers_are_called_and_learn(small: RunSpec, tmp_path: Path) -> None:
    result = depthub.run(replace(small, method=Component("PlainHooking")), runs=tmp_path)
    (path,) = tmp_path.rglob("tuned-0.safetensors")
    with safe_open(path, "pt") as file:
        assert file.get_tensor("method.gain") != 1
    assert not any(module._forward_hooks for module in frozen(result.spec.backbone).modules())


def _whole(expected: str, message: str) -> bool:
    assert re.fullmatch(expected, message), message
    return True
