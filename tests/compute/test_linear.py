"""The linear map of frozen layers, by both backends; nothing here depends on which one is faster."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint
from torch.utils.flop_counter import FlopCounterMode

from depthub.compute import linear as module
from depthub.compute.linear import choice, linear, use_backend
from depthub.errors import DepthubError
from depthub.system import provenance

needs_onednn = pytest.mark.skipif(not module._available(), reason="this torch has no oneDNN for linear maps")
WIDE, HIGH, ROWS = 384, 768, 96  # above the smallest weight and product that oneDNN is asked for


@pytest.fixture(autouse=True)
def _no_preference(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv(module.VARIABLE, raising=False)
    module._by_processor.cache_clear()
    yield
    module._by_processor.cache_clear()


def numbers(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def frozen(high: int = HIGH, wide: int = WIDE) -> nn.Linear:
    layer = nn.Linear(wide, high).requires_grad_(False)
    layer.weight.copy_(numbers(high, wide, seed=1))
    layer.bias.copy_(numbers(high, seed=2))
    return layer


def error(value: Tensor, exact: Tensor) -> float:
    value, exact = value.detach(), exact.detach()
    return float((value.double() - exact).norm() / exact.norm())


def went_through_onednn(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> bool:
    with use_backend("onednn"):
        module._used.clear()
        torch.testing.assert_close(linear(x, weight, bias), F.linear(x, weight, bias), rtol=1e-3, atol=1e-3)
        return module.used() == "onednn"


@needs_onednn
@pytest.mark.parametrize("shape", [(ROWS,), (4, 24), (2, 3, 16)])
@pytest.mark.parametrize("bias", [True, False])
def test_values_and_gradients(shape: tuple[int, ...], bias: bool) -> None:
    layer = frozen()
    x, gradient = numbers(*shape, WIDE, seed=3).requires_grad_(), numbers(*shape, HIGH, seed=4)
    exact = x.detach().double() @ layer.weight.double().t() + (layer.bias.double() if bias else 0)
    with use_backend("onednn"):
        product = linear(x, layer.weight, layer.bias if bias else None)
        (back,) = torch.autograd.grad(product, x, gradient)
    assert error(product, exact) < 2e-6
    assert error(back, gradient.double() @ layer.weight.double()) < 2e-6


@needs_onednn
def test_the_result_can_be_changed_in_place() -> None:
    layer, x = frozen(), numbers(4, 24, WIDE, seed=3).requires_grad_()
    with use_backend("onednn"):
        linear(x, layer.weight, layer.bias).mul_(3).sum().backward()
    assert x.grad is not None
    assert error(x.grad, 3 * layer.weight.double().sum(dim=0).expand_as(x)) < 2e-6


@needs_onednn
def test_gradients_through_what_uses_it_and_of_gradients() -> None:
    """The slope along a direction, by differences and by the gradient; and the same once more of the gradient's length."""
    layers = [frozen(WIDE, WIDE) for _ in range(2)]

    def composite(x: Tensor) -> Tensor:
        for layer in layers:
            x = torch.tanh(linear(x, layer.weight / 16, layer.bias)) + x
        return x.square().mean()

    def slope(x: Tensor) -> Tensor:
        (gradient,) = torch.autograd.grad(composite(x), x, create_graph=True)
        return gradient.square().sum() * 1e3

    x, direction = numbers(80, WIDE, seed=5).requires_grad_(), numbers(80, WIDE, seed=6)
    with use_backend("onednn"):
        for function in (composite, slope):
            (gradient,) = torch.autograd.grad(function(x), x)
            step = 1e-2 * direction
            differences = (function(x + step) - function(x - step)) / 2e-2
            torch.testing.assert_close((gradient * direction).sum(), differences, rtol=5e-3, atol=1e-5)


@needs_onednn
def test_parts_of_a_weight_and_odd_strides() -> None:
    layer = frozen(3 * HIGH)
    x = numbers(WIDE, ROWS, seed=3).t()
    for part in (layer.weight[:HIGH], layer.weight[HIGH:], layer.weight[:, ::2].t(), layer.weight.view(3, HIGH, WIDE)[1]):
        inputs = x if part.shape[1] == WIDE else numbers(ROWS, 3 * HIGH, seed=7)
        with use_backend("onednn"):
            assert error(linear(inputs, part), inputs.double() @ part.double().t()) < 2e-6


def change_in_place(layer: nn.Linear) -> None:
    with torch.no_grad():
        layer.weight.mul_(2)


def load(layer: nn.Linear) -> None:
    layer.load_state_dict({"weight": layer.weight * 3, "bias": layer.bias})


def replace(layer: nn.Linear) -> None:
    layer.weight = nn.Parameter(numbers(HIGH, WIDE, seed=8), requires_grad=False)


def set_data(layer: nn.Linear) -> None:
    layer.weight.data = numbers(HIGH, WIDE, seed=9)


def change_a_part(layer: nn.Linear) -> None:
    layer.weight.detach()[3:5].zero_()


@needs_onednn
@pytest.mark.parametrize("change", [change_in_place, load, replace, set_data, change_a_part])
def test_packed_weights_are_never_stale(change: object) -> None:
    layer = frozen()
    x = numbers(ROWS, WIDE, seed=3).requires_grad_()
    with use_backend("onednn"):
        for _ in range(2):
            product = linear(x, layer.weight, layer.bias)
            (back,) = torch.autograd.grad(product.sum(), x)
            assert error(product, x.double() @ layer.weight.double().t() + layer.bias.double()) < 2e-6
            assert error(back, layer.weight.double().sum(dim=0).expand(ROWS, -1)) < 2e-5
            change(layer)  # type: ignore[operator]


@needs_onednn
def test_weights_are_packed_once_and_the_copies_go_with_them() -> None:
    before = len(module._packs)
    layer = frozen()
    x = numbers(ROWS, WIDE, seed=3).requires_grad_()
    with use_backend("onednn"):
        linear(x, layer.weight).sum().backward()
        packed = module._packed(layer.weight, False)
        checkpoint(linear, x, layer.weight, use_reentrant=False).sum().backward()
    assert module._packed(layer.weight.detach(), False) is packed
    assert len(module._packs[layer.weight.untyped_storage()][1]) == 2
    assert len(module._packs) == before + 1
    del layer
    assert len(module._packs) == before


@needs_onednn
def test_a_weight_changed_before_the_backward_pass_is_an_error() -> None:
    layer = frozen()
    x = numbers(ROWS, WIDE, seed=3).requires_grad_()
    with use_backend("onednn"):
        product = linear(x, layer.weight)
    change_in_place(layer)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        product.sum().backward()


@needs_onednn
def test_what_stays_with_torch() -> None:
    layer, x = frozen(), numbers(ROWS, WIDE, seed=3)
    weight, bias = layer.weight, layer.bias
    assert went_through_onednn(x, weight, bias)
    with torch.inference_mode():
        assert went_through_onednn(x, weight, bias)
        assert not went_through_onednn(x, numbers(HIGH, WIDE))
    assert not went_through_onednn(x[:4], weight, bias)
    assert not went_through_onednn(numbers(9 * ROWS, WIDE), weight[:300], bias[:300])
    assert not went_through_onednn(x[:0], weight, bias)
    assert not went_through_onednn(x, weight, bias.clone().requires_grad_())
    assert not went_through_onednn(x, weight.clone().requires_grad_(), bias)
    for dtype in (torch.float64, torch.bfloat16):
        assert not went_through_onednn(x.to(dtype), weight.to(dtype), bias.to(dtype))
    with torch.autocast("cpu", torch.bfloat16):
        assert not went_through_onednn(x, weight, bias)
    with use_backend("onednn"):
        assert linear(x.to("meta"), weight.to("meta"), bias.to("meta")).shape == (ROWS, HIGH)


@needs_onednn
def test_a_switched_off_onednn_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "enabled", False)
    assert not went_through_onednn(numbers(ROWS, WIDE), frozen().weight)


@needs_onednn
def test_transforms_compilers_and_counters_see_torchs_own_map() -> None:
    layer, x = frozen(), numbers(3, ROWS, WIDE, seed=3)
    expected = F.linear(x, layer.weight, layer.bias)
    with use_backend("onednn"):
        mapped = torch.vmap(lambda rows: linear(rows, layer.weight, layer.bias))(x)
        torch.testing.assert_close(mapped, expected, rtol=1e-4, atol=1e-4)
        slope = torch.func.grad(lambda rows: linear(rows, layer.weight, layer.bias).sum())(x)
        torch.testing.assert_close(slope, layer.weight.sum(dim=0).expand_as(x), rtol=1e-4, atol=1e-4)
        compiled = torch.compile(lambda rows: linear(rows, layer.weight, layer.bias), backend="eager", fullgraph=True)
        torch.testing.assert_close(compiled(x), expected, rtol=1e-4, atol=1e-4)
        with FlopCounterMode(display=False) as counter:
            linear(x, layer.weight, layer.bias)
    assert counter.get_total_flops() == 2 * x.numel() * HIGH


def test_a_gradient_of_the_weights_is_torchs_own() -> None:
    layer, x = nn.Linear(WIDE, HIGH), numbers(ROWS, WIDE, seed=3)
    with use_backend(module.BACKENDS[-1]):
        linear(x, layer.weight, layer.bias).sum().backward()
    assert layer.weight.grad is not None
    torch.testing.assert_close(layer.weight.grad, x.sum(dim=0).expand(HIGH, -1), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", module.BACKENDS)
def test_the_environment_chooses(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(module.VARIABLE, name)
    if name == "torch" or module._available():
        assert choice() == name
        with use_backend("torch"):
            assert choice() == "torch"
    else:
        with pytest.raises(DepthubError, match="has no oneDNN"):
            choice()


def test_a_wrong_environment_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(module.VARIABLE, "onednnn")
    with pytest.raises(DepthubError, match=r"^DEPTHUB_LINEAR is 'onednnn', expected one of auto, torch, onednn; did you mean 'onednn'\?$"):
        linear(numbers(2, 8), numbers(4, 8))


ZEN5 = "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 26\nmodel\t\t: 2\n\nprocessor\t: 1\nvendor_id\t: Other\n"


@pytest.mark.parametrize(
    ("cpuinfo", "expected"),
    [
        (ZEN5, "onednn"),
        (ZEN5.replace("26", "27"), "onednn"),
        (ZEN5.replace("26", "25"), "torch"),
        (ZEN5.replace("AuthenticAMD", "GenuineIntel"), "torch"),
        (ZEN5.replace("26", "twenty-six"), "torch"),
        (ZEN5.replace("cpu family", "CPU part"), "torch"),
        ("", "torch"),
        ("\x00\ufffd: : :\n", "torch"),
    ],
)
@needs_onednn
def test_the_processor_decides(cpuinfo: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cpuinfo").write_text(cpuinfo)
    processor = module._processor(tmp_path / "cpuinfo")
    monkeypatch.setattr(module, "_processor", lambda: processor)
    assert choice() == expected


def test_a_system_that_does_not_tell_and_a_torch_without_it_mean_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert module._processor(tmp_path / "nowhere") == ("", 0)
    monkeypatch.setattr(module, "_processor", lambda: ("AuthenticAMD", 26))
    monkeypatch.setattr(module, "_available", lambda: False)
    assert choice() == "torch"


def test_no_stopwatch_and_no_file_decides(tmp_path: Path) -> None:
    """Processes with separate caches, or without a writable one, make the same choice and leave no file."""
    choices = set()
    for place in ("a", "b", "file"):
        (tmp_path / "file").write_text("a file, not a folder")
        script = "import torch; from depthub.compute.linear import choice; state = torch.get_rng_state(); print(choice())\n"
        script += "assert torch.equal(state, torch.get_rng_state())"
        environ = {**os.environ, "DEPTHUB_CACHE": str(tmp_path / place)}
        choices.add(subprocess.run([sys.executable, "-c", script], env=environ, capture_output=True, text=True, check=True).stdout)
    assert len(choices) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_runs_provenance_says_what_it_went_through() -> None:
    module._used.clear()
    with use_backend("torch"):
        linear(numbers(ROWS, WIDE), frozen().weight)
    assert provenance.collect([])["execution"]["linear"] == "torch"
    if module._available():
        with use_backend("onednn"):
            linear(numbers(ROWS, WIDE), frozen().weight)
        assert provenance.collect([])["execution"]["linear"] == "onednn"
