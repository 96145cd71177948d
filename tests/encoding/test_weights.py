"""Files of weights: damaged files, other files, and weights from other programs."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from depthub.encoding.loading.load import load_backbone
from depthub.errors import DepthubError
from depthub.spec import BackboneSpec
from tests.archives import CONFIG, Spy, openai_archive, transformers_names


def pickled(thing: object) -> bytes:
    return pickle.dumps(thing)


def saved(thing: object, **more: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(thing, buffer, **more)
    return buffer.getvalue()


def zipped(**entries: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in entries.items():
            file.writestr(name.replace("__", "/"), content)
    return buffer.getvalue()


def arrays() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, a=np.zeros(3))
    return buffer.getvalue()


NO_WEIGHTS: dict[str, tuple[bytes, str]] = {
    "empty": (b"", r"it is empty \(0 bytes\)"),
    "text": (b"hello, these are no weights\n" * 9, "it is text"),
    "page": (b"<!DOCTYPE html>\n<html>Quota exceeded</html>", "it is text"),
    "noise": (bytes(range(129, 256)) * 9, "its format is unknown"),
    "zeros": (bytes(4096), "its format is unknown"),
    "pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 3\n", "pointer of Git LFS.*`git lfs pull`"),
    "gzip": (gzip.compress(b"x" * 999), "its format is unknown"),
    "list": (pickled([1, 2]), "damaged or was not written by torch"),
    "pickle_of_code": (pickled({"a": Spy(Path("/nowhere/run"))}), "damaged or was not written by torch"),
    "saved_list": (saved([1, 2]), "a file of torch that holds a list"),
    "saved_number": (saved(3), "a file of torch that holds a int"),
    "saved_tensor": (saved(torch.zeros(3)), "a file of torch that holds a Tensor"),
    "saved_nothing": (saved({}), "holds nothing"),
    "saved_no_tensors": (saved({"epoch": 3, "args": {"lr": 1}}), r"holds 2 entries \(epoch, args\)"),
    "saved_module": (saved(torch.nn.Linear(2, 2)), r"it holds torch\.nn\.modules\.linear\.Linear.*save the state dict alone"),
    "old_format": (saved([1], _use_new_zipfile_serialization=False), "a file of torch's old format that holds a list"),
    "zip": (zipped(readme=b"x"), "it is a zip file of readme"),
    "zip_of_nothing": (zipped(), "format is unknown|zip file of nothing"),
    "zip_with_pickle": (zipped(a__b=b"", a__data=b""), "it is a zip file of a/b, a/data"),
    "npz": (arrays(), "it is a zip file of a.npy"),
    "cut_zip": (saved({"a": torch.zeros(999)})[:900], "zip file that ends too early"),
    "safetensors_cut": (b"\x10\x00\x00\x00\x00\x00\x00\x00{", "format is unknown|damaged"),
    "safetensors_header": ((8).to_bytes(8, "little") + b"{" * 64, "damaged"),
    "one_tensor": (saved({"weight": torch.zeros(3)}), r"a file of torch with 1 tensors \(weight\); for .* \d+ of \d+ tensors are lacking"),
    "sparse": (saved({"a.b": torch.eye(3).to_sparse(), "c": torch.zeros(1)}), "'a.b' is sparse, quantised or empty"),
    "archive_of_code": (zipped(m__data=b"", **{"m__data.pkl": pickled(Spy(Path("/nowhere/run"))), "m__constants.pkl": b""}), "it holds"),
    "archive_of_evil": (zipped(**{"m__data.pkl": b"cos\nsystem\n(S'true'\ntR.", "m__constants.pkl": b""}), r"it holds os\.system"),
    "archive_of_nothing": (zipped(**{"m__data.pkl": b"N.", "m__constants.pkl": b""}), "no tensors by name"),
    "archive_damaged": (zipped(**{"m__data.pkl": b"\x80\x02", "m__constants.pkl": b""}), "damaged"),
}


@pytest.mark.parametrize("suffix", ["pt", "bin", "safetensors"])
@pytest.mark.parametrize("name", NO_WEIGHTS)
def test_what_is_no_weights_is_said_in_one_line(name: str, suffix: str, config: Path, tmp_path: Path) -> None:
    content, says = NO_WEIGHTS[name]
    path = tmp_path / f"file.{suffix}"
    path.write_bytes(content)
    with pytest.raises(DepthubError, match=f"^cannot load file.{suffix}: .*(?:{says})") as caught:
        load_backbone(BackboneSpec(str(config), str(path)), {})
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 320


def damaged(path: Path) -> list[bytes]:
    """Some hundred damaged copies of a file's content."""
    content, generator = path.read_bytes(), np.random.default_rng(0)
    damaged = [content[: len(content) * part // 20] for part in range(1, 20)]
    for place in generator.integers(0, len(content), 40):
        damaged.append(content[:place] + bytes(generator.integers(0, 256, 8, dtype=np.uint8)) + content[place + 8 :])
    return damaged


def small(path: Path) -> dict[str, Tensor]:
    return {name: value for name, value in load_file(path).items() if value.numel() < 5000}


@pytest.mark.parametrize("form", ["archive", "torch", "safetensors"])
def test_damage_is_said_in_one_line_or_does_no_harm(form: str, config: Path, weights: Path, tmp_path: Path) -> None:
    whole, path = tmp_path / f"whole.{form}", tmp_path / "damaged"
    if form == "archive":
        openai_archive(whole, small(weights))
    elif form == "torch":
        torch.save(small(weights), whole)
    else:
        save_file(small(weights), whole)
    for content in damaged(whole):
        path.write_bytes(content)
        with pytest.raises(DepthubError, match=r"^cannot load damaged: |QuickGELU"):  # whole, it lacks the large tensors
            load_backbone(BackboneSpec(str(config), str(path)), {})


# The forms of others.


@pytest.mark.parametrize("scripted", [False, True])
def test_an_archive_as_openai_published_them(scripted: bool, quick: Path, config: Path, weights: Path, tmp_path: Path) -> None:
    tensors = load_file(weights)
    path = openai_archive(tmp_path / "ViT-Tiny.pt", tensors, scripted=scripted)
    loaded = load_backbone(BackboneSpec(str(quick), str(path)), {})
    state = loaded.clip.state_dict()
    assert {value.dtype for value in state.values()} == {torch.float32}
    assert all(torch.equal(state[name], value.half().float()) for name, value in tensors.items())
    with pytest.raises(DepthubError, match=r"ViT-Tiny\.pt were trained with QuickGELU.*set \"quick_gelu\": true in the configuration"):
        load_backbone(BackboneSpec(str(config), str(path)), {})
    with pytest.raises(DepthubError, match="trained with QuickGELU, 'ViT-B-32' is built otherwise: use 'ViT-B-32-quickgelu'"):
        load_backbone(BackboneSpec("ViT-B-32", str(path)), {})


def test_an_archive_of_somebody_else_says_nothing_of_its_activation(config: Path, weights: Path, tmp_path: Path) -> None:
    path = openai_archive(tmp_path / "own.pt", load_file(weights), buffers=False)
    assert load_backbone(BackboneSpec(str(config), str(path)), {}).dim == 24


def test_the_state_of_openais_archive_saved_again_is_still_theirs(config: Path, quick: Path, weights: Path, tmp_path: Path) -> None:
    extra = {name: torch.tensor(3) for name in ("input_resolution", "context_length", "vocab_size")}
    torch.save({**load_file(weights), **extra}, tmp_path / "again.pt")
    assert load_backbone(BackboneSpec(str(quick), str(tmp_path / "again.pt")), {}).dim == 24
    with pytest.raises(DepthubError, match="trained with QuickGELU"):
        load_backbone(BackboneSpec(str(config), str(tmp_path / "again.pt")), {})


def test_no_code_of_an_archive_is_run(quick: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = openai_archive(tmp_path / "model.pt", load_file(weights))
    for module, name in ((torch.jit, "load"), (torch._C, "import_ir_module")):
        monkeypatch.setattr(module, name, lambda *_, **__: pytest.fail("the archive was executed"))
    assert load_backbone(BackboneSpec(str(quick), str(path)), {}).dim == 24


WRAPPED: dict[str, Callable[[dict[str, Tensor]], Any]] = {
    "state_dict": lambda state: {"state_dict": state, "epoch": 3, "optimizer": {"state": {0: {"step": torch.zeros(1)}}}},
    "model": lambda state: {"model": state, "loss": torch.zeros(1), "ema": state},
    "model_state_dict": lambda state: {"epoch": 1, "model_state_dict": state, "optimizer_state_dict": {"state": {}}},
    "two_wrappers": lambda state: {"model": {"state_dict": state}},
    "unknown_wrapper": lambda state: {"network": state, "epoch": 3},
    "module": lambda state: {f"module.{name}": value for name, value in state.items()},
    "compiled": lambda state: {f"_orig_mod.{name}": value for name, value in state.items()},
    "both": lambda state: {"state_dict": {f"module._orig_mod.{name}": value for name, value in state.items()}},
    "tower": lambda state: {name.replace("visual.", "visual._orig_mod."): value for name, value in state.items()},
    "lightning": lambda state: {"state_dict": {f"clip_model.{name}": value for name, value in state.items()}},
    "half": lambda state: {name: value.half().float() for name, value in state.items()},
    "transformers": transformers_names,
    "transformers_wrapped": lambda state: {"state_dict": {f"model.{name}": value for name, value in transformers_names(state).items()}},
}


@pytest.mark.parametrize("form", WRAPPED)
@pytest.mark.parametrize("custom_text", [False, True])
def test_weights_as_training_programs_leave_them(form: str, custom_text: bool, weights: Path, tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text(json.dumps({**CONFIG, "custom_text": custom_text}))
    tensors = {name: value.half().float() for name, value in load_file(weights).items()}
    torch.save(WRAPPED[form](tensors), tmp_path / "file.pt")
    state = load_backbone(BackboneSpec(str(tmp_path / "m.json"), str(tmp_path / "file.pt")), {}).clip.state_dict()
    assert all(torch.equal(state[name if name in state else f"text.{name}"], value) for name, value in tensors.items())


def test_hugging_faces_weights_with_a_part_missing(config: Path, weights: Path, tmp_path: Path) -> None:
    names = transformers_names(load_file(weights))
    names.pop("text_model.encoder.layers.1.self_attn.k_proj.weight")
    save_file(names, tmp_path / "model.safetensors")
    with pytest.raises(DepthubError, match=r"a safetensors file of Hugging Face's with .*1 of \d+ tensors are lacking"):
        load_backbone(BackboneSpec(str(config), str(tmp_path / "model.safetensors")), {})


@pytest.mark.parametrize(
    ("text_config", "takes"), [({}, "quick"), ({"hidden_act": "quick_gelu"}, "quick"), ({"hidden_act": "gelu"}, "plain")]
)
def test_hugging_faces_configuration_says_the_activation(
    text_config: dict[str, str], takes: str, config: Path, quick: Path, weights: Path, tmp_path: Path
) -> None:
    (tmp_path / "hf").mkdir()
    save_file(transformers_names(load_file(weights)), tmp_path / "hf/model.safetensors")
    (tmp_path / "hf/config.json").write_text(json.dumps({"model_type": "clip", "text_config": text_config}))
    for name, path in (("quick", quick), ("plain", config)):
        spec = BackboneSpec(str(path), str(tmp_path / "hf/model.safetensors"))
        if name == takes:
            assert load_backbone(spec, {}).dim == 24
        else:
            with pytest.raises(DepthubError, match="QuickGELU"):
                load_backbone(spec, {})
