"""`run --all`: connections side by side, each in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from bridge import many
from bridge.errors import EXIT_INTERRUPTED, EXIT_SEVERAL
from bridge.many import Command, Ended, Many
from bridge.model import Connection, SecretReference, SignIn, State, Web
from bridge.runs.store import Runs
from tools.tenant import Faults, Service, Tenant, serve

NAMES = ("Alfa", "Bravo EU", "Charlie", "Delta", "Echo")


@dataclass
class Site:
    """Five tenants on loopback, and the settings that name one connection for each."""

    home: Path
    services: dict[str, Service]
    stdin: dict[str, str] = field(default_factory=dict)

    @property
    def config(self) -> Path:
        """The settings file."""
        return self.home / "bridge.toml"

    @property
    def runs(self) -> Runs:
        """The run folders."""
        return Runs(self.home / "state")

    def write(self, **deliver_to: str) -> None:
        """Write the settings; ``deliver_to`` gives a connection another destination than Outbox."""
        tables = [
            f"""[connections."{name}"]
reader = "bridge:Microsoft 365"
tenant = "{name.split()[0].lower()}.example"
engine = "native"
deliver_to = '{deliver_to.get(name, "Outbox")}'
parameters = {{ GraphRoot = "{service.root}", AccessToken = {{ secret = "stdin:{name.split()[0]}" }} }}
"""
            for name, service in self.services.items()
        ]
        self.config.write_text("[bridge]\nstate = 'state'\n" + "\n".join(tables), "utf-8")

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start `beacon-bridge run --all` with the tokens on standard input."""
        child = subprocess.Popen(
            [sys.executable, "-m", "bridge", "run", "--all", *words, "--config", str(self.config)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert child.stdin
        child.stdin.write("".join(f"{name}={token}\n" for name, token in self.stdin.items()))
        child.stdin.close()
        child.stdin = None
        return child


def site_of(home: Path, stack: ExitStack, faults: Faults | None = None) -> Site:
    """Return five tenants with their settings."""
    (home / "Outbox").mkdir()
    tenants = enumerate(NAMES)
    services = {
        name: stack.enter_context(serve(Tenant(20, seed), faults or Faults())) for seed, name in tenants
    }
    site = Site(home, services, {name.split()[0]: one.token for name, one in services.items()})
    site.write()
    return site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Five tenants that answer at once."""
    with ExitStack() as stack:
        yield site_of(tmp_path, stack)


def test_two_of_five_fail_differently(site: Site) -> None:
    """The other three are delivered; each failure keeps its name and code, and the whole has code 12."""
    site.stdin["Charlie"] = "a-token-of-yesterday"
    site.write(Echo="nowhere")
    child = site.start("--json", "--jobs", "3")
    out, err = child.communicate(timeout=60)
    assert child.returncode == EXIT_SEVERAL
    ended: list[dict[str, Any]] = json.loads(out)
    assert [(one["connection"], one["exit_code"]) for one in ended] == [
        ("Alfa", 0),
        ("Bravo EU", 0),
        ("Charlie", 5),
        ("Delta", 0),
        ("Echo", 9),
    ]
    assert [(one["error"] or {}).get("name") for one in ended] == [
        None,
        None,
        "SignInError",
        None,
        "DeliveryError",
    ]
    assert [one["run"]["package_state"] for one in ended] == [
        "delivered",
        "delivered",
        "-",
        "delivered",
        "ready",
    ]
    assert len(list((site.home / "Outbox").glob("*.zip"))) == 3
    for name in NAMES:
        assert f"{name}: collect: Microsoft 365" in err
    assert "a-token-of-yesterday" not in out + err


def test_the_summary_is_a_table(site: Site) -> None:
    """A line a connection with its run, state, rows, package and exit code; a common code is the whole's."""
    site.stdin["Delta"] = site.stdin["Echo"] = "a-token-of-yesterday"
    child = site.start()
    out, err = child.communicate(timeout=60)
    assert child.returncode == 5, out + err
    head, *lines = out.splitlines()
    assert head.split() == ["Connection", "Run", "State", "Rows", "Package", "Exit", "Why"]
    assert [line.startswith(name) for line, name in zip(lines, NAMES, strict=True)] == [True] * 5
    assert ["delivered" in line for line in lines] == [True, True, True, False, False]
    assert "failed" in lines[3]


def test_each_connection_has_its_process_run_and_lock(site: Site) -> None:
    """Five processes and five run folders; a second run of one of them is not in the way of the others."""
    with site.runs.lock("Bravo EU", "test"):
        child = site.start("--json", "--jobs", "5")
        out, _ = child.communicate(timeout=60)
    assert child.returncode == 10
    assert [one["exit_code"] for one in json.loads(out)] == [0, 10, 0, 0, 0]
    made = site.runs.all()
    assert len({run.program.pid for run in made}) == len(made) == 4
    assert child.pid not in {run.program.pid for run in made}


def wait_for(there: Callable[[], bool]) -> None:
    """Wait until something is so, at most forty seconds."""
    end = time.monotonic() + 40
    while not there():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.skipif(os.name == "nt", reason="no SIGINT for a single child on Windows")
def test_an_interrupt_ends_all_children(tmp_path: Path) -> None:
    """Ctrl-C exits with 130; every process that was started is gone, and its run is interrupted."""
    with ExitStack() as stack:
        site = site_of(tmp_path, stack, Faults(page_wait=60))
        child = site.start("--json", "--jobs", "2")
        wait_for(lambda: len(site.runs.all()) == 2)
        processes = psutil.Process(child.pid).children(recursive=True)
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=30)
    assert (child.returncode, err.splitlines()[-1]) == (EXIT_INTERRUPTED, "Interrupted.")
    assert json.loads(out)["error"]["exit_code"] == EXIT_INTERRUPTED
    assert len(processes) >= 2
    assert not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in processes)
    made = site.runs.all()
    assert [run.state for run in made] == [State.INTERRUPTED] * 2
    assert "interrupted" in (site.runs.path(made[0].run) / "log.txt").read_text("utf-8")


# --- the parts ---


def some_runs(home: Path, program: str) -> tuple[Many, list[tuple[str, str]]]:
    """Return connections whose process is this Python program, and what they are heard to say."""
    heard: list[tuple[str, str]] = []
    command = Command((sys.executable, "-c", program), (), os.environ, home)
    return Many(command, Runs(home / "state"), lambda name, line: heard.append((name, line))), heard


def test_a_process_that_dies_without_a_word_is_a_failure(tmp_path: Path) -> None:
    """It is no success and no silence: code 1, with the way to find out more."""
    program = "import os, sys; print('going', file=sys.stderr, flush=True); os._exit(77)"
    running, heard = some_runs(tmp_path, program)
    (ended,) = running.run({"Alfa": ""}, 1)
    assert ended.exit_code == 1
    assert "ended with 77" in ended.why
    assert heard == [("Alfa", "going")]


def test_words_that_cannot_be_shown_are_still_taken(tmp_path: Path) -> None:
    """A child that says much ends by itself, although nothing of it can be written."""

    def refuse(_: str, __: str) -> None:
        raise OSError(28, "No space left on device")

    program = (
        "import sys; sys.stderr.write('x' * 99 + chr(10)); sys.stderr.write(('y' * 99 + chr(10)) * 9999)"
    )
    command = Command((sys.executable, "-c", program), (), os.environ, tmp_path)
    (ended,) = Many(command, Runs(tmp_path / "state"), refuse).run({"Alfa": ""}, 1)
    assert ended.exit_code == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_for_the_talk_does_not_stop_a_command() -> None:
    """Whoever tells something goes on, although standard error takes nothing."""
    program = """from bridge.desk import Desk
Desk(None, None, json=False, verbose=False).tell("a line")
print("went on", flush=True)"""
    with Path("/dev/full").open("w") as full:
        words = [sys.executable, "-c", program]
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=full, text=True, check=False)
    assert done.stdout == "went on\n"


def test_a_child_is_given_its_own_secrets_only(tmp_path: Path) -> None:
    """What goes to a connection's standard input are the secrets that it names; the rest stays out."""
    program = "import json, sys; print(json.dumps({'run': sys.stdin.read()}))"
    connections = [
        Connection("Alfa", "r", "a.example", parameters={"Key": SecretReference("stdin", "A")}),
        Connection("Bravo", "r", "b.example", parameters={"Key": SecretReference("env", "A")}),
    ]
    given = many.inputs(connections, Web(), lambda: "A=one=1\nB=two\n A =three\n")
    assert given == {"Alfa": "A=one=1\n A =three\n", "Bravo": ""}
    running, _ = some_runs(tmp_path, program)
    assert [one.exit_code for one in running.run(given, 2)] == [0, 0]


def test_standard_input_is_left_alone_where_nobody_needs_it() -> None:
    """A terminal is not waited for when no connection names a secret on standard input."""

    def refuse() -> str:
        raise AssertionError("nobody asked")

    assert many.inputs([Connection("Alfa", "r", "a.example")], Web(), refuse) == {"Alfa": ""}


def test_every_place_of_a_stdin_secret_is_known() -> None:
    """Parameters, the sign-in's credentials and the proxy's password."""
    reference = {name: SecretReference("stdin", name) for name in ("secret", "passphrase", "certificate")}
    sign_in = SignIn("certificate", "id", refresh_token=SecretReference("stdin", "refresh"), **reference)
    connection = Connection(
        "Alfa", "r", "a.example", parameters={"K": SecretReference("stdin", "key")}, sign_in=sign_in
    )
    web = Web(proxy_password=SecretReference("stdin", "proxy"))
    assert many.stdin_names(connection, web) == {*reference, "refresh", "key", "proxy"}


@pytest.mark.parametrize(
    ("codes", "expected"), [((), 0), ((0, 0), 0), ((0, 9), 9), ((9, 9), 9), ((9, 5), EXIT_SEVERAL)]
)
def test_the_exit_code_of_many(codes: tuple[int, ...], expected: int) -> None:
    """0, the code that all failures share, or 12 where they differ."""
    assert many.exit_code([Ended("x", code) for code in codes]) == expected


def test_a_child_whose_input_nobody_reads(tmp_path: Path) -> None:
    """A process that ends before it takes its secrets is told by its own end, not by a broken pipe."""
    running, _ = some_runs(tmp_path, "import os; os.close(0); print('{\"run\": 1}', flush=True); os._exit(0)")
    (ended,) = running.run({"Alfa": "x=" + "y" * 1_000_000}, 1)
    assert ended.exit_code == 0
