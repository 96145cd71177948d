"""What all tests share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# a busy machine is ten times slower; no test is about how long it takes
settings.register_profile("depthub", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("depthub")

MakeDistribution = Callable[..., Path]


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or fills the user's cache, nor does a process that a test starts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEPTHUB_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.delenv("DEPTHUB_CACHE_LIMIT", raising=False)
        yield


@pytest.fixture
def make_distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeDistribution:
    """Installs a distribution the way pip leaves it: modules and a dist-info folder in a folder on the path, which it returns."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(site)

    def make(name: str, entry_points: Mapping[str, str], modules: Mapping[str, str], version: str = "1.0", direct_url: str = "") -> Path:
        info = site / f"{name}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text("[depthub]\n" + "".join(f"{k} = {v}\n" for k, v in entry_points.items()))
        if direct_url:
            (info / "direct_url.json").write_text(direct_url)
        for module, source in modules.items():
            (site / f"{module}.py").write_text("from __future__ import annotations\n" + source)
        return site

    return make
