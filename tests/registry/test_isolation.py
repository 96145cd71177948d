"""Changes of the process by foreign code are undone, and a run has the numbers of a fresh process."""

from __future__ import annotations

import json
import locale
import os
import random
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch

from depthub.cli import main
from depthub.compute import numerics
from depthub.compute.numerics import restored, steady
from depthub.registry.isolation import isolated
from depthub.registry.plugins import Plugins, installed
from tests.conftest import MakeDistribution

SPOILS: dict[str, str] = {
    "default_dtype": "torch.set_default_dtype(torch.float64)",
    "default_tensor": "torch.set_default_tensor_type(torch.DoubleTensor)",
    "default_device": "torch.set_default_device('meta')",
    "seed": "torch.manual_seed(3); np.random.seed(3); random.seed(3)",
    "precision": "torch.set_float32_matmul_precision('medium')",
    "tf32": "torch.backends.cuda.matmul.allow_tf32 = True; torch.backends.cudnn.allow_tf32 = False",
    "no_gradients": "torch.set_grad_enabled(False)",
    "inference": "torch.inference_mode().__enter__()",
    "autocast": "torch.autocast('cpu', torch.bfloat16).__enter__()",
    "no_onednn": "torch.backends.mkldnn.enabled = False",
    "flush": "torch.set_flush_denormal(True)",
    "threads": "torch.set_num_threads(torch.get_num_threads() + 1)",
    "deterministic": "torch.use_deterministic_algorithms(True, warn_only=True)",
    "attention": "torch.backends.cuda.enable_flash_sdp(False); torch.backends.cuda.enable_math_sdp(False)",
    "convolutions": "torch.backends.cudnn.benchmark = True",
    "numpy_errors": "np.seterr(all='raise')",
}
if hasattr(torch._C, "_set_fp32_precision_setter"):
    SPOILS["newer_precision"] = "torch.backends.fp32_precision = 'bf16'; torch.backends.cuda.matmul.fp32_precision = 'tf32'"
PROCESS: dict[str, str] = {
    "environment": "os.environ['DEPTHUB_LINEAR'] = 'torch'; os.environ.pop('PATH'); os.environ['ODD'] = '1'",
    "filters": "warnings.simplefilter('ignore')",
    "locale": "locale.setlocale(locale.LC_ALL, 'C')",
    "path": "sys.path.insert(0, '/nowhere'); sys.path[:] = sys.path[::-1]",
    "folder": "os.chdir('/')",
    "signals": "signal.signal(signal.SIGINT, signal.SIG_IGN); signal.signal(signal.SIGTERM, lambda *_: None)",
    "streams": "sys.stdout = sys.stderr = None",
    "hooks": "sys.excepthook = print; sys.setrecursionlimit(5000)",
}
IMPORTS = "import locale, os, random, signal, sys, warnings\nimport numpy as np, torch\nfrom depthub import ITM, hookimpl\n"
PLUGIN = "\n@hookimpl\ndef depthub_run_started(spec):\n    {inside}\n"


def spoil(code: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(IMPORTS + code, {})


def of_numbers() -> list[object]:
    """The state of the process that numbers depend on."""
    switches = [switch.get() for switch in numerics._torch_switches()]
    generators = [random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()]  # type: ignore[index, union-attr]
    determinism = [torch.are_deterministic_algorithms_enabled(), torch.get_num_threads()]
    return [*switches, *generators, *determinism, np.geterr(), torch.ones(1).dtype, torch.ones(1).device, torch.ones(1).is_inference()]


def of_process() -> list[object]:
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    return [dict(os.environ), [*warnings.filters], locale.setlocale(locale.LC_ALL), [*sys.path], Path.cwd(), handlers,
            sys.stdout, sys.stderr, sys.stdin, sys.excepthook, sys.getrecursionlimit()]  # fmt: skip


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Restores the process after each test."""
    installed.cache_clear()
    with isolated(quiet=False):
        yield
    installed.cache_clear()


@pytest.mark.parametrize("name", SPOILS)
def test_what_numbers_depend_on_is_kept(name: str) -> None:
    before = of_numbers()
    with suppress(OSError), restored():
        spoil(SPOILS[name])
        raise OSError
    assert of_numbers() == before


@pytest.mark.parametrize("name", SPOILS)
def test_a_run_is_steady_and_restores_the_process(name: str) -> None:
    def numbers() -> list[object]:
        generator = torch.Generator().manual_seed(0)
        x = torch.randn(8, 8, generator=generator, device="cpu", requires_grad=True)
        y = torch.nn.functional.scaled_dot_product_attention(x[None], x[None], x[None]).sum() + (x * 1e-42).sum() + torch.ones(1)[0]
        y.backward()
        assert x.grad is not None
        return [y.item(), x.grad.tolist(), y.dtype, (np.ones(2) / 3).tolist()]

    expected, fresh = numbers(), [switch.value for switch in numerics._torch_switches()]
    spoil(SPOILS[name])
    spoiled = of_numbers()
    with steady():
        assert [switch.get() for switch in numerics._torch_switches()] == fresh
        assert numbers() == expected
        assert torch.get_float32_matmul_precision() == "highest"
        assert not torch.backends.cuda.matmul.allow_tf32
        torch.rand(3)
    assert of_numbers() == spoiled


def test_importing_it_imports_neither_torch_nor_numpy() -> None:
    script = """
import sys
from depthub.registry.isolation import isolated
with isolated(quiet=True): pass
assert not {"torch", "numpy"} & sys.modules.keys()
with isolated(quiet=True):
    import numpy, torch
    torch.set_default_dtype(torch.float64); torch.manual_seed(3); numpy.seterr(all="raise"); torch.set_grad_enabled(False)
    seeded = torch.initial_seed()
assert torch.get_default_dtype() == torch.float32 and torch.is_grad_enabled() and torch.initial_seed() != seeded
assert numpy.geterr()["divide"] == "warn"
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", [*SPOILS, *PROCESS])
@pytest.mark.parametrize("when", ["import", "hook", "event"])
def test_a_plugin_changes_nothing(name: str, when: str, make_distribution: MakeDistribution) -> None:
    Plugins({})  # what the built-in plugins import is there
    code, module = {**SPOILS, **PROCESS}[name], f"changes_{name}_{when}"
    source = IMPORTS + (code if when == "import" else "") + PLUGIN.format(inside=code if when == "event" else "...")
    if when == "hook":
        source += f"@hookimpl\ndef depthub_heads():\n    {code}\n    return []\n"
    make_distribution("changing", {"changing": module}, {module: f"import warnings\nwarnings.simplefilter('ignore')\n{source}"})
    before = [*of_numbers(), *of_process()]
    plugins = Plugins({})
    plugins.notify("depthub_run_started", spec="any")
    assert [report.faults for report in plugins.reports if report.name == "changing"] == [()]
    assert [*of_numbers(), *of_process()] == before


NOISE = """
import os, subprocess, sys
print("to be read")
sys.stdout.write("more")
os.write(1, b"from below")
subprocess.run(["echo", "from a child"])
from depthub import hookimpl
@hookimpl
def depthub_run_started(spec): ...
@hookimpl
def depthub_heads():
    print("from a hook")
    return []
"""


def test_what_a_plugin_prints_goes_to_stderr(make_distribution: MakeDistribution, capfd: pytest.CaptureFixture[str]) -> None:
    make_distribution("noisy", {"noisy": "noisy_mod"}, {"noisy_mod": NOISE})
    assert main(["plugins", "--json"]) == 0
    sys.stdout.flush()
    output = capfd.readouterr()
    assert "noisy" in {report["name"] for report in json.loads(output.out)}
    assert all(words in output.err for words in ("to be read", "more", "from below", "from a child", "from a hook"))


@dataclass(frozen=True)
class Result:
    """A value for hooks with a mutable part."""

    scores: dict[str, list[float]] = field(default_factory=lambda: {"H": [1.0]})


def test_a_hook_gets_what_it_cannot_change(make_distribution: MakeDistribution) -> None:
    hook = "from depthub import hookimpl\nheard = []\n@hookimpl\ndef depthub_run_finished(result):\n    "
    change = hook + "result.scores['H'][0] = 99.9; result.scores.clear(); object.__setattr__(result, 'scores', None)"
    listen = hook + "heard.append(dict(result.scores))"
    make_distribution("ears", {"a": "ear_changes", "b": "ear_listens"}, {"ear_changes": change, "ear_listens": listen})
    result = Result()
    Plugins({}).notify("depthub_run_finished", result=result)
    assert result.scores == {"H": [1.0]}
    assert sys.modules["ear_listens"].heard == [{"H": [1.0]}]


@pytest.mark.parametrize("error", ["GeneratorExit", "SystemExit(3)", "RecursionError", "BaseException('x\\ny')"])
def test_an_event_that_raises_anything_costs_a_warning(error: str, make_distribution: MakeDistribution) -> None:
    hook = f"from depthub import hookimpl\n@hookimpl\ndef depthub_run_started(spec):\n    raise {error}"
    module = f"raises_{abs(hash(error))}"
    make_distribution("ears", {"a": module}, {module: hook})
    plugins = Plugins({})
    with pytest.warns(RuntimeWarning, match=rf"plugin 'a' of ears 1\.0 failed in depthub_run_started: .* \({module}\.py, line 5\)$"):
        plugins.notify("depthub_run_started", spec="any")


def test_in_another_thread_signals_are_left_alone() -> None:
    from concurrent.futures import ThreadPoolExecutor

    def enter() -> None:
        with isolated(quiet=False):
            pass

    with ThreadPoolExecutor(1) as threads:
        done: Callable[[], None] = threads.submit(enter).result
        done()
