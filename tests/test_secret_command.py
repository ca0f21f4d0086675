"""`beacon-bridge secret`: a value is typed or piped, stored whole, and never shown."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pytest

from bridge.model import Secret
from bridge.secrets.store import Store
from bridge.system import FileVault

CANARY = "c4nary-välue"
POSIX = pytest.mark.skipif(os.name == "nt", reason="a pseudo terminal of POSIX")


@dataclass(frozen=True)
class Said:
    """What a command said."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Home:
    """A settings file and its state folder."""

    folder: Path

    @property
    def store(self) -> Store:
        """Return the store that the commands use."""
        return Store(self.folder / "state" / "secrets", FileVault())

    def words(self, *words: str) -> list[str]:
        """Return a command line."""
        return [sys.executable, "-m", "bridge", *words, "--config", str(self.folder / "bridge.toml")]

    def run(self, *words: str, value: bytes = b"") -> Said:
        """Run a command in a process of its own, with the value on standard input."""
        done = subprocess.run(self.words(*words), input=value, capture_output=True, check=False)
        said = Said(done.returncode, done.stdout.decode(), done.stderr.decode())
        assert "c4nary" not in said.out + said.err
        return said

    def files(self) -> list[str]:
        """Return the names of the files in the store."""
        folder = self.folder / "state" / "secrets"
        return sorted(one.name for one in folder.glob("*")) if folder.exists() else []


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Return a home without connections."""
    (tmp_path / "bridge.toml").write_text(f"[bridge]\nstate = '{tmp_path / 'state'}'\n", "utf-8")
    return Home(tmp_path)


def in_days(days: int) -> str:
    """Return a date that is so many days away."""
    return (date.today() + timedelta(days)).isoformat()  # local, as the command has it


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_a_value_is_piped(home: Home, end: bytes) -> None:
    """The whole of standard input is the value, less one newline; the answer names protection and day."""
    said = home.run("secret", "set", "App", "--expires", in_days(40), value=CANARY.encode() + end)
    assert said.code == 0
    assert said.out.startswith(f"App is stored, until {in_days(40)} (development: not encrypted")
    assert home.store.get("app") == Secret(CANARY)


def test_powershell_pipes_utf_16(home: Home) -> None:
    """What `>` of Windows PowerShell saved, UTF-16 with its mark, is read as the text it is."""
    home.run("secret", "set", "app", value=f"{CANARY}\r\n".encode("utf-16"))
    assert home.store.get("app") == Secret(CANARY)


def test_a_long_value(home: Home) -> None:
    """20 kB and more of any letters are taken whole."""
    assert home.run("secret", "set", "app", value=(CANARY * 2000).encode()).code == 0
    assert home.store.get("app") == Secret(CANARY * 2000)


def test_a_file_is_stored_as_it_is(home: Home) -> None:
    """--file takes bytes, such as a PFX; a text loses its last newline."""
    (home.folder / "cert.pfx").write_bytes(b"0\x82\x0b\xadc4nary\n")
    (home.folder / "token.txt").write_bytes(CANARY.encode() + b"\r\n")
    assert home.run("secret", "set", "cert", "--file", str(home.folder / "cert.pfx")).code == 0
    assert home.run("secret", "set", "token", "--file", str(home.folder / "token.txt")).code == 0
    assert home.store.get_bytes("cert") == b"0\x82\x0b\xadc4nary\n"
    assert home.store.get("token") == Secret(CANARY)


REFUSED: dict[str, tuple[Sequence[str], bytes, int, str]] = {
    "empty": (("app",), b"\r\n", 3, "The secret app is empty; nothing was stored."),
    "no text": (("app",), b"\xff\x00c4nary", 3, "is no UTF-8 text (byte 0); nothing was stored."),
    "past": (
        ("app", "--expires", "2020-01-31"),
        b"x",
        3,
        "--expires 2020-01-31 is past; nothing was stored.",
    ),
    "no date": (("app", "--expires", "soon"), b"x", 2, "'soon' does not match the format '%Y-%m-%d'"),
    "device": (("con",), b"x", 3, "Windows keeps it for a device"),
    "no file": (("app", "--file", "nowhere.pfx"), b"", 3, "nowhere.pfx cannot be read: No such file"),
    "value": (("app", "c4nary-value"), b"x", 2, "A value is never an argument"),
    "no name": ((), b"x", 2, "set and remove want a NAME"),
    "account": (("app", "--for", r"CONTOSO\svc"), b"x", 3, "can be given on Windows only"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(home: Home, case: str) -> None:
    """Each has one sentence, its exit code, and leaves nothing in the store."""
    if case == "account" and os.name == "nt":
        pytest.skip("Windows gives rights to accounts")
    words, value, code, sentence = REFUSED[case]
    said = home.run("secret", "set", *words, value=value)
    assert said.code == code
    assert sentence in said.err
    assert [name for name in home.files() if name != ".lock"] == []


def test_list_shows_no_value(home: Home) -> None:
    """Names as they were written, days left, protection; one of no use with its reason."""
    home.run("secret", "set", "App", "--expires", in_days(12), value=CANARY.encode())
    home.run("secret", "set", "bad", value=b"x")
    (home.folder / "state" / "secrets" / "bad.json").write_bytes(b"{")
    said = home.run("secret", "list", "--json")
    app, bad = json.loads(said.out)
    assert app == {
        "name": "App",
        "protection": "development",
        "expires": in_days(12),
        "days_left": 12,
        "for": None,
        "problem": None,
    }
    assert bad["problem"].startswith("The secret store:bad is damaged")
    table = home.run("secret", "list").out
    assert [line.split()[:4] for line in table.splitlines()[1:]] == [
        ["App", "development", in_days(12), "12"],
        ["bad", "-", "-", "-"],
    ]


def test_an_empty_list(home: Home) -> None:
    """Before anything was stored the list is empty, and nothing is made."""
    assert json.loads(home.run("secret", "list", "--json").out) == []
    assert not (home.folder / "state").exists()


def test_remove(home: Home) -> None:
    """A secret is removed once; the second time there is none."""
    home.run("secret", "set", "App", value=b"x")
    assert home.run("secret", "remove", "app").code == 0
    said = home.run("secret", "remove", "app")
    assert (said.code, said.err.splitlines()[0][:45]) == (3, "SettingsError: There is no secret store:app i")
    assert home.run("secret", "list", "x").code == home.run("secret", "remove", "x", "--for", "y").code == 2


# --- on a terminal ---


def typed(home: Home, *answers: bytes) -> tuple[int, str]:
    """Run `secret set app` on a terminal, give the answers, and return its code and what it showed."""
    import pty

    child, terminal = pty.fork()
    if child == 0:
        words = home.words("secret", "set", "app")
        os.execv(words[0], words)  # noqa: S606  # a child on the terminal
    shown = b""
    for number, answer in enumerate(answers, 1):
        while shown.count(b": ") < number:
            shown += os.read(terminal, 1000)
        os.write(terminal, answer)
    try:
        while chunk := os.read(terminal, 1000):
            shown += chunk
    except OSError:  # how a terminal says that its other end is gone
        pass
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), shown.decode()


@POSIX
def test_a_value_is_typed_twice_unseen(home: Home) -> None:
    """On a terminal the value is asked for twice and not shown."""
    code, shown = typed(home, f"{CANARY}\r".encode(), f"{CANARY}\r".encode())
    assert code == 0
    assert "c4nary" not in shown
    assert home.store.get("app") == Secret(CANARY)


@POSIX
def test_two_values_that_differ(home: Home) -> None:
    """A slip of the fingers is noticed, and the value asked for again."""
    code, shown = typed(home, b"c4nary\r", b"c4nery\r", b"\x03")
    assert (code, "do not match" in shown, "c4n" in shown) == (130, True, False)
    assert home.files() == []


@POSIX
def test_a_prompt_is_left(home: Home) -> None:
    """Ctrl-C stores nothing and exits with 130."""
    assert typed(home, b"c4nary\x03")[0] == 130
    assert home.files() == []


# --- in time ---


def test_a_run_begins_with_what_expires(home: Home) -> None:
    """From 30 days before, the run of a connection that uses a secret warns of it on standard error."""
    settings = home.folder / "bridge.toml"
    settings.write_text(
        settings.read_text("utf-8")
        + '[connections.Contoso]\nreader = "bridge:No Such Folder"\ntenant = "contoso.example"\n'
        'parameters = { A = { secret = "store:app" }, B = { secret = "store:far" } }\n',
        "utf-8",
    )
    home.run("secret", "set", "app", "--expires", in_days(30), value=b"x")
    home.run("secret", "set", "far", "--expires", in_days(31), value=b"x")
    said = home.run("collect", "Contoso")
    assert f"warning: store:app expires on {in_days(30)}, in 30 days: renew it\n" in said.err
    assert "store:far" not in said.err
