"""How signals end a command, whichever it is."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from depthub.cli import ending, main
from tests.conftest import MakeDistribution
from tests.processes import LIMIT, started

COMMAND = (sys.executable, "-m", "depthub")
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# A plugin that is loaded for ever, with a clean-up that may be endless too; it keeps a diary, as what it prints is not a command's output.
ENDLESS = """
import time
from pathlib import Path
def says(what):
    with Path(__file__).with_name("diary").open("a") as file: file.write(what + "\\n")
try:
    says("at work")
    while True: time.sleep(0.1)
finally:
    says("cleaning up")
    while {endless}: time.sleep(0.1)
    says("cleaned up")
"""


def _says(site: Path, what: str) -> bool:
    """Whether the plugin in this folder has come so far."""
    diary = site / "diary"
    return diary.exists() and f"{what}\n" in diary.read_text()


@pytest.fixture
def site(make_distribution: MakeDistribution) -> Path:
    """A folder with a plugin that takes for ever to load."""
    return make_distribution("slow-dist", {"slow": "slow_to_load"}, {"slow_to_load": ENDLESS.format(endless=False)})


@pytest.mark.parametrize("line", ["plugins", "run", "check coop", "run --print_config"])
def test_sigterm_ends_any_command_with_one_line(line: str, site: Path) -> None:
    with started(*COMMAND, *line.split(), environ={"PYTHONPATH": str(site)}) as child:
        child.wait_until(lambda: _says(site, "at work"), "a plugin being loaded")
        child.send(signal.SIGTERM)
        assert child.status() == 143
        assert child.err.splitlines()[-1] == "depthub: terminated; the same command may be given again"
        assert "Traceback" not in child.err
        assert _says(site, "cleaned up")


@pytest.mark.parametrize("again", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("first", SIGNALS)
def test_a_second_signal_does_not_wait_for_the_clean_up(
    first: signal.Signals, again: signal.Signals, make_distribution: MakeDistribution
) -> None:
    site = make_distribution("slow-dist", {"slow": "slow_to_load"}, {"slow_to_load": ENDLESS.format(endless=True)})
    with started(*COMMAND, "plugins", environ={"PYTHONPATH": str(site)}) as child:
        child.wait_until(lambda: _says(site, "at work"), "a plugin being loaded")
        child.send(first)
        child.wait_until(lambda: _says(site, "cleaning up"), "the clean-up")
        child.send(again)
        assert child.status() == 128 + again
        assert not any(words in child.err for words in ending.WORDS.values())


@pytest.fixture
def _as_from_a_terminal() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    for number in SIGNALS:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def _cleaned_up_under(first: signal.Signals, *more: signal.Signals) -> None:
    with ending.ended_by_signals():
        try:
            signal.raise_signal(first)
        finally:
            for number in more:
                signal.raise_signal(number)


@pytest.mark.usefixtures("_as_from_a_terminal")
@pytest.mark.parametrize("again", SIGNALS)
def test_a_signal_that_comes_twice_at_once_leaves_time_to_clean_up(again: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ending, "GRACE", LIMIT)
    with pytest.raises(ending.Ended) as end:
        _cleaned_up_under(signal.SIGTERM, again, again)
    assert end.value.number == signal.SIGTERM
    assert ending.report(end.value) == 143


def test_a_closed_terminal_may_say_so_twice(make_distribution: MakeDistribution) -> None:
    site = make_distribution("slow-dist", {"slow": "slow_to_load"}, {"slow_to_load": ENDLESS.format(endless=True)})
    with started(*COMMAND, "plugins", environ={"PYTHONPATH": str(site)}) as child:
        child.wait_until(lambda: _says(site, "at work"), "a plugin being loaded")
        child.send(signal.SIGHUP)
        child.wait_until(lambda: _says(site, "cleaning up"), "the clean-up")
        for number in (signal.SIGHUP, signal.SIGTERM):
            child.send(number)
        assert child.status() == 143


def test_the_status_tells_of_the_signal_also_where_nothing_can_be_written(site: Path) -> None:
    with started("bash", "-c", f"exec {' '.join(COMMAND)} plugins 2> /dev/full", environ={"PYTHONPATH": str(site)}) as child:
        child.wait_until(lambda: _says(site, "at work"), "a plugin being loaded")
        child.send(signal.SIGTERM)
        assert child.status() == 143


def test_a_command_leaves_signals_as_it_found_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def own(number: int, frame: object) -> None: ...

    before = {number: signal.getsignal(number) for number in SIGNALS}
    for handler in (*before.values(), own, signal.SIG_IGN):
        try:
            signal.signal(signal.SIGTERM, handler)
            assert main(["--version"]) == 0
            assert main(["no-such-command"]) == 2
            assert signal.getsignal(signal.SIGTERM) == handler
        finally:
            signal.signal(signal.SIGTERM, before[signal.SIGTERM])
    assert {number: signal.getsignal(number) for number in SIGNALS} == before


def test_a_command_runs_in_any_thread(capsys: pytest.CaptureFixture[str]) -> None:
    ends: list[int] = []
    thread = threading.Thread(target=lambda: ends.append(main(["--version"])))
    thread.start()
    thread.join()
    assert ends == [0]


def test_a_message_of_an_error_cannot_steer_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--config", str(tmp_path / "\x1b[2J\u202ename\r\nsecond")]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("depthub: error: --config: cannot read ")
    assert r"\x1b[2J\u202ename second" in line


@pytest.mark.parametrize(("code", "status", "says"), [(None, 0, ""), (3, 3, ""), ("no\x1blicence", 1, "depthub: error: no\\x1blicence\n")])
def test_what_is_said_on_leaving_is_not_lost(
    code: int | str | None, status: int, says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("depthub.cli._dispatch", lambda args: sys.exit(code))
    assert main([]) == status
    assert capsys.readouterr().err == says
