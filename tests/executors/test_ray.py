"""The executor Ray on a real cluster of two nodes on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from depthub.records.store import FILE, Store
from tests.processes import started
from tests.suites.commands import board, carried_out, command, write_suite

NODE = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": 100 * 2**20}


@pytest.fixture
def cluster() -> Iterator[Any]:
    cluster_utils = pytest.importorskip("ray.cluster_utils", reason='Ray is not installed: pip install "depthub[ray]"')
    cluster = cluster_utils.Cluster(initialize_head=True, head_node_args=NODE)
    yield cluster
    cluster.shutdown()


@pytest.mark.filterwarnings("ignore:::ray", "ignore::ResourceWarning")  # Ray leaves files open
def test_packs_of_a_lost_node_go_on_elsewhere_and_give_the_board_of_local_processes(cluster: Any, tmp_path: Path) -> None:
    second = cluster.add_node(**{name: value for name, value in NODE.items() if name != "include_dashboard"})
    places = [tmp_path / name for name in ("cluster", "local")]
    for place in places:
        place.mkdir()
        write_suite(place)
    words = ["--executor", "Ray", "--executor.address", cluster.address, "--stack", "2"]
    with started(*command(places[0], *words), cwd=places[0]) as child:
        child.wait_until(lambda: len(list(places[0].glob(f"runs/*/{FILE}"))) > 2, "three runs")
        cluster.remove_node(second, allow_graceful=False)
        assert child.status() == 0, child.err
    assert carried_out(places[1]).returncode == 0
    assert board(places[0]) == board(places[1])
    assert len(list(Store(places[0] / "runs").results())) == 18
    assert list(places[0].glob("runs/*/earlier-*")) == []
