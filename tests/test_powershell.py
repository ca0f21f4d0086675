"""The PowerShell engine: which executable, what it proves, and what it survives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from bridge.collect.powershell import PowerShell, find_powershell
from bridge.collect.powershell.host import MOST_LOG_LINES
from bridge.errors import BeaconError, ReaderError, ReaderOutputError
from bridge.model import Collected, EngineFacts, Job, Minutes, Owner
from bridge.readers.folder import load
from tests.folders import config_xml, make_reader_folder, readers_xml, source_step, target_step
from tests.reading import FUNCTIONS, Reading, this_powershell

LAUNCHERS = Path(str(pytest.importorskip("pip._vendor.distlib").__file__)).parent


# --- which executable ---


def windows_with(root: Path, *places: str) -> dict[str, str]:
    """Lay out a Windows folder that holds powershell.exe at these places; return an environment for it."""
    for place in places:
        path = root / place / "WindowsPowerShell" / "v1.0" / "powershell.exe"
        path.parent.mkdir(parents=True)
        path.touch()
    return {"SYSTEMROOT": str(root)}


def test_the_32_bit_powershell_is_taken_on_64_bit_windows(tmp_path: Path) -> None:
    """SysWOW64 comes first, whatever case the variable's name has."""
    environment = windows_with(tmp_path, "SysWOW64", "System32")
    assert "SysWOW64" in str(find_powershell(environment, windows=True))


def test_on_32_bit_windows_it_lies_in_system32(tmp_path: Path) -> None:
    """There is no SysWOW64 there."""
    environment = windows_with(tmp_path, "System32")
    assert "System32" in str(find_powershell(environment, windows=True))


def test_no_powershell_says_which_one_is_wanted(tmp_path: Path) -> None:
    """The path that would be right is named."""
    with pytest.raises(BeaconError, match="SysWOW64"):
        find_powershell({"SystemRoot": str(tmp_path)}, windows=True)


def test_elsewhere_no_pwsh_on_path_is_named(tmp_path: Path) -> None:
    """The native engine is offered, never taken by itself."""
    with pytest.raises(BeaconError, match="pwsh is not on PATH") as caught:
        find_powershell({"PATH": str(tmp_path)}, windows=False)
    assert "native" in caught.value.hint


needs_launchers = pytest.mark.skipif(
    not (LAUNCHERS / "t64.exe").is_file(), reason="pip has no Windows launchers here, as on Debian"
)


@needs_launchers
@pytest.mark.parametrize("launcher", ["t64.exe", "w64.exe", "t64-arm.exe"])
def test_a_64_bit_executable_is_refused_on_windows(launcher: str) -> None:
    """Its PE header decides before anything is started, and the error names the right path."""
    engine = PowerShell(LAUNCHERS / launcher, os.environ, windows=True)
    with pytest.raises(BeaconError, match="64-bit program") as caught:
        engine.probe()
    assert "SysWOW64" in caught.value.hint


def test_a_file_that_is_no_program_is_refused_on_windows(tmp_path: Path) -> None:
    """Neither a script nor an empty file has a PE header."""
    (tmp_path / "powershell.exe").write_bytes(b"MZ")
    with pytest.raises(BeaconError, match="no program"):
        PowerShell(tmp_path / "powershell.exe", os.environ, windows=True).probe()


@needs_launchers
@pytest.mark.skipif(sys.platform == "win32", reason="a 32-bit launcher would run there")
def test_a_32_bit_executable_passes_the_first_proof() -> None:
    """A 32-bit program is started; that this machine cannot run it is another error."""
    engine = PowerShell(LAUNCHERS / "t32.exe", os.environ, windows=True)
    with pytest.raises(BeaconError) as caught:
        engine.probe()
    assert "32-bit" not in str(caught.value)


def test_a_path_over_the_limit_is_refused_before_the_start(tmp_path: Path) -> None:
    """Windows PowerShell 5.1 takes no more than 240 characters, so nothing is started."""
    folder = tmp_path / ("x" * 100) / ("y" * 100)
    job = Job("r", load(make_reader_folder(tmp_path), Owner.PATH), {}, folder, Minutes())
    engine = PowerShell(tmp_path / "not-there.exe", {}, windows=True, path_limit=240)
    with pytest.raises(BeaconError, match="characters; Windows PowerShell takes 240"):
        engine.collect(job, print)


# --- what it says of itself ---


@pytest.fixture(scope="module")
def facts() -> EngineFacts:
    """Return what this machine's PowerShell says of itself."""
    return this_powershell().probe()


@pytest.mark.powershell
def test_a_probe_tells_what_powershell_says_of_itself(facts: EngineFacts) -> None:
    """Version, edition, bits, policy and language mode are read inside that PowerShell."""
    assert (facts.name, facts.bits.inside) == ("powershell", 64 if sys.maxsize > 2**32 else 32)
    assert facts.language_mode == "FullLanguage"
    assert facts.version[0].isdigit()
    assert facts.edition in {"Core", "Desktop"}
    assert "LocalMachine=" in facts.execution_policy
    assert facts.development is (sys.platform != "win32")


@pytest.mark.powershell
def test_the_capture_says_what_wrote_it(tmp_path: Path, facts: EngineFacts) -> None:
    """The capture's header is the third proof of the bits."""
    reading = Reading(tmp_path, "New-Object PSObject -Property @{ A = 1 }")
    reading.collect()
    header = etree.parse(str(reading.capture)).getroot()[0]
    assert (header.get("engine"), header.get("owner"), header.get("step")) == (
        "powershell",
        "path",
        "LoadHolder",
    )
    assert header.get("bits") == str(facts.bits.inside)


# --- steps ---


@pytest.mark.powershell
def test_steps_run_in_order_and_stop_at_the_first_failure(tmp_path: Path) -> None:
    """The first step's capture is there, the second's is a part, the third has not begun."""
    script = (
        FUNCTIONS
        + """
    function One { New-Object PSObject -Property @{ A = 1 } }
    function Two { New-Object PSObject -Property @{ A = 2 }; throw 'second' }
    function Three { New-Object PSObject -Property @{ A = 3 } }
    """
    )
    column = '<OutputSchema Name="A" Type="int" Property="A"/>'
    steps = [
        source_step(name, order, method=name, inputs="", columns=column)
        for order, name in enumerate(("One", "Two", "Three"), start=1)
    ]
    folder = make_reader_folder(
        tmp_path,
        script=script,
        readers={"Holder.xml": readers_xml(target_step("Prepare", 0), *steps)},
        config=config_xml({"Holder.xml": "Computer"}),
    )
    run = tmp_path / "run"
    (run / "capture").mkdir(parents=True)
    job = Job("r", load(folder, Owner.PATH), {}, run, Minutes(1, 1, 1))
    with pytest.raises(ReaderError, match=r"Holder\.xml/Two failed after 1 rows in \w+: second"):
        this_powershell().collect(job, lambda talk: None)
    assert sorted(path.name for path in (run / "capture").iterdir()) == ["001.xml", "002.xml.part"]


APPLIES = {"2.4": True, "2.10": False, "2": True, "3.0.1": False}  # version that a step begins with
LATER = {begins: f"Later{number}" for number, begins in enumerate(APPLIES)}


@pytest.fixture(scope="module")
def dated(tmp_path_factory: pytest.TempPathFactory) -> Collected:
    """Return what is collected of a folder for version 2.4, with a step for each version of APPLIES."""
    column = '<OutputSchema Name="A" Type="int" Property="A"/>'
    script = FUNCTIONS + "function One { New-Object PSObject -Property @{ A = 1 } }"
    steps = [source_step("Always", 1, method="One", inputs="", columns=column)] + [
        source_step(name, order, method="One", inputs="", columns=column, more=f'VersionFrom="{begins}"')
        for order, (begins, name) in enumerate(LATER.items(), start=2)
    ]
    parent = tmp_path_factory.mktemp("dated")
    folder = make_reader_folder(parent, script=script, readers={"Holder.xml": readers_xml(*steps)})
    run = parent / "run"
    (run / "capture").mkdir(parents=True)
    job = Job("r", load(folder, Owner.PATH), {"ServiceUrl": "u", "ApiKey": "k"}, run, Minutes(1, 1, 1))
    return this_powershell().collect(job, lambda talk: None)


@pytest.mark.powershell
@pytest.mark.parametrize(("begins", "applies"), APPLIES.items())
def test_a_step_that_begins_with_a_later_version_does_not_apply(
    dated: Collected, begins: str, applies: bool
) -> None:
    """VersionFrom is compared as dotted numbers with what VersionCheck says (here 2.4)."""
    step = f"Holder.xml/{LATER[begins]}"
    captured = [capture.step for capture in dated.captures]
    assert dated.source_version == "2.4"
    assert (step in dated.not_applicable) is not applies
    assert captured.count(step) == (1 if applies else 0)
    assert captured.count("Holder.xml/Always") == 1
    assert len(captured) + len(dated.not_applicable) == 1 + len(APPLIES)


# --- text ---


@pytest.mark.powershell
@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
@given(texts=st.lists(st.text(st.characters(exclude_categories=())), min_size=50, max_size=150))
def test_every_text_survives_the_host_exactly(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    """Control characters, lone surrogates, U+FFFE, escapes: what .NET held is what the capture gives back."""
    odd = [
        "",
        " ",
        "\t\r\n",
        "\x00\x01\x1f\x7f",
        "\ud800",
        "\udc00x",
        "\ufffe\uffff",
        "_x0041_",
        "_x005F_x0041_",
    ]
    odd += ["_x", "a\ud83d", "\ud83d\ude00", "😀", "<&>\"'", "]]>", "_\x01", "_x00\ud800"]
    units = [[*text.encode("utf-16-le", "surrogatepass")] for text in (*odd, *texts)]
    joined = ";".join(",".join(map(str, one)) for one in units)
    body = f"""
    foreach ($one in '{joined}'.Split(';')) {{
        $bytes = [byte[]]@($one.Split(',') | Where-Object {{ $_ }})
        $units = for ($i = 0; $i -lt $bytes.Length; $i += 2) {{ [char]($bytes[$i] + 256 * $bytes[$i + 1]) }}
        $text = -join @($units)
        New-Object PSObject -Property @{{ A = $text }}
    }}
    """
    reading = Reading(tmp_path_factory.mktemp("text"), body)
    found = [row["A"] for row in reading.rows()]
    assert [_units(text) for text in found] == [_units(text) for text in (*odd, *texts)]


def _units(text: str | None) -> bytes | None:
    return None if text is None else text.encode("utf-16-le", "surrogatepass")


# --- readers that behave badly ---


@pytest.mark.powershell
def test_a_reader_that_prints_a_million_lines_is_bounded(tmp_path: Path) -> None:
    """The log keeps the first thousands and counts the rest; the rows are whole."""
    body = """
    $out = [Console]::OpenStandardOutput(); $lines = [Text.Encoding]::ASCII.GetBytes("line`n" * 1000)
    foreach ($n in 1..1000) { $out.Write($lines, 0, $lines.Length) }
    foreach ($n in 1..20000) { Write-Verbose 'x' }
    New-Object PSObject -Property @{ A = 1 }
    """
    reading = Reading(tmp_path, body, minutes=Minutes(5, 5, 5))
    assert reading.rows() == [{"A": "1"}]
    assert "host: 15000 more lines are not kept" in reading.log
    assert reading.log.count("output: line") == MOST_LOG_LINES
    assert reading.log.count("\n") < 2 * MOST_LOG_LINES + 10


@pytest.mark.powershell
def test_a_reader_that_writes_100_mb_to_standard_error_is_drained(tmp_path: Path) -> None:
    """It neither blocks nor fills the log."""
    body = """
    $line = ('e' * 999); foreach ($n in 1..100000) { [Console]::Error.WriteLine($line) }
    New-Object PSObject -Property @{ A = 1 }
    """
    reading = Reading(tmp_path, body, minutes=Minutes(5, 5, 5))
    assert reading.rows() == [{"A": "1"}]
    assert len(reading.log) < 12_000_000


@pytest.mark.powershell
@pytest.mark.parametrize("body", ["[Environment]::Exit(0)", "Stop-Process -Id $PID -Force"])
def test_a_reader_that_ends_the_process_fails_the_step(tmp_path: Path, body: str) -> None:
    """Exit code 0 in the middle of a step is no success, nor is being killed."""
    reading = Reading(tmp_path, "New-Object PSObject -Property @{ A = 1 }; " + body)
    with pytest.raises(ReaderError, match=r"ended with code .* in the middle of Holder\.xml/LoadHolder"):
        reading.collect()
    assert not reading.capture.exists()


@pytest.mark.powershell
def test_a_reader_that_never_returns_is_ended(tmp_path: Path) -> None:
    """The step's deadline ends it, with everything that it started."""
    body = '$p = Start-Process -PassThru sleep 300; Write-Verbose "pid $($p.Id)"; while ($true) { }'
    reading = Reading(tmp_path, body, minutes=Minutes(0.05, 0, 0))
    with pytest.raises(ReaderError, match=r"the step took more than 0\.05 minutes"):
        reading.collect()
    left = int(reading.log.partition("pid ")[2].split()[0])
    assert not psutil.pid_exists(left) or psutil.Process(left).status() == psutil.STATUS_ZOMBIE


@pytest.mark.powershell
def test_rows_without_columns_are_an_error(tmp_path: Path) -> None:
    """Objects that have none of the declared properties are no rows of this step."""
    with pytest.raises(ReaderOutputError, match="row 1"):
        Reading(tmp_path, "New-Object PSObject -Property @{ Other = 1 }").collect()


@pytest.mark.powershell
def test_a_full_disk_fails_the_step(tmp_path: Path) -> None:
    """A capture that cannot be written is an error, not a shorter capture."""
    reading = Reading(tmp_path, "foreach ($n in 1..100000) { New-Object PSObject -Property @{ A = $n } }")
    job = reading.job()
    (job.captures / "001.xml.part").symlink_to("/dev/full")
    with pytest.raises(ReaderError, match="space"):
        this_powershell().collect(job, reading.said.append)
    assert not reading.capture.exists()


@pytest.mark.powershell
def test_paths_with_blanks_umlauts_and_quotes_work(tmp_path: Path) -> None:
    """The reader folder and the run folder may be called anything: here each lies below all of these."""
    folder = tmp_path / "with blank" / "Zürich ä" / "it's $(a) `b`" / "[brackets]"
    reading = Reading(folder, "New-Object PSObject -Property @{ A = 1 }")
    assert reading.rows() == [{"A": "1"}]


# --- ends from outside ---

RUNNER = """
    import sys
    sys.path.insert(0, sys.argv[1])
    from pathlib import Path
    from bridge.model import Minutes
    from reading import Reading, this_powershell
    body = 'foreach ($n in 1..600) { Write-Verbose "pid $PID"; Start-Sleep -Milliseconds 500 }'
    reading = Reading(Path(sys.argv[2]), body, minutes=Minutes(0, 0, 0))
    this_powershell().collect(reading.job(), lambda talk: print(talk.text, flush=True))
"""


def _running(folder: Path) -> tuple[subprocess.Popen[str], int]:
    """Start a child that collects; return it and the process id of its PowerShell."""
    argv = [sys.executable, "-c", textwrap.dedent(RUNNER), str(Path(__file__).parent), str(folder)]
    child = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stdout is not None
    for line in child.stdout:
        if "pid " in line:
            return child, int(line.rpartition(" ")[2])
    raise AssertionError(child.communicate()[1])


def _ends_within(pid: int, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.1)
    return False


@pytest.mark.powershell
@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is a signal of Unix")
def test_the_host_ends_itself_when_the_bridge_is_killed(tmp_path: Path) -> None:
    """Nobody reads a vendor's tenant on behalf of a process that is gone."""
    child, pid = _running(tmp_path)
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert _ends_within(pid, 10)


@pytest.mark.powershell
@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT is sent differently there")
def test_an_interrupt_ends_powershell(tmp_path: Path) -> None:
    """Ctrl-C reaches the bridge, which takes its child along."""
    child, pid = _running(tmp_path)
    child.send_signal(signal.SIGINT)
    child.communicate()
    assert _ends_within(pid, 5)


@pytest.mark.powershell
def test_two_readings_beside_each_other_do_not_meet(tmp_path: Path) -> None:
    """Each has its own mark, folder and process."""
    body = "foreach ($n in 1..50) { New-Object PSObject -Property @{ A = $ServiceUrl } }"
    readings = [Reading(tmp_path / url, body, values={"ServiceUrl": url, "ApiKey": "k"}) for url in "xyz"]
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(Reading.rows, readings))
    assert found == [[{"A": url}] * 50 for url in "xyz"]
