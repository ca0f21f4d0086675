"""`beacon-bridge connection add`: a tenant more, and nothing else changed."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bridge import cli, settings
from bridge.enrolment import Interview
from bridge.errors import SettingsError
from bridge.model import Granted, Parameter, SecretReference
from tests.folders import make_reader_folder

OLD = """# Kept by hand; do not reorder.
[beacon]   # the beacon of Zürich
saas_management = "unknown"  # ask Zoë

[bridge]
state = 'state'

[connections."Contoso EU"]  # the first
reader = 'READER'
tenant = "contoso.example"
parameters = { ServiceUrl = "https://badges.example", ApiKey = { secret = "env:KEY" } }
"""


@dataclass
class Site:
    """A settings file with one connection, and a reader folder."""

    home: Path
    reader: Path

    @property
    def file(self) -> Path:
        """The settings file."""
        return self.home / "bridge.toml"

    @property
    def wanted(self) -> dict[str, Any]:
        """A connection that is right."""
        key = {"secret": "store:fabrikam-key"}
        parameters = {"ServiceUrl": "https://badges.example", "ApiKey": key}
        return {"reader": str(self.reader), "tenant": "fabrikam.example", "parameters": parameters}

    def add(self, wanted: object, name: str = "Fabrikam 2") -> int:
        """Add a connection from a JSON file."""
        (self.home / "wanted.json").write_text(json.dumps(wanted), "utf-8")
        words = ["--from", str(self.home / "wanted.json"), "--config", str(self.file)]
        return cli.main(["connection", "add", name, *words])

    def settings(self) -> settings.Settings:
        """The settings as they are now."""
        return settings.load(self.file, {}, self.home)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Settings with comments, and text that is not ASCII."""
    reader = make_reader_folder(tmp_path / "readers")
    site = Site(tmp_path, reader)
    site.file.write_bytes(OLD.replace("READER", str(reader)).encode())
    yield site
    assert list(tmp_path.glob("bridge.toml.*")) == [], "nothing half made stays behind"


def test_the_rest_of_the_file_stays_as_it_is(site: Site) -> None:
    """Byte for byte, comments too; the new connection is understood."""
    old = site.file.read_bytes()
    site.file.chmod(0o640)
    assert site.add(site.wanted) == 0
    assert site.file.read_bytes().startswith(old)
    assert site.file.stat().st_mode & 0o777 == 0o640
    added = site.settings().connection("Fabrikam 2")
    assert (added.tenant, added.reader) == ("fabrikam.example", str(site.reader))
    assert added.parameters["ApiKey"] == SecretReference("store", "fabrikam-key")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_encoding_and_ends_of_lines_stay(site: Site, encoding: str, end: str) -> None:
    """As Notepad saved it, so it stays; the new lines end like the others."""
    text = site.file.read_text("utf-8").replace("\n", end)
    site.file.write_bytes(text.encode(encoding))
    assert site.add(site.wanted) == 0
    new = site.file.read_bytes().decode(encoding)
    assert new.startswith(text)
    assert new.count("\n") == new.count(end)
    assert set(site.settings().connections) == {"Contoso EU", "Fabrikam 2"}


def test_saas_management_is_the_only_word_that_changes(site: Site) -> None:
    """Its value is replaced where it stands; its comment and all else stay."""
    old = site.file.read_text("utf-8")
    assert site.add({**site.wanted, "saas_management": "no"}) == 0
    kept = old.replace('saas_management = "unknown"', 'saas_management = "no"')
    assert site.file.read_text("utf-8").startswith(kept)
    assert site.settings().saas_management == "no"


def test_a_sign_in_and_a_cloud_of_ones_own(site: Site) -> None:
    """Tables within the connection's are written so that they are read again as they were meant."""
    wanted = site.wanted
    wanted["parameters"]["ApiKey"] = {"token": True}
    wanted["cloud"] = {"authority": "https://login.example", "graph": "https://graph.example"}
    client = "11111111-2222-3333-4444-555555555555"
    wanted["signin"] = {"flow": "secret", "client_id": client, "secret": "store:app"}
    wanted["minutes"] = {"run": 30}
    assert site.add(wanted) == 0
    added = site.settings().connection("Fabrikam 2")
    assert added.sign_in
    assert (added.sign_in.flow, added.sign_in.secret) == ("secret", SecretReference("store", "app"))
    assert added.cloud.graph == "https://graph.example"
    assert added.parameters["ApiKey"] is Granted.TOKEN
    assert added.minutes.run == 30
    assert site.add(site.wanted | {"tenant": "third.example"}, "Dritte Größe") == 0
    assert len(site.settings().connections) == 3


Change = Callable[[dict[str, Any]], object]
WRONG: dict[str, tuple[Change, str]] = {
    "a mandatory parameter is missing": (lambda it: it["parameters"].pop("ServiceUrl"), "nothing fills it"),
    "an unknown parameter": (lambda it: it["parameters"].update(Url="x"), "no such parameter"),
    "a secret in plain text": (lambda it: it["parameters"].update(ApiKey="s3cret-word"), "must not stand"),
    "a token without a sign-in": (lambda it: it["parameters"].update(ApiKey={"token": True}), "no signin"),
    "an unknown key": (lambda it: it.update(tenent="x"), "Did you mean 'tenant'?"),
    "a tenant with blanks": (lambda it: it.update(tenant="con toso"), "a tenant id or one of"),
    "the tenant of another": (lambda it: it.update(tenant="contoso.example"), "tenant"),
    "an unknown cloud": (lambda it: it.update(cloud="moon"), "cloud"),
    "no reader": (lambda it: it.pop("reader"), "this key is missing"),
    "a wrong word for SaaS": (lambda it: it.update(saas_management="perhaps"), "expected yes, no, unknown"),
    "half a character": (lambda it: it.update(deliver_to="\ud800"), r"half a character, '\ud800'"),
    "null": (lambda it: it.update(tenant=None), "holds what TOML does not"),
}


@pytest.mark.parametrize(("change", "said"), WRONG.values(), ids=WRONG)
def test_a_wrong_one_changes_nothing(
    site: Site, change: Change, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The old file stays, the sentence names what is wrong, and a secret is not shown."""
    old, wanted = site.file.read_bytes(), site.wanted
    change(wanted)
    assert site.add(wanted) == 3
    err = capsys.readouterr().err
    assert said in err
    assert "s3cret-word" not in err
    assert "bridge.toml.new" not in err
    assert site.file.read_bytes() == old


def test_the_first_connection_makes_the_file(site: Site) -> None:
    """A settings file that --config names need not be there yet; a wrong connection makes none."""
    site.file.unlink()
    assert site.add({**site.wanted, "tenent": "x"}) == 3
    assert not site.file.exists()
    assert site.add(site.wanted) == 0
    assert set(site.settings().connections) == {"Fabrikam 2"}


@pytest.mark.parametrize("name", ["contoso eu", "Contoso EU", "_x", "a/b", "a\nb", 'a"b', ""])
def test_a_name_that_is_taken_or_none(site: Site, name: str) -> None:
    """Names are compared without case, as the beacon's folders are; a name that is none is refused."""
    old = site.file.read_bytes()
    assert site.add(site.wanted, name) == 3
    assert site.file.read_bytes() == old


def test_a_reader_that_is_not_there(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """It is an error of the beacon, before anything is written."""
    old = site.file.read_bytes()
    assert site.add({**site.wanted, "reader": str(site.home / "nowhere")}) == 4
    assert site.file.read_bytes() == old
    assert "nowhere" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"[1]", b"{", b'"x"', b"\xff\xfe{}"])
def test_a_file_that_is_no_json_object(site: Site, content: bytes) -> None:
    """Empty, a list, half an object, another encoding."""
    (site.home / "odd.json").write_bytes(content)
    words = ["--from", str(site.home / "odd.json"), "--config", str(site.file)]
    assert cli.main(["connection", "add", "X", *words]) == 3


# --- asked one by one ---


@dataclass
class Answers:
    """Somebody who answers in turn, and takes the default for an empty answer."""

    answers: list[str]
    asked: list[str] = field(default_factory=list)

    def __call__(self, question: str, default: str = "") -> str:
        """Answer the next question."""
        self.asked.append(question)
        return self.answers.pop(0) or default


PARAMETERS = (
    Parameter("ServiceUrl", "Badge service", "text", mandatory=True, secret=False),
    Parameter("Region", "Region", "text", mandatory=False, secret=False),
    Parameter("ApiKey", "API key", "password", mandatory=True, secret=True),
)


def hold(answers: list[str]) -> tuple[dict[str, object], str | None, list[str], list[str]]:
    """Hold an interview; return the table, the word on SaaS, what was told, which secrets were stored."""
    told: list[str] = []
    stored: list[str] = []
    talk = Interview(Answers(answers), told.append, stored.append)
    wanted = talk.hold(
        "Contoso EU", ["Badge Service", "bridge:Microsoft 365"], lambda _, __: PARAMETERS, "unknown"
    )
    assert answers == [], "every answer was wanted"
    return dict(wanted.table), wanted.saas_management, told, stored


def test_everything_is_asked_one_by_one() -> None:
    """Reader, tenant, cloud, sign-in, each parameter, destination, SaaS; wrong answers are asked again."""
    table, saas, told, stored = hold(
        [
            "3",
            "1",
            "",
            "contoso.example",
            "",
            "none",
            "",
            "https://b.example",
            "",
            "",
            "yes",
            r"D:\Outbox",
            "no",
        ]
    )
    assert table == {
        "reader": "Badge Service",
        "tenant": "contoso.example",
        "parameters": {"ServiceUrl": "https://b.example", "ApiKey": {"secret": "store:contoso-eu-apikey"}},
        "deliver_to": r"D:\Outbox",
    }
    assert saas == "no"
    assert told == ["'3' is none of these.", "This one is needed.", "This one is needed."]
    assert stored == ["contoso-eu-apikey"]


def test_a_sign_in_is_asked_for() -> None:
    """Its flow, app, credential and passphrase; a secret parameter may then be its token."""
    client = "11111111-2222-3333-4444-555555555555"
    table, _, _, stored = hold(
        [
            "",
            "t.example",
            "gcc-high",
            "certificate",
            client,
            "",
            "no",
            "yes",
            "env:WORD",
            "u",
            "eu",
            "",
            "",
            "",
        ]
    )
    assert table["signin"] == {
        "flow": "certificate",
        "client_id": client,
        "certificate": "store:contoso-eu-certificate",
        "passphrase": "env:WORD",
    }
    assert table["cloud"] == "gcc-high"
    assert table["parameters"] == {"ServiceUrl": "u", "Region": "eu", "ApiKey": {"token": True}}
    assert stored == []


def test_a_secret_that_is_typed_for_its_place_is_not_kept() -> None:
    """A word that is no place of secrets is asked for again, and is neither repeated nor written."""
    client = "11111111-2222-3333-4444-555555555555"
    typed = ["Hunter2CANARY", "store:Hunter2 CANARY", "store:CON", "vault:Hunter2CANARY", "env: "]
    answers = ["", "t.example", "", "certificate", client, typed[0], "", "no"]
    answers += ["yes", *typed, "", "no", "u", "", *typed, "", "", ""]
    table, _, told, _ = hold(answers)
    assert table["signin"] == {
        "flow": "certificate",
        "client_id": client,
        "certificate": "store:contoso-eu-certificate",
        "passphrase": "store:contoso-eu-passphrase",
    }
    assert table["parameters"] == {"ServiceUrl": "u", "ApiKey": {"token": True}}
    assert len(told) == 11
    assert "Hunter2" not in f"{table} {told}"


def test_the_command_asks_and_stores(site: Site) -> None:
    """On a terminal: the answers become a connection, and a secret that was typed unseen is in the store."""
    answers = ["bridge:Microsoft 365", "fabrikam.example", "global", "none", "https://graph.microsoft.com"]
    answers += ["store:fabrikam-token", "yes", "t0ken-typed", "t0ken-typed", "", "yes"]
    done = CliRunner().invoke(
        cli.group,
        ["connection", "add", "Fabrikam", "--config", str(site.file)],
        input="\n".join(answers) + "\n",
    )
    assert "Fabrikam is added" in done.stdout
    added = tomllib.loads(site.file.read_text("utf-8"))
    assert added["connections"]["Fabrikam"]["parameters"] == {
        "GraphRoot": "https://graph.microsoft.com",
        "AccessToken": {"secret": "store:fabrikam-token"},
    }
    assert added["beacon"]["saas_management"] == "yes"
    assert len(list((site.home / "state" / "secrets").glob("fabrikam-token*"))) == 1
    assert "t0ken-typed" not in done.output + site.file.read_text("utf-8")


SIGN_IN = {"flow": "secret", "client_id": "11111111-2222-3333-4444-555555555555", "secret": "store:app"}


def test_what_the_cloud_fills_need_not_be_given(site: Site) -> None:
    """Our own folder with a sign-in is added without a GraphRoot, as it runs; without one it is demanded."""
    parameters = {"AccessToken": {"token": True}}
    wanted = {"reader": "bridge:Microsoft 365", "tenant": "fabrikam.example", "parameters": parameters}
    assert site.add({**wanted, "signin": SIGN_IN}) == 0
    assert set(site.settings().connection("Fabrikam 2").parameters) == {"AccessToken"}
    bare = {**wanted, "tenant": "other.example", "parameters": {"AccessToken": {"secret": "store:x"}}}
    assert site.add(bare, "Other") == 3


def test_what_the_cloud_fills_may_be_left_empty(site: Site) -> None:
    """The interview takes an empty GraphRoot once there is a sign-in."""
    answers = ["bridge:Microsoft 365", "fabrikam.example", "global", "secret", SIGN_IN["client_id"], "", "no"]
    answers += ["", "", "", "unknown"]
    done = CliRunner().invoke(
        cli.group,
        ["connection", "add", "Fabrikam", "--config", str(site.file)],
        input="\n".join(answers) + "\n",
    )
    assert "Fabrikam is added" in done.stdout, done.output
    assert set(site.settings().connection("Fabrikam").parameters) == {"AccessToken"}


def test_a_mandatory_parameter_that_nothing_fills_starts_nothing(site: Site) -> None:
    """Settings that were edited by hand: no run folder is made for a connection that cannot run."""
    text = site.file.read_text("utf-8").replace('ServiceUrl = "https://badges.example",', "")
    site.file.write_text(text, "utf-8")
    assert cli.main(["run", "Contoso EU", "--config", str(site.file)]) == SettingsError.exit_code
    assert list((site.home / "state").glob("runs/*")) == []
