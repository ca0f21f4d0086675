"""The command line: what goes to which stream, what scripts can rely on, and how each end is told."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

from bridge import cli, pipeline
from bridge.errors import EXIT_INTERRUPTED, EXIT_SEVERAL, EXIT_USAGE
from bridge.model import State
from bridge.runs.record import Run
from bridge.runs.store import READY
from bridge.workplace import Workplace
from tests.engines import RowsEngine, contoso, silent, workplace
from tests.folders import make_beacon, make_reader_folder, reader_parent

COMMANDS = [
    "check",
    "collect",
    "connection",
    "convert",
    "deliver",
    "diff",
    "list",
    "permissions",
    "position",
    "rows",
    "run",
    "schedule",
    "secret",
    "settings",
    "show",
    "signin",
    "status",
    "verify",
]


@dataclass
class Said:
    """What one command line gave back."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, object]:
        """Standard output as one JSON object."""
        value = json.loads(self.out)
        assert isinstance(value, dict)
        return value


Command = Callable[..., Said]


@dataclass
class Site:
    """A settings file, the workplace it describes, and the command line that uses both."""

    home: Path
    place: Workplace
    run: Command


@pytest.fixture
def site(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Site:
    """A connection Contoso that reads a folder of ours and delivers to Outbox."""
    (tmp_path / "Outbox").mkdir()
    place = workplace(tmp_path, deliver_to=tmp_path / "Outbox")
    config = tmp_path / "bridge.toml"
    write(config, tmp_path)

    def command(*words: str) -> Said:
        code = cli.main([*words, "--config", str(config)])
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    return Site(tmp_path, place, command)


def write(config: Path, home: Path, more: str = "") -> None:
    """Write the settings that `workplace` would make."""
    reader = home / "readers" / "Badge Service"
    config.write_text(
        f"""[bridge]
state = 'state'
[connections.Contoso]
reader = '{reader}'
tenant = "contoso.example"
deliver_to = 'Outbox'
parameters = {{ ServiceUrl = "https://badges.example", ApiKey = {{ secret = "env:BADGE_KEY" }} }}
{more}""",
        "utf-8",
    )


def made(site: Site, engine: RowsEngine | None = None) -> Run:
    """Make a package that waits, with an engine of the test."""
    place = workplace(site.home, engine) if engine else site.place
    return pipeline.convert(place, pipeline.collect(place, contoso(place), silent), silent)


# --- help ---


def commands() -> dict[str, click.Command]:
    """Return every command by name."""
    return dict(cli.group.commands)


def test_the_commands_are_these() -> None:
    """A command that is added or lost changes the manual too."""
    assert sorted(commands()) == COMMANDS


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_help_and_examples(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """--help says what a command is for, explains each option, and shows examples that can be typed."""
    assert cli.main([name, "--help"]) == 0
    told = capsys.readouterr().out
    assert f"\nExamples:\n  beacon-bridge {name}" in told.replace("  Examples:\n    ", "Examples:\n  ")
    command = commands()[name]
    assert command.help
    options = [one for one in command.params if isinstance(one, click.Option)]
    assert all(one.help for one in options)


LAZY = {"lxml", "msal", "platformdirs", "psutil", "pydantic", "pypsrp", "requests", "rich", "tenacity"}


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["run", "--help"]])
def test_help_imports_no_library_but_click(words: list[str]) -> None:
    """Help is there at once: what only the commands need is not loaded."""
    code = (
        f"import sys; from bridge import cli; code = cli.main({words!r})\n"
        f"loaded = {LAZY!r} & set(sys.modules)\n"
        "sys.exit(f'loaded: {loaded}' if loaded else code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_module_is_the_command() -> None:
    """`python -m bridge` is beacon-bridge."""
    done = subprocess.run(
        [sys.executable, "-m", "bridge", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("beacon-bridge, version ")


# --- results and talk ---


def test_results_and_talk_do_not_share_a_stream(site: Site) -> None:
    """What a script wants is on standard output; progress and remarks are on standard error."""
    made(site)
    said = site.run("deliver", "last:Contoso")
    assert said.code == 0
    assert "package delivered: " in said.out
    assert said.err.startswith("deliver: ")
    assert said.err.endswith("no Flexera uploader is known to accept it.\n")


def test_a_run_as_json(site: Site) -> None:
    """show RUN --json is run.json with the package's place and the next command."""
    run = made(site)
    value = site.run("show", run.run, "--json").json
    assert (value["run"], value["package_state"], value["next"]) == (
        run.run,
        READY,
        f"beacon-bridge deliver {run.run}",
    )
    assert str(value["package_path"]).endswith(f"{run.run}.zip")


def test_runs_are_listed(site: Site) -> None:
    """show lists the runs, oldest first; an unreadable record is named on standard error."""
    first, second = made(site), made(site)
    (site.place.runs.path(first.run) / "run.json").write_bytes(b"{")
    said = site.run("show")
    assert second.run in said.out
    assert first.run not in said.out
    assert f"{first.run}" in said.err
    assert [one["run"] for one in json.loads(site.run("show", "--json").out)] == [second.run]


def test_verify_tells_what_a_package_is(site: Site) -> None:
    """verify RUN and verify PACKAGE report the same package."""
    run = made(site)
    by_run = site.run("verify", run.run, "--json").json
    path = str(by_run["path"])
    assert by_run == site.run("verify", path, "--json").json
    assert by_run["verified"] is True
    assert run.package
    assert by_run["identity"] == run.package.identity
    assert f"verified: {path}" in site.run("verify", path).out


def test_collect_and_convert_again(site: Site) -> None:
    """convert RUN makes the same package again and says where it lies."""
    run = made(site)
    said = site.run("convert", "last:Contoso")
    assert (said.code, f"package ready: {site.place.runs.package(run)}" in said.out) == (0, True)


def test_root_wins_over_everything(site: Site, tmp_path: Path) -> None:
    """--root names the beacon, whatever the settings or the registry say."""
    root = make_beacon(tmp_path)
    make_reader_folder(reader_parent(root), "Badge Service")
    listed = json.loads(site.run("list", "--root", str(root), "--json").out)
    assert "Badge Service" in [one["name"] for one in listed]
    assert "Badge Service" not in [one["name"] for one in json.loads(site.run("list", "--json").out)]


# --- by hand ---


def test_a_package_by_hand(site: Site) -> None:
    """convert --reader FOLDER STEP=FILE makes a package whose origin is by-hand, which deliver asks about."""
    capture = site.place.runs.path(made(site).run) / "capture" / "001.xml"
    folder = os.path.relpath(site.home / "readers" / "Badge Service")
    words = ("convert", "--reader", folder, f"Holder.xml/LoadHolder={capture}", "--connection", "Contoso")
    value = site.run(*words, "--json").json
    assert (value["origin"], value["state"], value["package_state"]) == ("by-hand", "complete", "ready")
    package = site.run("verify", str(value["run"]), "--json").json
    assert (package["origin"], package["engine"], package["bits"]) == ("by-hand", "unknown", "unknown")
    refused = site.run("deliver", str(value["run"]))
    assert (refused.code, "--accept-by-hand" in refused.err) == (9, True)
    assert site.run("deliver", str(value["run"]), "--accept-by-hand").code == 0


def test_by_hand_without_a_connection(site: Site) -> None:
    """A package that is only to be looked at needs no connection; it cannot be delivered."""
    capture = site.place.runs.path(made(site).run) / "capture" / "001.xml"
    folder = str(site.home / "readers" / "Badge Service")
    value = site.run("convert", "--reader", folder, f"LoadHolder={capture}", "--json").json
    assert (value["connection"], value["tenant"]) == ("by hand", "unknown")
    said = site.run("deliver", str(value["run"]), "--accept-by-hand")
    assert (said.code, "the settings no longer have" in said.err) == (3, True)


CLIXML = """<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">
  <Obj RefId="0"><TN RefId="0"><T>System.Management.Automation.PSCustomObject</T></TN>
    <MS><I32 N="holderid">7</I32><S N="Mail">user7@example.org</S></MS></Obj>
</Objs>"""


def test_a_file_of_export_clixml_by_hand(site: Site) -> None:
    """What support staff saved with Export-Clixml becomes a package, properties matched without case."""
    file = site.home / "holders.xml"
    file.write_text(CLIXML, "utf-8")
    folder = str(site.home / "readers" / "Badge Service")
    value = site.run("convert", "--reader", folder, f"LoadHolder={file}", "--json").json
    package = site.run("verify", str(value["run"]), "--json").json
    assert [table["rows"] for table in package["tables"]] == [1]  # type: ignore[attr-defined]  # JSON


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["LoadHolder={file}", "Holder.xml/LoadHolder={file}"], 3, "has two files"),
        (["LoadHolder={file}", "LoadHolder={file}"], 2, "is given twice"),
        (["Other={file}"], 3, "'Other' names 0 steps"),
        (["LoadHolder=nowhere.xml"], 3, "There is no file nowhere.xml"),
        (["LoadHolder"], 2, "is not STEP=FILE"),
        (["=x"], 2, "is not STEP=FILE"),
    ],
)
def test_files_that_do_not_fit_the_steps(site: Site, words: list[str], code: int, said: str) -> None:
    """Every PowerShell step gets exactly one file that is there; before that no run is made."""
    file = site.home / "holders.xml"
    file.write_text(CLIXML, "utf-8")
    folder = str(site.home / "readers" / "Badge Service")
    found = site.run("convert", "--reader", folder, *(word.format(file=file) for word in words))
    assert (found.code, said in found.err, site.place.runs.all()) == (code, True, ())


def test_every_step_needs_its_file(site: Site) -> None:
    """A package is whole or not at all: a step without its file is named."""
    folder = make_reader_folder(
        site.home, readers={"A.xml": holder("One"), "B.xml": holder("Two")}, name="Two Steps"
    )
    (site.home / "x.xml").write_text(CLIXML, "utf-8")
    said = site.run("convert", "--reader", str(folder), f"One={site.home / 'x.xml'}")
    assert (said.code, "missing: B.xml/Two" in said.err) == (3, True)


def holder(name: str) -> str:
    """Return a reader XML with one step."""
    from tests.folders import readers_xml, source_step

    return readers_xml(source_step(name))


# --- failures ---


@pytest.mark.parametrize(
    ("words", "code", "name"),
    [
        (["show", "last:Nobody"], 3, "SettingsError"),
        (["run", "Contsoo"], 3, "SettingsError"),
        (["list", "Nothing"], 4, "BeaconError"),
        (["verify", "nowhere.zip"], 8, "PackageError"),
        (["deliver"], EXIT_USAGE, "UsageError"),
        (["deliver", "--waiting", "--again"], EXIT_USAGE, "UsageError"),
        (["deliver", "x", "--again"], EXIT_USAGE, "UsageError"),
        (["deliver", "x", "--accept-drop", "--reason", " "], EXIT_USAGE, "UsageError"),
        (["deliver", "x", "--accept-drop", "--again", "--reason", "y"], EXIT_USAGE, "UsageError"),
        (["deliver", "--waiting", "--accept-drop", "--reason", "y"], EXIT_USAGE, "UsageError"),
        (["convert", "a=b"], 3, "SettingsError"),
        (["convert", "a=b", "c=d"], EXIT_USAGE, "UsageError"),
        (["nonsense"], EXIT_USAGE, "UsageError"),
        (["run"], EXIT_USAGE, "UsageError"),
    ],
)
def test_an_error_has_its_exit_code_and_its_json(site: Site, words: list[str], code: int, name: str) -> None:
    """A failure prints its sentence and a next step on standard error, and under --json one JSON value."""
    plain, scripted = site.run(*words), site.run(*words, "--json")
    assert (plain.code, plain.out, scripted.code) == (code, "", code)
    error = scripted.json["error"]
    assert isinstance(error, dict)
    assert set(error) == {"name", "sentence", "hint", "retryable", "exit_code"}
    assert (error["name"], error["exit_code"]) == (name, code)
    assert str(error["sentence"]).splitlines()[0] in plain.err


def test_a_wrong_settings_file(site: Site) -> None:
    """The file, the key and the nearest valid key are named."""
    (site.home / "bridge.toml").write_text("[beacon]\nrot = 'x'\n")
    said = site.run("run", "Contoso")
    assert said.code == 3
    assert f"{site.home / 'bridge.toml'}: beacon.rot: there is no such key. Did you mean 'root'?" in said.err


def test_one_failure_of_a_waiting_delivery(site: Site) -> None:
    """--waiting delivers what it can; one kind of failure keeps its own exit code."""
    made(site)
    (site.home / "Outbox").rmdir()
    said = site.run("deliver", "--waiting", "--json")
    assert said.code == 9
    assert failures(said) == [("Contoso", "DeliveryError")]
    assert said.json["delivered"] == []


def failures(said: Said) -> list[tuple[str, str]]:
    """Return each failed connection with its error's name."""
    failed = said.json["failed"]
    assert isinstance(failed, list)
    return [(one["connection"], one["error"]["name"]) for one in failed]


def test_several_failures_of_a_waiting_delivery(site: Site) -> None:
    """Connections that failed differently have an exit code of their own, and the others are delivered."""
    for name in ("Second", "Third"):
        place = workplace(site.home)
        other = contoso(place).__class__(
            name, contoso(place).reader, f"{name}.example", parameters=contoso(place).parameters
        )
        pipeline.convert(place, pipeline.collect(place, other, silent), silent)
    made(site)
    reader = contoso(site.place).reader
    more = "".join(
        f"[connections.{name}]\nreader = '{reader}'\ntenant = '{name}.example'\ndeliver_to = '{to}'\n"
        for name, to in (("Second", "nowhere"), ("Third", "Outbox"))
    )
    write(site.home / "bridge.toml", site.home, more)
    spoilt = site.place.runs.package(site.place.runs.load("last:Third")) or site.home
    spoilt.write_bytes(spoilt.read_bytes() + b"x")
    said = site.run("deliver", "--waiting", "--json")
    assert said.code == EXIT_SEVERAL
    assert failures(said) == [("Second", "DeliveryError"), ("Third", "PackageError")]
    assert [one["connection"] for one in said.json["delivered"]] == ["Contoso"]  # type: ignore[attr-defined]


@pytest.mark.skipif(os.name == "nt", reason="no SIGINT for a single child on Windows")
def test_ctrl_c_exits_with_130(site: Site) -> None:
    """An interrupted command says so; here it waits for a secret on standard input."""
    config = site.home / "bridge.toml"
    config.write_text(config.read_text("utf-8").replace("env:BADGE_KEY", "stdin:BADGE_KEY"), "utf-8")
    child = subprocess.Popen(
        [sys.executable, "-m", "bridge", "run", "Contoso", "--json", "--config", str(config)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    journal = site.home / "state" / "logs" / "beacon-bridge.log"
    wait_for(journal.exists)
    time.sleep(0.5)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=20)
    assert (child.returncode, err.splitlines()[-1]) == (EXIT_INTERRUPTED, "Interrupted.")
    assert json.loads(out)["error"]["exit_code"] == EXIT_INTERRUPTED


def wait_for(there: Callable[[], bool]) -> None:
    """Wait until something is so, at most twenty seconds."""
    end = time.monotonic() + 20
    while not there():
        assert time.monotonic() < end
        time.sleep(0.02)


# --- settings ---


def test_the_example_is_printed_as_it_is(site: Site, tmp_path: Path) -> None:
    """settings --example > bridge.toml gives a file that is understood."""
    said = site.run("settings", "--example")
    (tmp_path / "example.toml").write_text(said.out, "utf-8")
    shown = json.loads(site.run("settings", "--example", "--json").out)
    assert shown == {"example": said.out}
    assert cli.main(["settings", "--config", str(tmp_path / "example.toml")]) == 0


def test_settings_show_no_secret(site: Site) -> None:
    """A secret is shown as where it comes from."""
    value = site.run("settings", "--json").json
    connections = value["connections"]
    assert isinstance(connections, dict)
    assert connections["Contoso"]["parameters"]["ApiKey"] == {"secret": "env:BADGE_KEY"}
    assert "{'secret': 'env:BADGE_KEY'}" in site.run("settings").out


# --- terminals ---


PROGRESS = """
import sys, time
from bridge.model import Talk
from bridge.show import screen
with screen.Teller(screen.console(sys.stderr), verbose=False) as say:
    say(Talk("stage", "collect: x"))
    say(Talk("step", "", "A.xml/One"))
    for rows in (1000, 2000):
        say(Talk("rows", "", "A.xml/One", rows))
        time.sleep(0.3)
    say(Talk("step", "", "A.xml/One", 2000, done=True))
"""


@pytest.mark.skipif(os.name == "nt", reason="a pseudo terminal of POSIX")
def test_progress_is_live_on_a_terminal(tmp_path: Path) -> None:
    """On a terminal one line is drawn again and again while rows come, and is gone in the end."""
    seen = on_terminal([sys.executable, "-c", PROGRESS], {})
    assert "1,000 rows" in seen
    assert "2,000 rows" in seen
    assert "\x1b[2K" in seen
    assert "so far" not in seen


@pytest.mark.skipif(os.name == "nt", reason="a pseudo terminal of POSIX")
def test_no_color_is_respected(site: Site) -> None:
    """With NO_COLOR set nothing is coloured, with or without a terminal."""
    words = [
        sys.executable,
        "-m",
        "bridge",
        "show",
        "last:Nobody",
        "--config",
        str(site.home / "bridge.toml"),
    ]
    assert "\x1b[1;31m" in on_terminal(words, {})
    assert "31m" not in on_terminal(words, {"NO_COLOR": "1"})


def on_terminal(argv: list[str], more: dict[str, str]) -> str:
    """Run a command on a pseudo terminal and return what it drew."""
    import pty

    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100", **more}
    child = subprocess.Popen(argv, stdout=theirs, stderr=theirs, stdin=theirs, env=environment)
    os.close(theirs)
    seen = b""
    try:
        while chunk := os.read(ours, 4096):
            seen += chunk
    except OSError:  # Linux says EIO when the other end is closed
        pass
    finally:
        os.close(ours)
        child.wait(timeout=20)
    return seen.decode()


def test_progress_is_plain_lines_elsewhere() -> None:
    """In a file or a scheduled task's log each thing is one line without control characters."""
    done = subprocess.run([sys.executable, "-c", PROGRESS], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines() == [
        "collect: x",
        "  A.xml/One: 1,000 rows so far",
        "  A.xml/One: 2,000 rows so far",
        "  A.xml/One: 2,000 rows",
    ]


def test_a_console_of_an_old_code_page(site: Site) -> None:
    """A character that the console lacks is shown escaped, not a crash."""
    config = site.home / "bridge.toml"
    config.write_text(config.read_text("utf-8").replace("'Outbox'", "'東京'"), "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "bridge", "settings", "--config", str(config)],
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"},
    )
    assert rb"\u6771\u4eac" in done.stdout


# --- with a real PowerShell ---


SLEEP = "Start-Sleep -Seconds 60\n    foreach"


@pytest.mark.powershell
@pytest.mark.skipif(os.name == "nt", reason="no SIGINT for a single child on Windows")
def test_ctrl_c_while_the_reader_works(site: Site) -> None:
    """The run is marked interrupted, the command exits with 130, and the lock is free again."""
    script = site.home / "readers" / "Badge Service" / "Badges.ps1"
    script.write_text(script.read_text("utf-8").replace("foreach", SLEEP), "utf-8")
    child = subprocess.Popen(
        [sys.executable, "-m", "bridge", "run", "Contoso", "--config", str(site.home / "bridge.toml")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "BADGE_KEY": "x"},
    )
    wait_for(lambda: bool(list((site.home / "state").rglob("001.xml.part"))))
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=30)
    run = site.place.runs.load("last:Contoso")
    assert (child.returncode, run.state) == (EXIT_INTERRUPTED, State.INTERRUPTED)
    with site.place.runs.lock("Contoso", "run"):
        pass


@pytest.mark.powershell
@pytest.mark.skipif(os.name == "nt", reason="a pseudo terminal of POSIX")
def test_a_run_on_a_terminal(site: Site) -> None:
    """On a terminal the step that runs is shown while it runs, with its rows and its time."""
    words = [sys.executable, "-m", "bridge", "run", "Contoso", "--config", str(site.home / "bridge.toml")]
    seen = on_terminal(words, {"BADGE_KEY": "x"})
    assert "\x1b[2K" in seen
    assert "LoadHolder" in seen.split("LoadHolder: 3 rows")[0]
    assert "package delivered" in seen


@pytest.mark.powershell
def test_a_run_from_the_command_line(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """run collects in a real PowerShell, converts, delivers, and ends with who reads the package."""
    monkeypatch.setenv("BADGE_KEY", "run-canary")
    said = site.run("run", "Contoso")
    assert said.code == 0
    run = site.place.runs.load("last:Contoso")
    assert run.engine
    assert (run.state, run.rows) == (State.COMPLETE, 3)
    assert run.capture_bits == (str(run.engine.bits.inside),)
    assert "Holder.xml/LoadHolder: 3 rows" in said.err
    assert said.err.endswith("no Flexera uploader is known to accept it.\n")
    assert (site.home / "Outbox" / f"{run.run}.zip").exists()
    for path in (site.home / "state").rglob("*"):
        assert path.is_dir() or b"run-canary" not in path.read_bytes()


WARNING = "Write-Warning 'a group is hidden'\n    foreach"


@pytest.mark.powershell
def test_gaps_under_strict(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """--strict makes the package, does not deliver it, and exits with 11."""
    monkeypatch.setenv("BADGE_KEY", "x")
    script = site.home / "readers" / "Badge Service" / "Badges.ps1"
    script.write_text(script.read_text("utf-8").replace("foreach", WARNING), "utf-8")
    said = site.run("run", "Contoso", "--strict", "--json")
    assert (said.code, said.json["package_state"], said.json["state"]) == (11, READY, "complete-with-gaps")
    assert list((site.home / "Outbox").iterdir()) == []
    assert "a group is hidden" in str(said.json["gaps"])
