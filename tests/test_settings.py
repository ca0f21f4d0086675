"""bridge.toml: what it may say, and how it says what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge import settings
from bridge.errors import SettingsError
from bridge.model import (
    Cloud,
    Connection,
    Granted,
    Minutes,
    Owner,
    Parameter,
    Reader,
    Secret,
    SecretReference,
    SignIn,
    Web,
)
from bridge.secrets.fetch import Secrets
from bridge.secrets.store import Store
from bridge.secrets.values import values
from bridge.show.example import EXAMPLE
from bridge.system import FileVault


def load(folder: Path, text: str | bytes) -> settings.Settings:
    """Write a settings file and read it."""
    path = folder / "bridge.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return settings.load(path, {}, folder)


NO_STORE = Store(Path("nowhere"), FileVault())
CONNECTION = '[connections."Contoso EU"]\nreader = "bridge:Microsoft 365"\ntenant = "contoso.example"\n'


SIGN_IN = (
    CONNECTION + '[connections."Contoso EU".signin]\nflow = "secret"\n'
    'client_id = "AAAAAAAA-1111-1111-1111-111111111111"\nsecret = "store:app"\n'
)


def test_a_sign_in_is_read(tmp_path: Path) -> None:
    """The flow, the app, and where its credential rests; the cloud is the global one unless it is named."""
    found = load(tmp_path, SIGN_IN).connection("Contoso EU")
    app = "aaaaaaaa-1111-1111-1111-111111111111"
    assert found.sign_in == SignIn("secret", app, secret=SecretReference("store", "app"))
    assert found.cloud.graph == "https://graph.microsoft.com"


def test_a_cloud_is_named_or_described(tmp_path: Path) -> None:
    """National clouds have names; any other is an authority and a Graph root."""
    dod = load(tmp_path, CONNECTION + 'cloud = "dod"\n').connection("Contoso EU").cloud
    assert (dod.authority, dod.graph) == (
        "https://login.microsoftonline.us",
        "https://dod-graph.microsoft.us",
    )
    own = 'cloud = { authority = "https://login.example/", graph = "https://graph.example" }\n'
    found = load(tmp_path, CONNECTION + own).connection("Contoso EU").cloud
    assert found == Cloud("own", "https://login.example", "https://graph.example")


def test_parameters_may_be_granted(tmp_path: Path) -> None:
    """A parameter gets what the sign-in grants: an access token, or the redeemed refresh token."""
    text = CONNECTION + "parameters = { A = { token = true }, B = { refresh_token = true } }\n"
    found = load(tmp_path, text).connection("Contoso EU").parameters
    assert found == {"A": Granted.TOKEN, "B": Granted.REFRESH_TOKEN}


def test_the_network_is_described_once(tmp_path: Path) -> None:
    """Proxy, its account, what goes around it, and an own CA bundle beside the settings file."""
    text = (
        '[http]\nproxy = "http://proxy.example:8080"\nproxy_user = "svc"\nproxy_password = "store:proxy"\n'
        'no_proxy = ["localhost"]\nca_bundle = "ca.pem"\n'
    )
    password = SecretReference("store", "proxy")
    expected = Web("http://proxy.example:8080", "svc", password, ("localhost",), tmp_path / "ca.pem")
    assert load(tmp_path, text).web == expected
    assert load(tmp_path, "").web == Web()


def test_the_printed_example_is_valid(tmp_path: Path) -> None:
    """What `settings --example` prints can be used as it is."""
    found = load(tmp_path, EXAMPLE).connection("Contoso EU")
    assert found.minutes == Minutes(120, 600, 30)
    assert found.sign_in is not None
    assert found.sign_in.secret == SecretReference("store", "contoso-app")
    assert found.skip_patterns == settings.SKIP_PATTERNS


def test_a_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    """Notepad's UTF-8 mark is no error."""
    assert load(tmp_path, b"\xef\xbb\xbf" + CONNECTION.encode()).connections


def test_what_windows_powershell_redirects_is_read(tmp_path: Path) -> None:
    """`settings --example > bridge.toml` in Windows PowerShell writes UTF-16 with a mark."""
    assert load(tmp_path, EXAMPLE.replace("\n", "\r\n").encode("utf-16")).connections


def test_a_file_in_another_encoding_is_named(tmp_path: Path) -> None:
    """An umlaut in an old code page is an error with its place."""
    with pytest.raises(SettingsError, match=r"is no UTF-8 text \(byte 4\)"):
        load(tmp_path, "# Größe".encode("cp1252"))


def test_a_relative_path_counts_from_the_file(tmp_path: Path) -> None:
    """A scheduled task's working folder is nobody's business."""
    found = load(tmp_path, f"[bridge]\nstate = 'here'\n{CONNECTION}deliver_to = '../out'\n")
    assert found.state == tmp_path / "here"
    assert found.connection("Contoso EU").deliver_to == tmp_path / ".." / "out"


def test_no_default_file_means_no_connections(tmp_path: Path) -> None:
    """A new machine has no settings and still can list and check."""
    found = settings.load(None, {}, tmp_path)
    assert (found.file, dict(found.connections), found.state) == (None, {}, tmp_path)


def test_a_named_file_must_be_there(tmp_path: Path) -> None:
    """--config with a wrong path is not taken for an empty file."""
    with pytest.raises(SettingsError, match="cannot be read"):
        settings.load(tmp_path / "other.toml", {}, tmp_path)


@pytest.mark.parametrize(
    ("chosen", "environment", "expected"),
    [
        (Path("a.toml"), {"BEACON_BRIDGE_CONFIG": "b.toml"}, Path("a.toml")),
        (None, {"BEACON_BRIDGE_CONFIG": "b.toml"}, Path("b.toml")),
        (None, {}, Path("state/bridge.toml")),
    ],
)
def test_which_file_counts(chosen: Path | None, environment: dict[str, str], expected: Path) -> None:
    """The option comes before the variable, and that before the state folder."""
    assert settings.config_path(chosen, environment, Path("state")) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[beacn]\n", "beacn: there is no such key. Did you mean 'beacon'?"),
        ("[beacon]\nrot = 'x'\n", "beacon.rot: there is no such key. Did you mean 'root'?"),
        ('[beacon]\nrelease = "24"\n', 'beacon.release: expected a release such as "2024 R1".'),
        ('[beacon]\nsaas_management = "maybe"\n', "saas_management: expected 'yes', 'no' or 'unknown'."),
        ("connections = 3\n", "connections: expected a table."),
        ('[connections.A]\nreader = "x"\n', "connections.A.tenant: this key is missing."),
        (CONNECTION + 'tenat = "x"\n', '"Contoso EU".tenat: there is no such key. Did you mean'),
        (CONNECTION + "minutes = { stp = 1 }\n", '"Contoso EU".minutes.stp: there is no such key.'),
        (CONNECTION + "minutes = { run = inf }\n", "minutes.run: expected less than or equal to 5270400."),
        (CONNECTION + "minutes = { run = nan }\n", "minutes.run: expected"),
        (CONNECTION + "minutes = { step = -1 }\n", "minutes.step: expected greater than or equal to 0."),
        (CONNECTION + 'engine = "perl"\n', "engine: expected 'powershell' or 'native'."),
        (CONNECTION + "parameters = { A = 4 }\n", "parameters.A: expected a text."),
        (
            CONNECTION + 'parameters = { A = { secret = "bare" } }\n',
            'expected "store:NAME", "file:PATH", "env:NAME", "stdin:NAME" or "keyring:NAME".',
        ),
        (CONNECTION + 'parameters = { A = { sekret = "env:X" } }\n', "parameters.A.sekret: there is no such"),
        (CONNECTION + "parameters = { A = { token = false } }\n", "parameters.A.token: expected True."),
        (
            CONNECTION + 'cloud = "mars"\n',
            "cloud: expected 'global', 'gcc', 'gcc-high', 'dod' or '21vianet'.",
        ),
        (
            CONNECTION + 'cloud = { authority = "http://a", graph = "https://g" }\n',
            "cloud.authority: expected an h",
        ),
        (CONNECTION.replace("contoso.example", "a tenant"), "tenant: expected a tenant id or one of"),
        (CONNECTION.replace("contoso.example", "common"), "tenant: expected a tenant id or one of"),
        (CONNECTION.replace("contoso.example", "Organizations"), "tenant: expected a tenant id or one of"),
        (
            SIGN_IN.replace("client_id", "client"),
            "signin.client: there is no such key. Did you mean 'client_id'?",
        ),
        (SIGN_IN.replace("1111-", "1111"), "signin.client_id: expected an application (client) id"),
        (SIGN_IN.replace('"secret"', '"certificate"'), "signin: expected the key certificate, such as"),
        (SIGN_IN + 'passphrase = "env:P"\n', "signin: expected no key passphrase for the flow secret."),
        ('[http]\nproxy = "http://me:pw@proxy"\n', 'http.proxy: expected "system", "none" or an address'),
        (CONNECTION + 'skip_patterns = ["("]\n', "skip_patterns.0: expected a regular expression"),
        ('[connections._A]\nreader = "x"\ntenant = "t"\n', "_A: expected a name of letters, digits"),
        ('x = "C:\\Prog"\n', "at line 1, column"),
    ],
)
def test_a_wrong_key_is_named_with_its_place(tmp_path: Path, text: str, expected: str) -> None:
    """Each finding says the file, the dotted key, what was expected, and the nearest valid key."""
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, text)
    assert expected in str(caught.value)
    assert str(tmp_path / "bridge.toml") in str(caught.value)


def test_findings_show_no_values(tmp_path: Path) -> None:
    """A secret typed into the wrong place is not repeated on the screen."""
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, CONNECTION + 'parameters = { A = { secret = "hunter2-canary" } }\n')
    assert "hunter2-canary" not in str(caught.value)


def test_two_connections_for_one_tenant_and_reader_are_refused(tmp_path: Path) -> None:
    """One connection serves all subscriptions of a tenant."""
    with pytest.raises(SettingsError, match="read the same tenant"):
        load(tmp_path, CONNECTION + CONNECTION.replace("Contoso EU", "Other").replace("contoso", "CONTOSO"))


def test_names_that_differ_only_in_case_are_refused(tmp_path: Path) -> None:
    """They would share a lock on Windows."""
    with pytest.raises(SettingsError, match="differ only in case"):
        load(tmp_path, CONNECTION + CONNECTION.replace("Contoso EU", "contoso eu").replace("n.ex", "o.ex"))


def test_both_readers_for_one_tenant_are_warned_of(tmp_path: Path) -> None:
    """The current and the deprecated connector count the same licences twice."""
    old = CONNECTION.replace("Contoso EU", "Old").replace("bridge:Microsoft 365", "Microsoft Office 365")
    assert "counted twice" in load(tmp_path, CONNECTION + old).warnings[0]


def test_an_unknown_connection_names_the_nearest(tmp_path: Path) -> None:
    """A typing error on the command line gets a suggestion."""
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, CONNECTION).connection("Contoso UE")
    assert caught.value.hint == "Did you mean 'Contoso EU'?"


# --- parameters ---

READER = Reader(
    name="Badge Service",
    folder=Path("x"),
    owner=Owner.PATH,
    parameters=(
        Parameter("ServiceUrl", "Badge service", "text", mandatory=True, secret=False),
        Parameter("ApiKey", "API key", "password", mandatory=True, secret=True),
        Parameter("Site", "Site", "text", mandatory=False, secret=False),
    ),
    scripts=(),
    test=None,
    version_check=None,
    steps=(),
    hashes={},
)


def fill(parameters: dict[str, str | SecretReference], environment: dict[str, str] | None = None) -> object:
    """Fill READER's parameters from a connection's."""
    connection = Connection("A", "Badge Service", "t", parameters=parameters)
    return values(connection, READER, Secrets(environment or {}, lambda: "KEY=from=stdin\n", NO_STORE))


def test_secrets_come_from_the_environment_and_from_standard_input() -> None:
    """env:NAME and stdin:NAME are fetched; an optional parameter that nothing fills is empty."""
    expected = {"ServiceUrl": "u", "ApiKey": Secret("from=stdin"), "Site": ""}
    assert fill({"ServiceUrl": "u", "ApiKey": SecretReference("stdin", "KEY")}) == expected
    expected["ApiKey"] = Secret("e")
    assert fill({"ServiceUrl": "u", "ApiKey": SecretReference("env", "K")}, {"K": "e"}) == expected


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"ServiceUrl": "u"}, "nothing fills it"),
        ({"ServiceUrl": "u", "ApiKey": "plain"}, "must not stand in the settings file"),
        ({"ServiceUrl": "u", "ApiKey": SecretReference("env", "K")}, "The secret env:K is not there."),
        ({"ServiceUrl": "u", "ApiKey": SecretReference("stdin", "N")}, "The secret stdin:N is not there."),
        ({"ServiceUri": "u"}, "has no such parameter"),
    ],
)
def test_parameters_that_cannot_be_filled(
    parameters: dict[str, str | SecretReference], expected: str
) -> None:
    """Every parameter is settled before anything starts."""
    with pytest.raises(SettingsError, match=expected):
        fill(parameters)


def test_a_secret_does_not_show_itself() -> None:
    """Neither repr, str nor a format shows the text."""
    secret = Secret("canary")
    assert "canary" not in f"{secret} {secret!r} {secret:>30} {[secret]}"


def test_a_secrets_file_counts_from_the_settings_file(tmp_path: Path) -> None:
    """A relative file:PATH is made absolute, in a parameter as in the sign-in; an absolute one stays."""
    text = (
        CONNECTION + 'parameters = { A = { secret = "file:keys/a.txt" } }\n'
        '[connections."Contoso EU".signin]\nflow = "certificate"\n'
        'client_id = "AAAAAAAA-1111-1111-1111-111111111111"\ncertificate = "file:/etc/app.pfx"\n'
        'passphrase = "keyring:app"\n'
    )
    found = load(tmp_path, text).connection("Contoso EU")
    assert found.parameters["A"] == SecretReference("file", str(tmp_path / "keys" / "a.txt"))
    assert found.sign_in
    assert found.sign_in.certificate == SecretReference("file", str(Path("/etc/app.pfx").absolute()))
    assert found.sign_in.passphrase == SecretReference("keyring", "app")


@pytest.mark.parametrize("line", ["count_slack = 1.5", "max_drop = -0.1"])
def test_a_share_lies_between_nothing_and_all(line: str, tmp_path: Path) -> None:
    """What is a share of the rows is a number from 0 to 1, and the key that is not is named."""
    with pytest.raises(SettingsError, match=line.partition(" ")[0]):
        load(tmp_path, CONNECTION + line)


def test_how_far_numbers_may_move_can_be_said(tmp_path: Path) -> None:
    """Slack, drop and the days of captures are taken from the file; each has a default."""
    said = load(tmp_path, f"[bridge]\nkeep_captures = 7\n{CONNECTION}count_slack = 0.01\nmax_drop = 0.9\n")
    connection = said.connection("Contoso EU")
    assert (said.keep_captures, connection.count_slack, connection.max_drop) == (7, 0.01, 0.9)
    usual = load(tmp_path, CONNECTION)
    connection = usual.connection("Contoso EU")
    assert (usual.keep_captures, connection.count_slack, connection.max_drop) == (35, 0.005, 0.5)
