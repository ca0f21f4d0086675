"""How every command ends where nobody reads what it prints, or where a full disk should take it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest

from bridge.errors import EXIT_GAPS, EXIT_INTERRUPTED, SettingsError
from bridge.model import State
from bridge.runs.store import Runs
from tools.tenant import Tenant, serve

FULL = Path("/dev/full")
UNWRITTEN = "BridgeError: Standard output cannot be written: No space left on device.\nNext: Make room there"

full_disk = pytest.mark.skipif(not FULL.exists(), reason="no device that is always full")
both_ways = pytest.mark.parametrize("buffered", [True, False], ids=["buffered", "unbuffered"])
nowhere = pytest.mark.parametrize("end", ["unread", pytest.param("full", marks=full_disk)])


@contextmanager
def open_end(end: str) -> Iterator[int]:
    """Yield a file descriptor to write to: of a pipe that nobody reads, or of a full disk."""
    if end == "full":
        written = os.open(FULL, os.O_WRONLY)
    else:
        read, written = os.pipe()
        os.close(read)
    try:
        yield written
    finally:
        os.close(written)


def bridge(
    *words: str, out: int | IO[str] = subprocess.PIPE, err: int | IO[str] = subprocess.PIPE, **settings: Any
) -> subprocess.CompletedProcess[str]:
    """Run a command line as a child process, and return its exit code and what can be read of it."""
    argv = [sys.executable, "-m", "bridge", *words]
    return subprocess.run(
        argv, stdout=out, stderr=err, text=True, check=False, env=environment(**settings), timeout=60
    )


def environment(*, buffered: bool, **more: str) -> dict[str, str]:
    """Return the environment of a child whose streams are buffered as by default, or not at all."""
    return {**os.environ, "PYTHONUNBUFFERED": "" if buffered else "1", **more}


@contextmanager
def tenant(home: Path, *oddities: str) -> Iterator[tuple[str, str]]:
    """Yield a settings file whose connection A reads a simulated tenant, and the token that it takes."""
    with serve(Tenant(users=3, seed=1, oddities=frozenset(oddities))) as service:
        config = home / "bridge.toml"
        config.write_text(
            f"[bridge]\nstate = '{home / 'state'}'\n[connections.A]\nreader = 'bridge:Microsoft 365'\n"
            f"tenant = 'contoso.example'\nengine = 'native'\noptional = {list(oddities)}\n"
            f"[connections.A.parameters]\n"
            f"GraphRoot = '{service.root}'\nAccessToken = {{ secret = 'env:TOKEN' }}\n"
        )
        yield str(config), service.token


def cut_off(home: Path) -> str:
    """Write a file of reader XML output that ends too early, and return its name."""
    file = home / "cut.xml"
    file.write_text('<Objs><Obj RefId="0"><MS><S N="A">x</S></MS></Obj>')
    return str(file)


# --- nobody reads it ---


@nowhere
def test_a_run_goes_on_when_nobody_listens(tmp_path: Path, end: str) -> None:
    """The work is done all the same, and its result stands alone on standard output."""
    with tenant(tmp_path) as (config, token), open_end(end) as err:
        words = ("run", "A", "--verbose", "--json", "--config", config)
        done = bridge(*words, err=err, buffered=True, TOKEN=token)
    assert (done.returncode, json.loads(done.stdout)["state"]) == (0, "complete")


@both_ways
def test_a_run_that_nobody_reads_is_done(tmp_path: Path, buffered: bool) -> None:
    """`beacon-bridge run ... 2>&1 | true` does the work, and the record says so."""
    with tenant(tmp_path) as (config, token), open_end("unread") as end:
        words = ("run", "A", "--verbose", "--config", config)
        done = bridge(*words, out=end, err=end, buffered=buffered, TOKEN=token)
    assert done.returncode == 0
    assert Runs(tmp_path / "state").load("last:A").state is State.COMPLETE


def test_gaps_under_strict_that_nobody_reads(tmp_path: Path) -> None:
    """Gaps have their exit code, whoever reads about them."""
    with tenant(tmp_path, "concealed") as (config, token), open_end("unread") as out:
        words = ("run", "A", "--strict", "--config", config)
        done = bridge(*words, out=out, buffered=True, TOKEN=token)
    assert done.returncode == EXIT_GAPS


def test_a_check_that_nobody_reads(tmp_path: Path) -> None:
    """What a check found is its exit code: here there is no beacon."""
    with open_end("unread") as out:
        done = bridge("check", "--root", str(tmp_path / "none"), out=out, buffered=True)
    assert done.returncode == 4


@both_ways
@nowhere
def test_an_error_whose_json_is_not_written(tmp_path: Path, end: str, buffered: bool) -> None:
    """An error keeps its exit code, and is told on standard error."""
    with open_end(end) as out:
        done = bridge("verify", str(tmp_path / "none.zip"), "--json", out=out, buffered=buffered)
    assert (done.returncode, done.stderr.partition(":")[0]) == (8, "PackageError")


@both_ways
@nowhere
def test_an_error_that_is_not_told(tmp_path: Path, end: str, buffered: bool) -> None:
    """Without standard error an error keeps its exit code, and its one JSON value."""
    with open_end(end) as err:
        done = bridge("verify", str(tmp_path / "none.zip"), "--json", err=err, buffered=buffered)
    assert (done.returncode, json.loads(done.stdout)["error"]["exit_code"]) == (8, 8)


@both_ways
@nowhere
def test_rows_that_are_wrong_are_wrong_unread(tmp_path: Path, end: str, buffered: bool) -> None:
    """That a file is cut short is known before its rows are written: it exits with 7, read or not."""
    with open_end(end) as out:
        done = bridge("rows", cut_off(tmp_path), out=out, buffered=buffered)
    assert (done.returncode, done.stderr.partition(":")[0]) == (7, "ReaderOutputError")


@both_ways
@pytest.mark.parametrize("words", [("--help",), ("--version",), ("check", "--help"), ("secret", "--help")])
def test_help_that_nobody_reads(words: tuple[str, ...], buffered: bool) -> None:
    """`beacon-bridge check --help | true` ends well, and does not check anything."""
    with open_end("unread") as out:
        done = bridge(*words, out=out, buffered=buffered)
    assert (done.returncode, done.stderr) == (0, "")


# --- a full disk behind standard output ---


@full_disk
@both_ways
@pytest.mark.parametrize(
    "words",
    [
        ("settings", "--example"),
        ("settings", "--example", "--json"),
        ("--help",),
        ("--version",),
        ("check", "--help"),
        ("rows", str(Path(__file__).parent / "data" / "powershell-7.6" / "strings.clixml.xml")),
    ],
    ids=" ".join,
)
def test_output_that_cannot_be_written_is_a_failure(words: tuple[str, ...], buffered: bool) -> None:
    """A disk that is full where standard output goes is named, be it at the first line or the last flush."""
    with open_end("full") as out:
        done = bridge(*words, out=out, buffered=buffered)
    assert done.returncode == 1
    assert done.stderr.startswith(UNWRITTEN)
    assert len(done.stderr.splitlines()) == 2


@full_disk
def test_a_run_whose_result_cannot_be_written(tmp_path: Path) -> None:
    """The run is done, and its command says that nobody could be told."""
    with tenant(tmp_path, "concealed") as (config, token), open_end("full") as out:
        done = bridge("run", "A", "--strict", "--config", config, out=out, buffered=True, TOKEN=token)
    assert (done.returncode, UNWRITTEN in done.stderr) == (1, True)
    assert Runs(tmp_path / "state").load("last:A").state is State.COMPLETE_WITH_GAPS


# --- Ctrl-C ---


@pytest.mark.skipif(os.name == "nt", reason="no SIGINT for a single child on Windows")
@nowhere
def test_ctrl_c_when_nobody_listens(tmp_path: Path, end: str) -> None:
    """An interrupted command exits with 130 although it can tell nobody; here it waits for a secret."""
    with tenant(tmp_path) as (config, _), open_end(end) as err:
        Path(config).write_text(Path(config).read_text().replace("env:TOKEN", "stdin:TOKEN"))
        child = subprocess.Popen(
            [sys.executable, "-m", "bridge", "run", "A", "--json", "--config", config],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=err,
            env=environment(buffered=True),
        )
        until = time.monotonic() + 20
        while not (tmp_path / "state" / "logs" / "beacon-bridge.log").exists():
            assert time.monotonic() < until
            time.sleep(0.02)
        time.sleep(0.5)
        child.send_signal(signal.SIGINT)
        out, _ = child.communicate(timeout=20)
    assert (child.returncode, json.loads(out)["error"]["exit_code"]) == (EXIT_INTERRUPTED, EXIT_INTERRUPTED)


@pytest.mark.skipif(os.name == "nt", reason="a shell closes the streams")
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_a_command_without_streams_ends_as_usual(closed: str) -> None:
    """A program without a console has neither standard output nor standard error."""
    words = f"'{sys.executable}' -m bridge show nosuch {closed}"
    done = subprocess.run(["sh", "-c", words], capture_output=True, check=False)
    assert done.returncode == SettingsError.exit_code
