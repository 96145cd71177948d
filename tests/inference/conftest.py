"""Finished runs that the tests of this folder share, and the commands on them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from depthub.cli import main
from tests.finished import Finished, finish


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return finish(tmp_path_factory.mktemp("finished"))


@pytest.fixture
def call(finished: Finished, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Calls a command with the options that lead to the runs and the backbone; gives exit status, output and error output."""

    def run(command: str, *args: object, where: bool = True) -> tuple[int, str, str]:
        places = ["--backbone.model", finished.backbone.model, "--backbone.pretrained", finished.backbone.pretrained]
        options = ["--runs", finished.runs, *places] if where else []
        status = main([*command.split(), *map(str, args), *map(str, options)])
        out, err = capsys.readouterr()
        messages = ("depthub: error:", "depthub: warning:", "depthub: not exported:", "depthub: no such run")  # the rest is progress
        return status, out, "".join(line for line in err.splitlines(keepends=True) if line.startswith(messages))

    return run
