"""Canaries: secrets that are planted for real runs, and looked for in all that the runs leave or show."""

from __future__ import annotations

import base64
import binascii
import os
import re
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote_to_bytes

import click
import psutil
import pytest

from bridge import desk, pipeline
from bridge.model import Job, Secret
from bridge.secrets.store import Store
from bridge.system import FileVault
from tests.clouds import DAEMON, HOME, SECRET
from tests.engines import RowsEngine, contoso, silent, workplace
from tests.folders import make_reader_folder
from tests.watching import Watched
from tools.tenant import serve_cloud

pytestmark = pytest.mark.skipif(
    os.name == "nt", reason="reads the environment of processes as Linux shows it"
)

KEY = "c4n/ry+k3y?&=ü 'x'"  # the password that a reader takes


# --- where to look ---


def texts(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield every file below a folder, and every file in its packages, but for the store itself."""
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if not path.is_file() or name.startswith("state/secrets/"):
            continue
        yield name, path.read_bytes()
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as package:
                for entry in package.namelist():
                    yield f"{name}!{entry}", package.read(entry)


BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{8,}")
HEX = re.compile(rb"(?:[0-9A-Fa-f]{2}){6,}")


def readings(shown: bytes) -> Iterator[bytes]:
    """Yield what is shown, and what it says to somebody who decodes it: URL-encoding, base64, hex, JSON."""
    yield shown
    yield unquote_to_bytes(shown.replace(b"+", b" "))
    yield unquote_to_bytes(shown)
    yield b"\n".join(binascii.unhexlify(run) for run in HEX.findall(shown))
    yield re.sub(rb"\\u([0-9a-f]{4})", lambda one: chr(int(one[1], 16)).encode(), shown)
    for start in range(4):
        runs = (run.translate(bytes.maketrans(b"-_", b"+/"))[start:] for run in BASE64.findall(shown))
        yield b"\n".join(base64.b64decode(run[: len(run) // 4 * 4]) for run in runs)


def found(canary: str, shown: dict[str, bytes]) -> list[str]:
    """Return where a canary is shown, in any reading; the bridge is not asked what to look for."""
    hidden = [canary.encode(form) for form in ("utf-8", "utf-16-le", "utf-16-be")]
    return [
        where
        for where, text in shown.items()
        if any(one in reading for reading in readings(text) for one in hidden)
    ]


@pytest.mark.parametrize(
    "planted",
    [
        KEY,
        "c4n%2Fry%2Bk3y%3F%26%3D%C3%BC%20%27x%27",
        "eGM0bi9yeStrM3k/Jj3DvCAneCd5",  # base64 of x, the key, y
        KEY.encode("utf-16-le").hex(),
    ],
)
def test_a_planted_canary_is_found(tmp_path: Path, planted: str) -> None:
    """The search finds each guise, in a file and in a package."""
    (tmp_path / "log.txt").write_text(f"a {planted} b", "utf-8")
    with zipfile.ZipFile(tmp_path / "package.zip", "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("data/001.xml", planted)
    assert found(KEY, dict(texts(tmp_path))) == ["log.txt", "package.zip!data/001.xml"]


def test_a_canary_in_an_environment_is_found() -> None:
    """The watch sees what a grandchild of the process is given, as argument and in its environment."""
    sleep = (
        "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(1)', {0!r}])"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", sleep.format(KEY)], env={**os.environ, "PLANTED": "c4n/ry-2"}
    )
    with Watched(child.pid) as watched:
        child.wait()
    assert len(found("c4n/ry-2", watched.seen)) == 2
    assert len(found(KEY, watched.seen)) >= 1


# --- real runs ---


@dataclass
class Site:
    """A home of its own for settings, state, temporary files and what PowerShell keeps, with the canaries."""

    home: Path
    canaries: dict[str, str] = field(default_factory=dict)
    shown: dict[str, bytes] = field(default_factory=dict)
    programs: set[str] = field(default_factory=set)
    code: int | None = None

    def plant(self, name: str, secret: str) -> None:
        """Put a canary into the store."""
        self.canaries[name] = secret
        Store(self.home / "state" / "secrets", FileVault()).put(name, Secret(secret))

    def settings(self, text: str) -> None:
        """Write the settings file."""
        (self.home / "bridge.toml").write_text(f"[bridge]\nstate = 'state'\n{text}", "utf-8")

    def start(self) -> subprocess.Popen[bytes]:
        """Start the run, with all it may see."""
        for name in ("tmp", "user", "Outbox"):
            (self.home / name).mkdir()
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home / "user"),
            "TMPDIR": str(self.home / "tmp"),
            "LANG": "C.UTF-8",
        }
        words = ["run", "Contoso", "--verbose", "--config", str(self.home / "bridge.toml")]
        return subprocess.Popen(
            [sys.executable, "-m", "bridge", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
        )

    def run(self, until: Callable[[], bool] | None = None) -> None:
        """Run to the end or, once ``until`` holds, kill the run; keep all that was shown."""
        child, started = self.start(), list[psutil.Process]()
        with Watched(child.pid) as watched:
            if until is not None:
                wait_for(until)
                started = psutil.Process(child.pid).children(recursive=True)
                child.send_signal(signal.SIGKILL)
            output, errors = child.communicate(timeout=90)
            psutil.wait_procs(started, timeout=30)
        self.code = child.returncode
        self.programs = watched.programs
        self.shown = {f"process {name}": text for name, text in watched.seen.items()}
        self.shown |= {
            "standard output": output,
            "standard error": errors,
        }
        self.shown |= dict(texts(self.home))

    def hits(self) -> dict[str, list[str]]:
        """Return where each canary was shown; nothing is what it should be."""
        return {name: hits for name, canary in self.canaries.items() if (hits := found(canary, self.shown))}

    def log(self) -> str:
        """Return the run's log."""
        return next(text for name, text in self.shown.items() if name.endswith("log.txt")).decode()


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds, for a minute at most."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it never came so far"
        time.sleep(0.05)


# --- a reader with a password, which tells everybody ---


class Service(BaseHTTPRequestHandler):
    """Answers everything."""

    def do_GET(self) -> None:
        """Answer with an empty object."""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def service() -> Iterator[str]:
    """Serve the badge service on loopback."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


TALKS = r"""
function BadgesVersion { param([string]$ServiceUrl) New-Object PSObject -Property @{ Version = '2.4' } }
function PingBadges { param([string]$ServiceUrl, [string]$ApiKey) 'OK' }
function ListHolders { param([string]$ServiceUrl, [string]$ApiKey)
    $escaped = [Uri]::EscapeDataString($ApiKey)
    Invoke-RestMethod -Uri "$ServiceUrl/holders?key=$escaped&x=1" -Verbose | Out-Null
    Write-Verbose "GET $ServiceUrl/holders?key=$escaped&x=1"
    Write-Warning "the key is $ApiKey"
    $pair = 'bridge:' + $ApiKey
    foreach ($text in $pair, $ApiKey, ('12' + $ApiKey)) {
        $bytes = [Text.Encoding]::UTF8.GetBytes($text)
        Write-Verbose ('Authorization: Basic ' + [Convert]::ToBase64String($bytes))
    }
    Write-Information (ConvertTo-Json @{ key = $ApiKey })
    $secure = New-Object System.Security.SecureString
    foreach ($letter in $ApiKey.ToCharArray()) { $secure.AppendChar($letter) }
    Write-Host ('secure ' + (ConvertFrom-SecureString $secure))
    Write-Progress -Activity "with $ApiKey"
    $native = [Console]::OpenStandardError()
    foreach ($text in ("stderr $ApiKey`n", ("stderr " + ('.' * 3985) + $ApiKey + "`n"))) {
        $bytes = [Text.Encoding]::UTF8.GetBytes($text); $native.Write($bytes, 0, $bytes.Length)
    }
    & /bin/sleep 0.2
    Write-Verbose 'all is said'
    New-Object PSObject -Property @{ HolderID = 1; Mail = 'user1@example.org' }
    DO-WHAT
    New-Object PSObject -Property @{ HolderID = 2; Mail = 'user2@example.org' }
}
"""

THROWS = 'throw (New-Object InvalidOperationException("refused: $escaped for $ApiKey"))'
ENDINGS = {"whole": "", "failing": THROWS, "killed": "Start-Sleep -Seconds 60"}
CODES = {"whole": 0, "failing": 6, "killed": -signal.SIGKILL}


@pytest.mark.powershell
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_password_of_a_reader(tmp_path: Path, service: str, ending: str) -> None:
    """A reader that says its password in every guise on every stream: the run shows it nowhere."""
    site = Site(tmp_path)
    reader = make_reader_folder(tmp_path / "readers", script=TALKS.replace("DO-WHAT", ENDINGS[ending]))
    site.plant("key", KEY)
    site.settings(
        f"[connections.Contoso]\nreader = '{reader}'\ntenant = \"contoso.example\"\ndeliver_to = 'Outbox'\n"
        f'parameters = {{ ServiceUrl = "{service}", ApiKey = {{ secret = "store:key" }} }}\n'
    )
    logs = tmp_path / "state" / "runs"
    site.run(
        killed_when(
            lambda: any("all is said" in log.read_text("utf-8") for log in logs.rglob("log.txt")), ending
        )
    )
    assert site.code == CODES[ending]
    assert site.hits() == {}
    assert {"pwsh", "sleep"} <= site.programs
    for said in ("holders?key=***&x=1", "the key is ***", "Basic ", "secure ***", "with ***", "stderr ***"):
        assert said in site.log(), said


def killed_when(condition: Callable[[], bool], ending: str) -> Callable[[], bool] | None:
    """Return when to kill the run, if it is to be killed at all."""
    return condition if ending == "killed" else None


# --- a sign-in, through a proxy with a password ---

SIGNING_IN = """
[http]
proxy = "{proxy}"
proxy_user = "{user}"
proxy_password = "store:proxy"
ca_bundle = '{bundle}'
[connections.Contoso]
reader = "bridge:Microsoft 365"
tenant = "{tenant}"
engine = "{engine}"
deliver_to = 'Outbox'
parameters = {{ AccessToken = {{ token = true }} }}
[connections.Contoso.signin]
flow = "secret"
client_id = "{client}"
secret = "store:app"
"""

FAULTS = {"whole": "", "failing": ",graph:403", "killed": ",graph:slow:3"}
EXIT = {
    ("whole", "powershell"): {0},
    ("whole", "native"): {0},
    ("failing", "powershell"): {5, 6},
    ("failing", "native"): {5, 6},
    ("killed", "powershell"): {-signal.SIGKILL},
    ("killed", "native"): {-signal.SIGKILL},
}


@pytest.mark.parametrize("ending", FAULTS)
@pytest.mark.parametrize("engine", [pytest.param("powershell", marks=pytest.mark.powershell), "native"])
def test_a_sign_in(tmp_path: Path, engine: str, ending: str) -> None:
    """The app's secret, the proxy's password and every token that was issued: the run shows none of them."""
    site = Site(tmp_path)
    with serve_cloud(HOME, apps=[DAEMON], faults="proxy-auth" + FAULTS[ending]) as cloud:
        user, password = cloud.proxy_user
        site.plant("app", SECRET)
        site.plant("proxy", password)
        site.settings(
            SIGNING_IN.format(
                proxy=cloud.proxy,
                user=user,
                bundle=cloud.ca,
                tenant=HOME.id,
                engine=engine,
                client=DAEMON.client_id,
            )
        )
        site.run(killed_when(lambda: bool(list((tmp_path / "state").rglob("capture/*.part"))), ending))
        issued = cloud.issued
    assert site.code in EXIT[ending, engine], site.shown["standard error"]
    assert issued
    site.canaries |= {f"token {number}": token for number, token in enumerate(issued)}
    assert site.hits() == {}
    assert ("pwsh" in site.programs) == (engine == "powershell")


# --- a bug ---


def test_a_bug_does_not_tell(capsys: pytest.CaptureFixture[str]) -> None:
    """A failure without a name is told by its place; what it says, and what was at hand, is not."""

    @click.command()
    def boom() -> None:
        key = KEY
        raise RuntimeError(key)

    group = click.Group("beacon-bridge", {"boom": boom})
    assert desk.run_command(group, ["boom"]) == 1
    said = capsys.readouterr()
    assert "a bug: RuntimeError at test_canaries.py:" in said.err
    assert found(KEY, {"out": said.out.encode(), "err": said.err.encode()}) == []


def test_a_bug_in_a_run_is_not_kept(tmp_path: Path) -> None:
    """What a bug in an engine says stands in no record and no log of the run."""

    def boom(job: Job) -> None:
        key = job.values["ApiKey"]
        raise RuntimeError(key.reveal() if isinstance(key, Secret) else key)

    place = workplace(tmp_path, RowsEngine(before=boom))
    with pytest.raises(RuntimeError, match="plain-canary"):
        pipeline.run(place, contoso(place), silent)
    shown = dict(texts(tmp_path))
    assert any(name.endswith("run.json") for name in shown)
    assert found("plain-canary", shown) == []
