"""Which files make a backbone, what tells them apart, and that nothing asks the network unasked."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import socket
from pathlib import Path

import open_clip
import pytest
import torch
from safetensors.torch import load_file, save_file

from depthub.encoding.loading.load import load_backbone, refusal, weights_digest
from depthub.errors import DepthubError
from depthub.registry.plugins import installed
from depthub.spec import BackboneSpec
from depthub.system import network
from tests.archives import in_directory

# Identity: other files are other models, and the same files are the same model wherever they lie.


FORMS = ["open_clip_model.safetensors", "other.safetensors", "open_clip_pytorch_model.bin", "any.bin", "model.pth", "x.pth", "ViT-B-16.pt"]


@pytest.mark.parametrize("name", FORMS)
def test_every_form_of_weights_is_loaded_and_in_the_digest(name: str, weights: Path, tmp_path: Path) -> None:
    spec = in_directory(tmp_path / "model", weights, name)
    before, loaded = weights_digest(spec, {}), load_backbone(spec, {}).digest()
    other = {key: value + 1 for key, value in load_file(weights).items()}
    if name.endswith(".safetensors"):
        save_file(other, tmp_path / "model" / name)
    else:
        torch.save(other, tmp_path / "model" / name)
    assert weights_digest(spec, {}) != before
    assert load_backbone(spec, {}).digest() != loaded


def test_the_vocabulary_is_in_the_digest(weights: Path, tmp_path: Path) -> None:
    spec = in_directory(tmp_path / "model", weights)
    before = weights_digest(spec, {})
    (tmp_path / "model/bpe_own.txt.gz").write_bytes(gzip.compress(b"#version\na b\n"))
    assert weights_digest(spec, {}) != before


def test_the_digest_does_not_depend_on_the_place(config: Path, weights: Path, tmp_path: Path) -> None:
    digests = set()
    for first, second in (("a", "z"), ("z", "a")):
        for place, path in ((tmp_path / first / "c", config), (tmp_path / second / "w", weights)):
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, place)
        spec = BackboneSpec(str(tmp_path / first / "c" / config.name), str(tmp_path / second / "w" / weights.name))
        digests.add(weights_digest(spec, {}))
    parts = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (config, weights)]
    assert digests == {hashlib.sha256("".join(parts).encode()).hexdigest()}
    assert len({weights_digest(in_directory(tmp_path / name / "m", weights), {}) for name in ("b", "y")}) == 1


def test_the_digest_of_the_embedded_backbone_stays() -> None:
    named = {"shapes": installed().get("backbones", "shapes")}
    assert weights_digest(BackboneSpec("shapes"), named) == "e706fe00ed0ffac0d73527677256c1790a2c6c45ba6f7e9336422640534760a1"


def test_words_that_are_also_files(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file called as a model or as `random` says nothing about them; one called as a tag is what is loaded, and in the digest."""
    monkeypatch.chdir(tmp_path)
    for name in ("ViT-B-16", "random", "openai"):
        shutil.copy(weights, name)
    assert weights_digest(BackboneSpec("ViT-B-16", "random"), {}) == ""
    assert weights_digest(BackboneSpec("ViT-B-16-quickgelu", "openai"), {}) != ""
    with pytest.raises(DepthubError, match="cannot load openai"):
        load_backbone(BackboneSpec("ViT-B-16-quickgelu", "openai"), {})


def test_random_weights_by_the_word_only(weights: Path, tmp_path: Path) -> None:
    spec = in_directory(tmp_path / "model", weights)
    (tmp_path / "model/open_clip_model.safetensors").unlink()
    with pytest.raises(DepthubError, match=r"no weights in .*model; expected open_clip_model\.safetensors or another file"):
        load_backbone(spec, {})
    assert load_backbone(BackboneSpec(spec.model, "random"), {}).dim == 24


def test_a_checkpoint_that_lacks_weights(config: Path, weights: Path, tmp_path: Path) -> None:
    tensors = load_file(weights)
    tensors.pop("ln_final.weight")
    save_file(tensors, tmp_path / "part.safetensors")
    with pytest.raises(DepthubError, match=r"1 of \d+ tensors are lacking \(ln_final\.weight\)$"):
        load_backbone(BackboneSpec(str(config), str(tmp_path / "part.safetensors")), {})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e300])
def test_weights_that_are_not_finite_are_named(value: float, config: Path, weights: Path, tmp_path: Path) -> None:
    tensors = {name: tensor.double() for name, tensor in load_file(weights).items()}
    tensors["ln_final.weight"][3] = value  # the last overflows in float32
    save_file(tensors, tmp_path / "odd.safetensors")
    with pytest.raises(DepthubError, match=r"cannot load odd\.safetensors: its tensor 'ln_final\.weight' holds 1 numbers that are NaN"):
        load_backbone(BackboneSpec(str(config), str(tmp_path / "odd.safetensors")), {})


# The network.


@pytest.fixture
def nobody_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """An empty home and Hub cache; every attempt to reach the network is noted and fails."""
    from huggingface_hub import constants

    calls: list[str] = []

    def note(*args: object, **_: object) -> None:
        calls.append(str(args))
        raise OSError("the network was asked")

    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    for name in ("getaddrinfo", "create_connection"):
        monkeypatch.setattr(socket, name, note)
    monkeypatch.setattr(socket.socket, "connect", note)
    return calls


@pytest.mark.parametrize(
    ("model", "pretrained", "what"),
    [
        ("hf-hub:laion/CLIP-ViT-B-32-laion2B-s34B-b79K", "", "backbone 'hf-hub:laion/CLIP-ViT-B-32-laion2B-s34B-b79K'"),
        ("ViT-B-16-quickgelu", "openai", "weights 'openai' of 'ViT-B-16-quickgelu'"),
        ("RN50-quickgelu", "yfcc15m", "weights 'yfcc15m' of 'RN50-quickgelu'"),
        ("convnext_base", "laion400m_s13b_b51k", "weights 'laion400m_s13b_b51k' of 'convnext_base'"),
    ],
)
def test_nothing_asks_the_network_unasked(model: str, pretrained: str, what: str, nobody_home: list[str]) -> None:
    with pytest.raises(DepthubError) as caught:
        load_backbone(BackboneSpec(model, pretrained), {})
    assert str(caught.value) == f"{what} is not on this machine; --download gets it"
    assert nobody_home == []
    if model.startswith("hf-hub:"):
        with pytest.raises(DepthubError, match="is not on this machine"):
            weights_digest(BackboneSpec(model), {})
        with pytest.raises(DepthubError, match=r"^cannot download backbone 'hf-hub:laion/"):
            load_backbone(BackboneSpec(model), {}, download=True)
        assert nobody_home


def test_every_tag_needs_the_word(nobody_home: list[str]) -> None:
    """Also tags that are an address: not one of open_clip's asks."""
    accepted = {name for name in open_clip.list_models() if not refusal(open_clip.get_model_config(name))}
    for model, tag in open_clip.list_pretrained()[::12]:
        if model in accepted:
            with pytest.raises(DepthubError, match=r"is not on this machine; --download gets it|QuickGELU"):
                load_backbone(BackboneSpec(model, tag), {})
    assert nobody_home == []


@pytest.mark.parametrize("name", ["hf-hub:", "hf-hub:one", "hf-hub:a/b/c", "hf-hub:/b"])
def test_names_that_the_hub_does_not_have(name: str) -> None:
    with pytest.raises(DepthubError, match="expected hf-hub:OWNER/NAME"):
        weights_digest(BackboneSpec(name), {})


@pytest.mark.parametrize("form", ["open_clip_model.safetensors", "open_clip_pytorch_model.bin"])
def test_a_model_of_the_hub_that_is_on_this_machine(form: str, weights: Path, tmp_path: Path, nobody_home: list[str]) -> None:
    """In the layout that the Hub's client keeps."""
    place = tmp_path / "hub/models--someone--tiny"
    in_directory(place / "snapshots/0123", weights, form)
    (place / "refs").mkdir()
    (place / "refs/main").write_text("0123")
    spec = BackboneSpec("hf-hub:someone/tiny")
    assert load_backbone(spec, {}).dim == 24
    before = weights_digest(spec, {})
    assert before
    (place / "snapshots/0123" / form).write_bytes(b"other")
    assert weights_digest(spec, {}) != before
    assert nobody_home == []
    with pytest.raises(DepthubError, match="brings its own weights"):
        load_backbone(BackboneSpec("hf-hub:someone/tiny", "openai"), {})


def test_what_was_before_is_after() -> None:
    doors = (socket.getaddrinfo, socket.create_connection, socket.socket.connect, socket.socket.connect_ex)
    with network.offline(), network.offline():
        for ask in (lambda: socket.getaddrinfo("localhost", 80), lambda: socket.create_connection(("127.0.0.1", 9))):
            with pytest.raises(network.OfflineError):
                ask()
        with socket.socket() as one, pytest.raises(network.OfflineError):
            one.connect(("127.0.0.1", 9))
        if hasattr(socket, "AF_UNIX"):
            with socket.socket(socket.AF_UNIX) as local, pytest.raises(FileNotFoundError):  # processes of this machine may talk
                local.connect("/nowhere/socket")
    assert (socket.getaddrinfo, socket.create_connection, socket.socket.connect, socket.socket.connect_ex) == doors
    assert "connect" not in vars(socket.socket)
