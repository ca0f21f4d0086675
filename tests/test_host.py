"""The host's process and protocol, with real child processes that behave badly in every way."""

from __future__ import annotations

import contextlib
import os
import sys
import textwrap
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from bridge.collect.powershell import job as orders
from bridge.collect.powershell.account import Account
from bridge.collect.powershell.environment import of_child
from bridge.collect.powershell.host import MOST_LOG_LINES, Host
from bridge.collect.powershell.watch import Watch
from bridge.errors import BeaconError, BridgeError, ReaderError
from bridge.model import Job, Minutes, Owner, Secret, Talk
from bridge.readers.folder import load
from tests.folders import make_reader_folder

STEP = "Holder.xml/LoadHolder"
BEGIN = """
    import json, os, subprocess, sys, time
    job = json.loads(sys.stdin.readline())
    number = 0
    def say(event, **facts):
        global number
        line = json.dumps({"event": event, **facts})
        os.write(1, f"\\n{job['mark']} {number} {line}\\n".encode())
        number += 1
    def hello(bits=32):
        say("hello", bits=bits, version="5.1", edition="Desktop", language="FullLanguage", policy="", policies="", culture="")
    def done(rows=0):
        say("done", step="Holder.xml/LoadHolder", rows=rows, gaps=[])
"""  # noqa: E501  # Python, as the child runs it


@dataclass
class Talked:
    """A child that stands in for PowerShell, and what was heard of it."""

    folder: Path
    code: str
    minutes: Minutes = field(default_factory=lambda: Minutes(1, 1, 1))
    patience: float = 0.0  # seconds that who is told takes over each line
    said: list[Talk] = field(default_factory=list)
    only_32: bool = False
    secret: str = "key-canary"  # noqa: S105  # what the child may betray

    def run(self) -> Account:
        """Follow the child to its end."""
        folder = self.folder / "run"
        folder.mkdir()
        reader = load(make_reader_folder(self.folder), Owner.PATH)
        job = Job("run", reader, {"ServiceUrl": "u", "ApiKey": Secret(self.secret)}, folder, self.minutes)
        order = orders.of("collect", job)
        account = Account(job, self._take, {STEP: folder / "capture" / "001.xml"})
        argv = [sys.executable, "-c", textwrap.dedent(BEGIN) + textwrap.dedent(self.code)]
        with Host(argv, of_child(os.environ), folder, order) as host:
            Watch(host, order, account, only_32=self.only_32).follow()
        return account

    def _take(self, talk: Talk) -> None:
        self.said.append(talk)
        time.sleep(self.patience)

    def failure(self, kind: type[BridgeError] = ReaderError) -> str:
        """Return what the error says that the child's behaviour amounts to."""
        with pytest.raises(kind) as caught:
            self.run()
        return str(caught.value)

    @property
    def log(self) -> list[str]:
        """The log lines, without the one by which the host introduces itself."""
        lines = [talk.text for talk in self.said if talk.kind == "log"]
        return [line for line in lines if not line.startswith("host: PowerShell")]


WELL = f'hello(); say("step", step="{STEP}"); done(2); say("end", ok=True)'


def test_a_child_that_behaves_is_followed_to_its_end(tmp_path: Path) -> None:
    """Hello, a step, its rows, the end."""
    account = Talked(tmp_path, WELL).run()
    assert [(one.step, one.rows) for one in account.captures] == [(STEP, 2)]


def test_a_missing_event_fails_the_step(tmp_path: Path) -> None:
    """The running number shows that something was lost on the way."""
    code = f'hello(); say("step", step="{STEP}"); number += 1; done(); say("end", ok=True)'
    assert "an event of the host is missing" in Talked(tmp_path, code).failure()


def test_an_event_torn_by_somebody_elses_output_fails_the_step(tmp_path: Path) -> None:
    """A torn event is kept as log text; that it is missing shows at the next one."""
    code = f"""
    hello(); say("step", step="{STEP}")
    os.write(1, f"{{job['mark']}} {{number}} {{{{torn\\n".encode()); number += 1
    done(); say("end", ok=True)
    """
    talked = Talked(tmp_path, code)
    assert "is missing" in talked.failure()
    assert any("{torn" in line for line in talked.log)


def test_output_without_a_line_end_tears_no_event(tmp_path: Path) -> None:
    """An event begins a line of its own, whatever was left unfinished before it."""
    talked = Talked(tmp_path, "os.write(1, b'no line end'); " + WELL)
    talked.run()
    assert talked.log == ["output: no line end"]


def test_garbage_and_endless_lines_are_log_text(tmp_path: Path) -> None:
    """Bytes that are no text, and a line of three MiB, are kept in part and harm nothing."""
    talked = Talked(tmp_path, "os.write(1, b'\\xff\\x00bytes\\n' + 3 * 2**20 * b'x' + b'\\n'); " + WELL)
    talked.run()
    assert "bytes" in talked.log[0]
    assert "a line of over 1 MiB" in talked.log[1]
    assert len(talked.log[1]) < 3000


def test_an_event_of_over_a_mib_is_lost_and_said_to_be(tmp_path: Path) -> None:
    """Such a line is log text; the step cannot be trusted then."""
    code = f'hello(); say("step", step="{STEP}"); say("log", stream="x", text="y" * 2**20); done()'
    talked = Talked(tmp_path, code + '; say("end", ok=True)')
    assert "is missing" in talked.failure()
    assert any("over 1 MiB" in line for line in talked.log)


def test_a_flood_on_standard_error_is_drained_and_bounded(tmp_path: Path) -> None:
    """100 MB of it neither block the child nor fill our memory."""
    code = "\nfor n in range(1000): os.write(2, 1000 * (b'e' * 99 + b'\\n'))\n" + WELL
    talked = Talked(tmp_path, code)
    before = psutil.Process().memory_info().rss
    talked.run()
    assert psutil.Process().memory_info().rss - before < 30 * 2**20
    assert len([line for line in talked.log if line.startswith("error: eee")]) <= MOST_LOG_LINES


def test_a_million_lines_on_standard_output_are_drained_and_counted(tmp_path: Path) -> None:
    """The first lines are kept, the others are counted."""
    code = "\nfor n in range(1000): os.write(1, b'line\\n' * 1000)\nsys.exit(5)"
    talked = Talked(tmp_path, code)
    assert "code 5" in talked.failure(BeaconError)
    assert talked.log[-1] == f"output: {1_000_000 - MOST_LOG_LINES:,} more lines are not kept"


@pytest.mark.parametrize("code", ["sys.exit(0)", "os._exit(3)", "os.kill(os.getpid(), 9)"])
def test_an_end_in_the_middle_is_named(tmp_path: Path, code: str) -> None:
    """No exit code is success: only the host's own end event is."""
    said = Talked(tmp_path, f'hello(); say("step", step="{STEP}"); {code}').failure()
    assert "PowerShell ended with code" in said
    assert STEP in said


def test_a_host_that_never_begins_is_told_with_its_last_words(tmp_path: Path) -> None:
    """A policy that forbids scripts, for example, speaks on standard error only."""
    said = Talked(tmp_path, "print('scripts are disabled', file=sys.stderr); sys.exit(1)").failure(
        BeaconError
    )
    assert "scripts are disabled" in said


def test_a_restricted_language_mode_is_named(tmp_path: Path) -> None:
    """The host leaves with a code of its own where it may not run."""
    assert "FullLanguage" in Talked(tmp_path, "sys.exit(71)").failure(BeaconError)


def test_anything_but_32_bits_inside_is_refused(tmp_path: Path) -> None:
    """[IntPtr]::Size is the second proof; the error names the right executable."""
    talked = Talked(tmp_path, WELL.replace("hello()", "hello(64)"), only_32=True)
    with pytest.raises(BeaconError, match="says that it has 64 bits") as caught:
        talked.run()
    assert r"SysWOW64\WindowsPowerShell" in caught.value.hint


def test_32_bits_inside_are_accepted(tmp_path: Path) -> None:
    """The proof can also succeed."""
    assert Talked(tmp_path, WELL, only_32=True).run().ended


@pytest.mark.parametrize(
    ("minutes", "found"),
    [
        (Minutes(step=0.02, run=0, silence=0), "the step took more than 0.02 minutes"),
        (Minutes(step=0, run=0.02, silence=0), "the whole run took more than"),
        (Minutes(step=0, run=0, silence=0.02), "no row and no message for"),
    ],
)
def test_deadlines_end_a_reader_that_never_returns(tmp_path: Path, minutes: Minutes, found: str) -> None:
    """Heartbeats with the same count are no sign of life."""
    code = f"""
    hello(); say("step", step="{STEP}")
    while True: say("rows", step="{STEP}", rows=5, said=1); time.sleep(0.1)
    """
    talked = Talked(tmp_path, code, minutes)
    with pytest.raises(ReaderError, match=found) as caught:
        talked.run()
    assert caught.value.retryable


def test_rows_and_messages_are_signs_of_life(tmp_path: Path) -> None:
    """A slow reader that goes on emitting or speaking is not silent."""
    code = f"""
    hello(); say("step", step="{STEP}")
    for n in range(30): say("rows", step="{STEP}", rows=n, said=n // 2); time.sleep(0.1)
    done(30); say("end", ok=True)
    """
    assert Talked(tmp_path, code, Minutes(0, 0, 0.01)).run().ended


@pytest.mark.parametrize("end", ['done(); say("end", ok=True)', "sys.exit(0)", "time.sleep(60)"])
def test_the_whole_process_tree_is_gone_at_any_end(tmp_path: Path, end: str) -> None:
    """A program that the reader left behind does not outlive the run."""
    code = f"""
    hello(); say("step", step="{STEP}")
    left = subprocess.Popen(["sleep", "300"])
    say("log", stream="host", text=str(left.pid))
    {end}
    """
    talked = Talked(tmp_path, code, Minutes(0, 0, 0.03))
    with contextlib.suppress(ReaderError):
        talked.run()
    left = int(talked.log[0].rpartition(" ")[2])
    assert _is_gone(left)


def _is_gone(pid: int) -> bool:
    for _ in range(50):
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.1)
    return False


def test_a_process_that_left_the_tree_does_not_keep_the_run(tmp_path: Path) -> None:
    """A daemon that holds our pipes is not waited for."""
    code = "subprocess.Popen(['setsid', 'sleep', '30'], start_new_session=True); " + WELL
    begun = time.monotonic()
    Talked(tmp_path, code).run()
    assert time.monotonic() - begun < 15


def test_what_is_on_its_way_when_the_process_ends_is_heard(tmp_path: Path) -> None:
    """A machine that is busy may hand over the last lines late; here a process that left the tree does."""
    late = "subprocess.Popen(['setsid', 'sh', '-c', 'sleep 1; echo late'], start_new_session=True); "
    talked = Talked(tmp_path, late + "sys.exit(5)")
    assert "late" in talked.failure(BeaconError)


def test_a_process_that_left_the_tree_and_writes_on_does_not_hide_the_end(tmp_path: Path) -> None:
    """What the reader started may write and write; that PowerShell is gone is told, not a deadline."""
    code = f"""
    hello(); say("step", step="{STEP}")
    writing = 'for n in $(seq 300); do echo on; sleep 0.1; done'
    subprocess.Popen(['setsid', 'sh', '-c', writing], start_new_session=True)
    sys.exit(5)
    """
    begun = time.monotonic()
    said = Talked(tmp_path, code, Minutes(step=0, run=0, silence=0.25)).failure()
    assert "PowerShell ended with code 5" in said
    assert time.monotonic() - begun < 15


def test_what_has_come_is_heard_however_long_that_takes(tmp_path: Path) -> None:
    """A listener who is slow hears the last line, too: the time after the end is the pipes', not his."""
    talked = Talked(tmp_path, "os.write(1, b'line\\n' * 100 + b'last\\n'); sys.exit(5)", patience=0.04)
    assert "code 5" in talked.failure(BeaconError)
    assert talked.log[-1] == "output: last"


@pytest.mark.parametrize("page", ["utf-8", "cp1252", "cp850", "utf-16-le"])
def test_secrets_in_a_code_page_are_redacted(tmp_path: Path, page: str) -> None:
    """A program writes its console's code page, which is not always UTF-8."""
    secret = "Gürtel-geheim-1234"  # noqa: S105  # a canary
    code = f"os.write(2, 'key {secret} end'.encode('{page}') + b'\\n'); time.sleep(0.3); {WELL}"
    talked = Talked(tmp_path, code, secret=secret)
    talked.run()
    assert "geheim" not in "".join(talked.log).replace("\x00", "")
    assert "***" in "".join(talked.log)


def test_secrets_on_standard_error_are_redacted(tmp_path: Path) -> None:
    """What bypasses the host is redacted on our side."""
    talked = Talked(tmp_path, "print('the key is key-canary', file=sys.stderr, flush=True); " + WELL)
    talked.run()
    assert "key-canary" not in "".join(talked.log)


def test_an_executable_that_cannot_be_started_is_named(tmp_path: Path) -> None:
    """No traceback, but which program and why."""
    order = orders.probe()
    with pytest.raises(BeaconError, match="no-such-program cannot be started"):
        Host([str(tmp_path / "no-such-program")], {}, tmp_path, order)


# --- the environment ---


def test_the_environment_is_a_list_of_names() -> None:
    """Names count as Windows compares them; PSModulePath never passes."""
    given = {
        "systemroot": "C:\\Windows",
        "PROGRAMFILES(X86)": "C:\\Program Files (x86)",
        "ProgramW6432": "C:\\Program Files",
        "CommonProgramFiles(x86)": "x",
        "PROCESSOR_ARCHITECTURE": "AMD64",
        "USERNAME": "svc",
        "HOMEDRIVE": "C:",
        "https_proxy": "http://proxy:8080",
        "PSModulePath": "C:\\Program Files\\PowerShell\\7\\Modules",
        "AZURE_CLIENT_SECRET": "canary",
        "PYTHONPATH": "x",
    }
    kept = of_child(given)
    assert {name: kept[name] for name in list(given)[:8]} == dict(list(given.items())[:8])
    assert not kept.keys() & {"PSModulePath", "AZURE_CLIENT_SECRET", "PYTHONPATH"}


# --- the order ---


def test_the_order_shows_no_secret_in_its_repr(tmp_path: Path) -> None:
    """An order that is logged by mistake leaks nothing."""
    reader = load(make_reader_folder(tmp_path), Owner.PATH)
    job = Job("run", reader, {"ServiceUrl": "u", "ApiKey": Secret("key-canary")}, tmp_path, Minutes())
    assert "canary" not in repr(orders.of("collect", job)) + repr(job)


def test_marks_differ() -> None:
    """Each order has a mark of its own, of 96 random bits."""
    assert len({orders.probe().mark for _ in range(50)}) == 50
    assert len(orders.probe().mark) == 24
