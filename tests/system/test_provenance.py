"""Provenance of a run: versions, sources and costs, without places."""

from __future__ import annotations

import copy
import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from depthub.records.store import Store, read
from depthub.registry.plugins import PluginReport
from depthub.system import provenance
from tests.records.documents import (
    RESULT,
)


def test_provenance_fits_the_schema_and_names_no_place(tmp_path: Path) -> None:
    watch = provenance.Stopwatch(train_s=10)
    with watch.measure("train_s"):
        pass
    plugins = (PluginReport("coop", "depthub", "0.1.0"), PluginReport("dept", "no-such-distribution", "1"))
    fields = provenance.collect([("methods", "CoOp", plugins[0]), ("heads", "DePT", plugins[1])], world_size=2)
    cost = watch.cost(3, 7)
    path = Store(tmp_path).save(replace(RESULT, provenance=fields, cost=cost))
    assert read(path).provenance == fields
    assert fields["packages"].keys() >= {"torch", "numpy", "open_clip_torch"}
    assert fields["execution"]["world_size"] == 2
    assert cost["train_s"] >= 10
    assert cost["peak_rss_bytes"] > 1e7
    text = json.dumps([fields, cost])
    for secret in (os.uname().nodename, str(Path.home()), str(Path(__file__).parents[2])):
        assert secret not in text


def test_sources_of_distributions(make_distribution: Callable[..., Path], tmp_path: Path) -> None:
    commit = "a" * 40
    url = {"url": "https://user:secret@example.org/x.git", "vcs_info": {"vcs": "git", "commit_id": commit}}
    make_distribution("from_git", {}, {}, direct_url=json.dumps(url))
    assert provenance.source("from_git") == {"commit": commit, "dirty": False}
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    make_distribution("from_folder", {}, {}, direct_url=json.dumps({"url": checkout.as_uri(), "dir_info": {"editable": True}}))
    assert provenance.source("from_folder") == {"commit": None, "dirty": None}
    git = ["git", "-C", str(checkout), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    (checkout / "file").write_text("1")
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run([*git, *arguments], check=True)
    provenance.source.cache_clear()
    assert provenance.source("from_folder")["dirty"] is False
    (checkout / "file").write_text("2")
    provenance.source.cache_clear()
    source = copy.copy(provenance.source("from_folder"))
    provenance.source.cache_clear()
    assert source["dirty"] is True
    assert isinstance(source["commit"], str)
