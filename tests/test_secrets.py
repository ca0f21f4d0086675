"""Secrets: they show themselves nowhere, rest whole or not at all, and come from where the settings say."""

from __future__ import annotations

import base64
import copy
import json
import os
import pickle
import subprocess
import sys
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from urllib.parse import quote, quote_plus

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge import expiry
from bridge.errors import SettingsError
from bridge.model import Connection, Secret, SecretReference
from bridge.secrets.fetch import Secrets, decoded
from bridge.secrets.guises import guises, hide
from bridge.secrets.store import Store
from bridge.system import FileVault
from tests.killing import every_instant

POSIX = pytest.mark.skipif(os.name == "nt", reason="modes of files are POSIX")
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda text: text.strip())


# --- the type ---


class Holder(pydantic.BaseModel):
    """A model with a secret in it."""

    model_config = pydantic.ConfigDict(arbitrary_types_allowed=True)
    secret: Secret


def dumped_by_pydantic(secret: Secret) -> str:
    """Return what pydantic says, be it JSON or a refusal."""
    try:
        return str(Holder(secret=secret).model_dump()) + Holder(secret=secret).model_dump_json()
    except pydantic.ValidationError as error:
        return str(error)
    except pydantic.PydanticSchemaGenerationError as error:
        return str(error)
    except ValueError as error:  # PydanticSerializationError
        return str(error)


def with_locals(secret: Secret) -> str:
    """Return a traceback that shows the locals of a frame that holds the secret."""
    try:
        raise ValueError(secret)
    except ValueError as error:
        return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())


SHOWN: dict[str, Callable[[Secret], str]] = {
    "repr": repr,
    "str": str,
    "format": lambda secret: f"{secret:>30}",
    "percent": lambda secret: "%s %r" % (secret, secret),  # noqa: UP031  # one more way to format
    "json": lambda secret: json.dumps({"a": secret}, default=str),
    "pydantic": dumped_by_pydantic,
    "traceback": with_locals,
    "container": lambda secret: repr({"a": [secret]}),
    "copies": lambda secret: repr((copy.copy(secret), copy.deepcopy([secret]))),
}


@pytest.mark.parametrize("way", SHOWN)
def test_a_secret_does_not_show_itself(way: str) -> None:
    """Whatever turns it into a text shows dots, or refuses without showing it."""
    shown = SHOWN[way](Secret("c4nary-secret"))
    assert "c4nary" not in shown
    assert shown


def test_a_secret_is_not_written_down() -> None:
    """Neither pickle nor JSON takes it, and it has no state to be asked for."""
    secret = Secret("c4nary-secret")
    for attempt in (pickle.dumps, json.dumps, lambda one: one.__getstate__()):
        with pytest.raises(TypeError) as refused:
            attempt(secret)
        assert "c4nary" not in str(refused.value)


@given(TEXTS, TEXTS)
def test_secrets_compare_as_their_texts(one: str, other: str) -> None:
    """Equal texts are equal secrets with equal hashes; a text is no secret."""
    assert (Secret(one) == Secret(other)) == (one == other)
    assert hash(Secret(one)) == hash(Secret("".join(one)))
    assert Secret(one) != one


# --- the store ---


class Elsewhere:
    """Obeys Vault: what one machine and purpose protected, no other opens. It hides nothing from a reader."""

    description = "for tests"

    def __init__(self, machine: str, name: str = "dpapi-machine") -> None:
        self.machine, self.name = machine, name

    def protect(self, clear: bytes, purpose: str) -> bytes:
        """Return the bytes reversed, behind the machine and the purpose."""
        return f"{self.machine}/{purpose}/".encode() + clear[::-1]

    def unprotect(self, sealed: bytes, purpose: str) -> bytes:
        """Return the bytes as they were, or ValueError."""
        machine, found, clear = sealed.split(b"/", 2)
        if (machine.decode(), found.decode()) != (self.machine, purpose):
            raise ValueError("Key not valid for use in specified state.")
        return clear[::-1]


def store(folder: Path) -> Store:
    """Return a store below a folder that does not wait for locks."""
    return Store(folder / "state" / "secrets", FileVault(), patience=0.2)


@given(text=TEXTS)
@settings(max_examples=60, deadline=None)
def test_any_text_comes_back(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """A text of any letters comes back as it was, line ends and blanks included."""
    kept = store(tmp_path_factory.mktemp("any"))
    kept.put("any", Secret(text))
    assert kept.get("any").reveal() == text


@pytest.mark.parametrize("value", ["x" * 20_000, "pässwörd \N{KEY} \u202e", " leading\r\n\n", "a\0b"])
def test_long_and_foreign_secrets(tmp_path: Path, value: str) -> None:
    """20 kB, letters of every script and control characters are no matter."""
    store(tmp_path).put("Long", Secret(value))
    assert store(tmp_path).get("LONG") == Secret(value)


def test_bytes_come_back(tmp_path: Path) -> None:
    """A certificate's file comes back byte for byte; asked for as a text it is refused by name."""
    content = bytes(range(256)) * 40
    store(tmp_path).put_bytes("cert", content)
    assert store(tmp_path).get_bytes("cert") == content
    with pytest.raises(SettingsError, match="store:cert is no text"):
        store(tmp_path).get("cert")


def test_names_are_compared_without_case(tmp_path: Path) -> None:
    """One name, one secret; list shows it as it was written last."""
    kept = store(tmp_path)
    kept.put("Contoso-App", Secret("old"))
    kept.put("CONTOSO-app", Secret("new"))
    assert (kept.names(), kept.entry("contoso-app").name) == (("contoso-app",), "CONTOSO-app")
    assert kept.get("Contoso-App") == Secret("new")


@pytest.mark.parametrize(
    "name",
    [
        *(
            "",
            ".",
            "..",
            "con",
            "NUL",
            "aux.txt",
            "COM1",
            "lpt9.a",
            "a/b",
            "a\\b",
            "a b",
            "a:b",
            "ü",
            "-a",
            "a\n",
        ),
        "x" * 101,
    ],
)
def test_a_name_that_is_none(tmp_path: Path, name: str) -> None:
    """Windows device names, paths, blanks and foreign letters are refused before anything is touched."""
    for attempt in (lambda: store(tmp_path).put(name, Secret("x")), lambda: store(tmp_path).get(name)):
        with pytest.raises(SettingsError, match="is no name for a secret"):
            attempt()
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("value", ["", " ", "\r\n"])
def test_an_empty_secret_is_refused(tmp_path: Path, value: str) -> None:
    """Nothing is no secret; the earlier one stays."""
    kept = store(tmp_path)
    kept.put("app", Secret("earlier"))
    with pytest.raises(SettingsError, match="is empty; nothing was stored"):
        kept.put("app", Secret(value))
    assert kept.get("app") == Secret("earlier")


@POSIX
def test_others_are_kept_out(tmp_path: Path) -> None:
    """The folder has the mode 0700, the file 0600, whatever the umask says."""
    earlier = os.umask(0)
    try:
        store(tmp_path).put("app", Secret("x"))
    finally:
        os.umask(earlier)
    folder = tmp_path / "state" / "secrets"
    modes = [one.stat().st_mode & 0o777 for one in (folder.parent, folder, folder / "app.json")]
    assert modes == [0o700, 0o700, 0o600]


@POSIX
@pytest.mark.parametrize(("mode", "who"), [(0o640, "group"), (0o604, "others"), (0o666, "group, others")])
def test_a_stored_secret_that_others_can_read(tmp_path: Path, mode: int, who: str) -> None:
    """It is not used; who can read it is named, and the hint says to have it renewed."""
    store(tmp_path).put("app", Secret("x"))
    (tmp_path / "state" / "secrets" / "app.json").chmod(mode)
    with pytest.raises(SettingsError, match=f"store:app can be read by {who}") as refused:
        store(tmp_path).get("app")
    assert "renewed" in refused.value.hint


def test_the_vault_protects(tmp_path: Path) -> None:
    """The file does not hold the clear bytes, and opens on its machine only."""
    folder = tmp_path / "secrets"
    Store(folder, Elsewhere("here")).put("app", Secret("c4nary"))
    written = json.loads((folder / "app.json").read_bytes())
    assert written["protection"] == "dpapi-machine"
    assert b"c4nary" not in base64.b64decode(written["content"])
    assert Store(folder, Elsewhere("here")).get("app") == Secret("c4nary")
    with pytest.raises(SettingsError, match="cannot be opened on this machine"):
        Store(folder, Elsewhere("there")).get("app")
    with pytest.raises(SettingsError, match="protected by dpapi-machine, which is not had here"):
        Store(folder, FileVault()).get("app")


def test_a_file_under_another_name(tmp_path: Path) -> None:
    """A secret's file that is renamed to another secret's name does not open: its purpose was its name."""
    kept = Store(tmp_path / "secrets", Elsewhere("here"))
    kept.put("app", Secret("x"))
    (tmp_path / "secrets" / "app.json").rename(tmp_path / "secrets" / "other.json")
    with pytest.raises(SettingsError, match="store:other cannot be opened"):
        kept.get("other")


def test_a_secret_that_is_not_there(tmp_path: Path) -> None:
    """No store, no secret in it, one that was removed: the name, the folder, and how to store it."""
    for attempt in (store(tmp_path).get, store(tmp_path).expiry, store(tmp_path).remove):
        with pytest.raises(SettingsError, match="There is no secret store:app in ") as refused:
            attempt("app")
        assert refused.value.hint == "Store it with `beacon-bridge secret set app`."
    store(tmp_path).put("app", Secret("x"))
    store(tmp_path).remove("APP")
    assert store(tmp_path).names() == ()


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    """A file in the place of the store's folder is named."""
    (tmp_path / "state").write_text("in the way")
    with pytest.raises(SettingsError, match="cannot be used: "):
        store(tmp_path).put("app", Secret("x"))


WHOLE = b'{"version": 1, "name": "app", "protection": "development", "content": "eA=="}'


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        WHOLE[:-1],
        WHOLE[:40],
        WHOLE.replace(b"1", b"2", 1),
        b"\xff\xfe",
        WHOLE.replace(b"eA==", b"!"),
    ],
)
def test_a_damaged_secret(tmp_path: Path, content: bytes) -> None:
    """A file that is not as it was written is named, and can be written and removed all the same."""
    kept = store(tmp_path)
    kept.put("app", Secret("x"))
    file = tmp_path / "state" / "secrets" / "app.json"
    file.write_bytes(content)
    with pytest.raises(SettingsError, match="store:app is damaged"):
        kept.get("app")
    kept.put("app", Secret("y"))
    assert kept.get("app") == Secret("y")


HOLD = """import sys
from filelock import FileLock
with FileLock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_store_that_is_locked(tmp_path: Path) -> None:
    """While another process holds the lock nothing is stored, and the error says so; reading goes on."""
    kept = store(tmp_path)
    kept.put("app", Secret("earlier"))
    lock = tmp_path / "state" / "secrets" / ".lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout
        other.stdout.readline()
        with pytest.raises(SettingsError, match="locked by another process; nothing was stored") as refused:
            kept.put("app", Secret("later"))
        assert refused.value.retryable
        assert kept.get("app") == Secret("earlier")
        other.communicate()
    kept.put("app", Secret("later"))
    assert kept.get("app") == Secret("later")


@POSIX
def test_killed_while_it_stores(tmp_path: Path) -> None:
    """Killed at any instant, the store holds the old value or the new one, whole; the rest is cleared up."""

    def prepare(folder: Path) -> None:
        folder.mkdir()
        store(folder).put("app", Secret("old" * 4000))

    found = set()
    for folder in every_instant(tmp_path, prepare, lambda one: store(one).put("app", Secret("new" * 4000))):
        found.add(store(folder).get("app").reveal()[:3])
        store(folder).put("other", Secret("x"))
        assert store(folder).names() == ("app", "other")
        assert list((folder / "state" / "secrets").glob("*.part")) == []
    assert found == {"old", "new"}


# --- rotation ---


def test_a_value_is_replaced_only_if_nobody_else_did(tmp_path: Path) -> None:
    """The newer value of somebody else stays; the date stays in either case."""
    kept = store(tmp_path)
    kept.put("token", Secret("1"), expires=date(2027, 1, 31))
    assert kept.replace_if("token", Secret("1"), Secret("2"))
    assert not kept.replace_if("token", Secret("1"), Secret("3"))
    assert (kept.get("token"), kept.expiry("token")) == (Secret("2"), date(2027, 1, 31))


COUNT = """import sys
from pathlib import Path
from bridge.model import Secret
from bridge.secrets.store import Store
from bridge.system import FileVault
store = Store(Path(sys.argv[1]), FileVault())
for _ in range(10):
    while not store.replace_if("count", old := store.get("count"), Secret(str(int(old.reveal()) + 1))):
        pass
"""


def test_no_rotation_is_lost(tmp_path: Path) -> None:
    """Three processes that each count ten times, by replacing what they read, count to thirty."""
    Store(tmp_path, FileVault()).put("count", Secret("0"))
    command = [sys.executable, "-c", COUNT, str(tmp_path)]
    with ThreadPoolExecutor(3) as pool:
        done = list(pool.map(lambda _: subprocess.run(command, check=True), range(3)))
    assert len(done) == 3
    assert Store(tmp_path, FileVault()).get("count") == Secret("30")


@POSIX
def test_rights_for_an_account_are_windows_only(tmp_path: Path) -> None:
    """Elsewhere --for is refused, and nothing is stored."""
    with pytest.raises(SettingsError, match="Rights for the account 'svc' can be given on Windows only"):
        store(tmp_path).put("app", Secret("x"), account="svc")
    assert list((tmp_path / "state" / "secrets").glob("app*")) == []


@POSIX
def test_the_account_is_kept(tmp_path: Path) -> None:
    """A new value keeps the account of the earlier one, which is none here, and so fails."""
    kept = store(tmp_path)
    kept.put("app", Secret("x"))
    file = tmp_path / "state" / "secrets" / "app.json"
    file.write_bytes(file.read_bytes().replace(b'"for": null', b'"for": "svc"'))
    file.chmod(0o640)
    with pytest.raises(SettingsError, match="Rights for the account 'svc'"):
        kept.put("app", Secret("y"))


# --- references ---


def secrets(folder: Path, environment: dict[str, str] | None = None) -> Secrets:
    """Return what fetches from an environment, no standard input, and the store below a folder."""
    return Secrets(environment or {}, lambda: "", store(folder))


def private(path: Path, content: bytes) -> SecretReference:
    """Write a file that nobody else can read and return the reference to it."""
    path.touch(mode=0o600)
    path.write_bytes(content)
    return SecretReference("file", str(path))


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"s3cret", "s3cret"),
        (b"s3cret\n", "s3cret"),
        (b"s3cret\r\n", "s3cret"),
        (b"s3cret\n\n", "s3cret\n"),
        (b"\xef\xbb\xbfs\xc3\xa9cret", "sécret"),
        ("sécret\r\n".encode("utf-16"), "sécret"),
        (b" s3cret ", " s3cret "),
    ],
)
def test_a_secret_in_a_file(tmp_path: Path, content: bytes, text: str) -> None:
    """Its text counts without one newline at the end and without a mark; its bytes are as they are."""
    reference = private(tmp_path / "secret.txt", content)
    assert secrets(tmp_path).fetch(reference) == Secret(text)
    assert secrets(tmp_path).fetch_bytes(reference) == content


@POSIX
@pytest.mark.parametrize(("mode", "who"), [(0o640, "group"), (0o644, "group, others")])
def test_a_file_that_others_can_read(tmp_path: Path, mode: int, who: str) -> None:
    """It is refused, and who can read it is named."""
    reference = private(tmp_path / "secret.txt", b"x")
    Path(reference.name).chmod(mode)
    for fetch in (secrets(tmp_path).fetch, secrets(tmp_path).fetch_bytes):
        with pytest.raises(SettingsError, match=f"can be read by {who}"):
            fetch(reference)


@POSIX
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away")
def test_a_file_of_somebody_else(tmp_path: Path) -> None:
    """Its owner can read it, whatever its mode says."""
    reference = private(tmp_path / "secret.txt", b"x")
    os.chown(reference.name, 12345, -1)
    with pytest.raises(SettingsError, match=r"can be read by its owner \(user 12345\)"):
        secrets(tmp_path).fetch(reference)


@pytest.mark.parametrize(
    ("content", "said"), [(None, "cannot be read: No such file"), (b"", "is empty"), (b" \r\n", "is empty")]
)
def test_a_file_without_a_secret(tmp_path: Path, content: bytes | None, said: str) -> None:
    """One that is not there, or empty, is named."""
    reference = SecretReference("file", str(tmp_path / "secret.txt"))
    if content is not None:
        reference = private(tmp_path / "secret.txt", content)
    with pytest.raises(SettingsError, match=said):
        secrets(tmp_path).fetch(reference)


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    """A PFX in the place of a text is refused, and nothing of it is shown."""
    reference = private(tmp_path / "cert.pfx", b"0\x82\x0b\xadcanary")
    with pytest.raises(SettingsError, match=r"is no text \(byte 1\)") as refused:
        secrets(tmp_path).fetch(reference)
    assert "canary" not in str(refused.value)


PFX = b"0\x82\x0b\xad" + bytes(range(200))
PEM = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


def test_certificates_come_as_files_pem_or_base64(tmp_path: Path) -> None:
    """The store gives the file's bytes, or what a base64 text stands for; so does a variable, also PEM."""
    store(tmp_path).put_bytes("pfx", PFX)
    store(tmp_path).put("typed", Secret(base64.encodebytes(PFX).decode()))
    fetch = secrets(tmp_path, {"PFX": base64.b64encode(PFX).decode(), "PEM": PEM}).fetch_bytes
    found = [
        fetch(SecretReference(*one.split(":"))) for one in ("store:pfx", "store:typed", "env:PFX", "env:PEM")
    ]
    assert found == [PFX, PFX, PFX, PEM.encode()]


def test_a_certificate_that_is_none(tmp_path: Path) -> None:
    """A variable that holds neither PEM nor the base64 of a PFX is refused, and the hint names --file."""
    with pytest.raises(SettingsError, match="env:PFX is neither") as refused:
        secrets(tmp_path, {"PFX": "not a certificate"}).fetch_bytes(SecretReference("env", "PFX"))
    assert "--file PATH" in refused.value.hint


RING = """import sys
from bridge.errors import SettingsError
from bridge.secrets import ring
{before}
try:
    print(ring.get("app"))
except SettingsError as error:
    print(error, error.hint, error.exit_code)
"""


def from_ring(backend: str, before: str = "") -> str:
    """Return what a process with that keyring backend says of the secret ``app``."""
    environment = {**os.environ, "PYTHON_KEYRING_BACKEND": backend}
    done = subprocess.run(
        [sys.executable, "-c", RING.format(before=before)],
        env=environment,
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_a_keyring_of_ones_own() -> None:
    """keyring:NAME is what the account's keyring holds for the service beacon-bridge."""
    pytest.importorskip("keyring", reason="the extra keyring is not installed")
    assert from_ring("tests.ring.Ring") == "beacon-bridge's app"


@pytest.mark.parametrize(
    ("backend", "said"),
    [
        ("keyring.backends.fail.Keyring", "said NoKeyringError."),
        ("keyring.backends.null.Keyring", "is not in this account's keyring."),
    ],
)
def test_a_keyring_without_the_secret(backend: str, said: str) -> None:
    """No keyring here, or no such secret in it: each is named, with exit code 3."""
    pytest.importorskip("keyring", reason="the extra keyring is not installed")
    told = from_ring(backend)
    assert said in told
    assert told.endswith(" 3")


def test_the_extra_is_not_installed() -> None:
    """Without the package keyring, the hint is the command that installs it."""
    told = from_ring("", before="sys.modules['keyring'] = None")
    assert 'pip install "beacon-bridge[keyring]"' in told


# --- expiry ---


def test_last_days_are_told(tmp_path: Path) -> None:
    """From 30 days before, and ever after, a stored secret is warned of; no sooner, and no other."""
    kept = store(tmp_path)
    kept.put("near", Secret("x"), expires=date(2027, 1, 31))
    kept.put("far", Secret("x"), expires=date(2027, 2, 1))
    kept.put("gone", Secret("x"), expires=date(2026, 12, 31))
    kept.put("never", Secret("x"))
    names = ("near", "far", "gone", "never", "near")
    parameters = {f"P{number}": SecretReference("store", name) for number, name in enumerate(names)}
    connection = Connection("C", "r", "t", parameters=parameters)
    found = expiry.each(connection, secrets(tmp_path), kept)
    assert expiry.expiring(found, date(2027, 1, 1)) == [
        "store:near expires on 2027-01-31, in 30 days: renew it",
        "store:gone expired on 2026-12-31: renew it",
    ]


# --- guises ---

CANARY = "c4n/ry+s3cret?&=ü~"


@given(before=st.binary(max_size=9), after=st.binary(max_size=9))
@settings(max_examples=80, deadline=None)
def test_base64_at_every_alignment_is_hidden(before: bytes, after: bytes) -> None:
    """Whatever stands before and after it in what was encoded, none of its own digits is left."""
    for content in (CANARY.encode(), CANARY.encode("utf-16-le")):
        digits = base64.b64encode(before + content + after).decode()
        left = hide(digits, guises([CANARY])).split("***")
        assert len(left) == 2
        assert len("".join(left)) <= len(base64.b64encode(before + after)) + 8


@pytest.mark.parametrize(
    "shown",
    [
        CANARY,
        quote(CANARY, safe=""),
        quote(CANARY),
        quote_plus(CANARY),
        quote(CANARY, safe=";/?:@&=+$,#[]!'()*"),
        "c4n%2fry%2bs3cret%3f%26%3d%c3%bc~",
        CANARY.encode("utf-16-le").hex(),
        CANARY.encode("utf-16-le").hex().upper(),
        json.dumps(CANARY)[1:-1],
        CANARY.replace("&", "&amp;"),
    ],
)
def test_a_guise_is_hidden(shown: str) -> None:
    """Plain, URL-encoded by Python's and .NET's habits, UTF-16 in hex, as JSON and as XML write it."""
    assert hide(f"GET /x?key={shown}&y=1", guises([CANARY])) == "GET /x?key=***&y=1"


@pytest.mark.parametrize(
    "shown",
    [
        r"it\u0027s \u003ca\u003e \u0026 \"b\" of ü",
        r"it\u0027s \u003ca\u003e \u0026 \"b\" of \u00fc",
        'it\'s &lt;a&gt; &amp; "b" of ü',
        "it&apos;s &lt;a&gt; &amp; &quot;b&quot; of ü",
        "it&#39;s &lt;a&gt; &amp; &quot;b&quot; of ü",
        "it''s <a> & \"b\" of ü",
        'it\'s <a> & ""b"" of ü',
    ],
)
def test_quotes_and_brackets_are_hidden(shown: str) -> None:
    """A secret with quotes and brackets is hidden as ConvertTo-Json of 5.1, XML and PowerShell write it."""
    assert hide(f"x={shown};", guises(['it\'s <a> & "b" of ü'])) == "x=***;"


def test_a_line_that_was_cut(tmp_path: Path) -> None:
    """The beginning of a secret at the end of a line is hidden, too."""
    shown = guises(["0123456789" * 2000])
    assert hide("token " + ("0123456789" * 400)[:3990], shown) == "token ***"
    assert hide("innocent 0123456789 text", guises(["0123456789abcdef"])) == "innocent 0123456789 text"


def test_lines_of_a_long_secret() -> None:
    """A secret of several lines is hidden line by line, as a log gets it."""
    shown = guises(["first line of it\nsecond line of it"])
    assert hide("second line of it", shown) == "***"


def test_innocent_text_stays() -> None:
    """What a short secret would be encoded as is left alone; only the secret itself is hidden."""
    assert hide("k = YWI= and 61006200", guises(["ab"])) == "k = YWI= and 61006200"
    assert decoded(b"x\n") == "x"
