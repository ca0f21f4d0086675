"""Our reader folder Microsoft 365, in real PowerShell against the simulated tenant."""

from __future__ import annotations

import json
import os
import re
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from bridge import system
from bridge.collect.graph import Graph
from bridge.collect.powershell import PowerShell, find_powershell
from bridge.model import Secret
from tests.tenancy import FOLDER, Told, a_job, expected, our_reader, rows_of
from tools.tenant import Answer, Faults, Tenant, serve

OLD = "a-token-of-yesterday"


@pytest.fixture
def engine() -> PowerShell:
    """Return this machine's PowerShell engine."""
    executable = find_powershell(os.environ, windows=system.WINDOWS)
    return PowerShell(executable, os.environ, windows=system.WINDOWS)


def without_moments(capture: Path) -> list[bytes]:
    """Return a capture's lines but its header, which names the engine, and without the end's moment."""
    lines = capture.read_bytes().split(b"\n")
    assert lines[2].startswith(b"<header ")
    return [*lines[:2], *lines[3:-3], re.sub(rb' end="[^"]*"', b"", lines[-3]), *lines[-2:]]


# --- the folder ---


def test_the_folder_loads() -> None:
    """It has the three steps in their order, and a token that may come from elsewhere."""
    reader = our_reader()
    assert [step.id for step in reader.to_collect] == list(expected(Tenant(1)))
    assert reader.warnings == ()
    assert [(one.name, one.secret, one.mandatory) for one in reader.parameters] == [
        ("GraphRoot", False, True),
        ("AccessToken", True, False),
    ]
    types = {one.type for step in reader.to_collect for one in step.columns}
    assert types == {"nvarchar", "int", "bit", "datetime", "uniqueidentifier"}


def test_the_script_is_plain_ascii() -> None:
    """Windows PowerShell reads a script without BOM in the machine's code page: nothing may differ there."""
    assert (FOLDER / "Microsoft365.ps1").read_bytes().isascii()


# --- in the host ---


@pytest.mark.powershell
def test_both_engines_write_the_same(engine: PowerShell, tmp_path: Path) -> None:
    """PowerShell's captures equal the native engine's byte for byte but for engine and moments.

    The tenant throttles, fails, sends empty pages and names a charset that it does not use. Each wait is
    told, none is cut short.
    """
    faults = Faults(throttle_every=12, empty_every=3, charset="iso-8859-1", answers={1: Answer(503)})
    tenant, told = Tenant(1100, seed=6), Told()
    with serve(tenant, faults) as service:
        ours = engine.collect(a_job(service, tmp_path / "powershell"), told)
        assert service.requests.throttled
        assert service.requests.early == 0
        native = Graph().collect(a_job(service, tmp_path / "native"), Told())
    assert {one.step: rows_of(one) for one in ours.captures} == expected(tenant)
    for one, other in zip(ours.captures, native.captures, strict=True):
        assert without_moments(one.path) == without_moments(other.path)
    waits = [text.partition("waiting ")[2] for text in told.texts("wait")]
    assert waits == ["1 seconds: HTTP 503"] + ["1 seconds: HTTP 429"] * (len(waits) - 1)
    assert not any(capture.gaps for capture in ours.captures)


@pytest.mark.powershell
def test_the_connection_test_says_ok(engine: PowerShell, tmp_path: Path) -> None:
    """TestConnection returns OK with a good token, and the version is Graph's."""
    with serve(Tenant(3)) as service:
        tested = engine.test(a_job(service, tmp_path))
    assert (tested.ok, tested.said, tested.version) == (True, ("OK",), "1.0")


@pytest.mark.powershell
def test_the_bridge_gives_tokens(engine: PowerShell, tmp_path: Path) -> None:
    """An empty AccessToken asks BridgeToken for one; where that is refused it is asked for another, once."""
    asked: list[bool] = []
    with serve(Tenant(3)) as service:

        def source(rejected: Secret | None) -> Secret:
            asked.append(rejected is not None)
            return Secret(OLD if rejected is None else service.token)

        collected = engine.collect(a_job(service, tmp_path, token="", source=source), Told())
    assert [one.rows for one in collected.captures][:2] == [8, 3]
    assert asked == [False, True] * 3


_ASKING = """
. $env:SCRIPT
$Microsoft365Limits['AskSeconds'] = [int]$env:SECONDS
$global:BridgeToken = New-Object PSObject -Property @{ Asked = 0; Token = $env:TOKEN }
$global:BridgeToken | Add-Member -MemberType ScriptMethod -Name Get -Value { $this.Asked++; $this.Token }
[void](Get-Microsoft365User -GraphRoot $env:ROOT -AccessToken '')
$global:BridgeToken.Asked
"""


@pytest.mark.powershell
@pytest.mark.parametrize(("seconds", "times"), [("0", 1 + 3), ("60", 1)])
def test_a_token_is_asked_for_while_pages_come(powershell: str, seconds: str, times: int) -> None:
    """Before a page BridgeToken is asked again, unless it was asked within the last minute."""
    with serve(Tenant(2500)) as service:
        said = _run(powershell, _ASKING, SECONDS=seconds, TOKEN=service.token, ROOT=service.root)
    assert said.split() == [str(times).encode()]


_PROXY = """
. $env:SCRIPT
$proxy = Get-Microsoft365Proxy $env:ADDRESS $env:BYPASS
$through = foreach ($one in ConvertFrom-Json $env:ADDRESSES) {
    if ($proxy.IsBypassed([Uri]$one)) { 'past' } else { $proxy.GetProxy([Uri]$one).AbsoluteUri }
}
ConvertTo-Json @{ through = @($through); user = [string]$proxy.Credentials.UserName
    password = [string]$proxy.Credentials.Password }
"""


@pytest.mark.powershell
def test_the_proxy_for_windows_powershell(powershell: str) -> None:
    """HTTPS_PROXY and NO_PROXY become the proxy that Windows PowerShell takes, password and all."""
    addresses = [
        "https://graph.microsoft.com/v1.0",
        "https://a.contoso.example/x",
        "https://notcontoso.example",
    ]
    said = json.loads(
        _run(
            powershell,
            _PROXY,
            ADDRESS="http://j%C3%B6:p%40ss%3A@proxy.example:8080",
            BYPASS="intranet, .contoso.example",
            ADDRESSES=json.dumps(addresses),
        )
    )
    proxy = "http://proxy.example:8080/"
    assert said == {"through": [proxy, "past", proxy], "user": "j\u00f6", "password": "p@ss:"}


# --- when Graph misbehaves ---


def _answer(status: int, body: str, **headers: str) -> Faults:
    return Faults(answers={1: Answer(status, body, headers)})


def _same_page_again() -> Faults:
    first: dict[str, str] = {}
    return Faults(next_link=lambda link: first.setdefault(link.partition("skiptoken")[0], link))


# By name: the step's function, what goes wrong, and what the error says.
CASES: dict[str, tuple[str, Faults, str]] = {
    "403": ("User", _answer(403, '{"error": {"code": "Denied", "message": "no right"}}'), "Denied: no right"),
    "501": ("User", _answer(501, "no such thing"), "HTTP 501: no such thing"),
    "302": ("User", _answer(302, "", Location="http://127.0.0.1:1/"), "redirect|HTTP 302"),
    "no list": ("User", _answer(200, '{"value": {}}'), "without a list of values"),
    "no value": ("User", _answer(200, '{"@odata.context": "x"}'), "without a list of values"),
    "an array": ("User", _answer(200, "[]"), "without a list of values"),
    "nothing": ("User", _answer(200, ""), "without a list of values|no JSON"),
    "no JSON": ("User", _answer(200, "<html>"), "no JSON$"),
    "no states": (
        "Assignment",
        _answer(200, '{"value": [{"id": "x", "licenseAssignmentStates": null}]}'),
        "whose licenseAssignmentStates are no list",
    ),
    "missing": ("Subscription", _answer(200, '{"value": [{"skuId": "x"}]}'), "skuPartNumber"),
    "null item": ("User", _answer(200, '{"value": [null]}'), "an item that is null"),
    "an hour": ("User", _answer(429, "", **{"Retry-After": "3600"}), "gave up after 1 attempts"),
    "same page": ("Assignment", _same_page_again(), "same next page twice"),
    "refused": ("User", _answer(401, '{"error": {"code": "C", "message": "M"}}'), "sign-in: .*refused.*C: M"),
    "elsewhere": (
        "Assignment",
        Faults(next_link=lambda link: link.replace("127.0.0.1", "localhost")),
        "the token is not sent there",
    ),
}

_EACH = """
. $env:SCRIPT
$said = foreach ($case in ConvertFrom-Json $env:CASES) {
    $call = @{ GraphRoot = $case.root; AccessToken = $case.token }
    try { [void](& ('Get-Microsoft365' + $case.step) @call); 'no error' } catch { "$_" }
}
ConvertTo-Json @($said)
"""


@pytest.mark.powershell
def test_a_failure_is_an_error_with_what_graph_said(powershell: str) -> None:
    """Nothing that Graph does wrong becomes an empty table; each error says what it was, without a token."""
    with ExitStack() as stack:
        services = [stack.enter_context(serve(Tenant(700), faults)) for _, faults, _ in CASES.values()]
        cases = [
            {"step": step, "root": service.root, "token": service.token}
            for (step, _, _), service in zip(CASES.values(), services, strict=True)
        ]
        nobody = {"step": "User", "root": services[0].root, "token": ""}
        said = _run(powershell, _EACH, CASES=json.dumps([*cases, nobody]))
    errors = dict(zip([*CASES, "no token"], json.loads(said), strict=True))
    patterns = {name: case[2] for name, case in CASES.items()} | {"no token": "sign-in: AccessToken is empty"}
    assert {name: error for name, error in errors.items() if not re.search(patterns[name], error)} == {}
    assert not any(case["token"].encode() in said for case in cases)


def _run(powershell: str, command: str, **environment: str) -> bytes:
    argv = [
        powershell,
        "-NoProfile",
        "-NonInteractive",
        "-ExecutionPolicy",
        "RemoteSigned",
        "-Command",
        command,
    ]
    child = subprocess.run(
        argv,
        env={**os.environ, "SCRIPT": str(FOLDER / "Microsoft365.ps1"), "NO_COLOR": "1", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
    )
    assert child.stderr == b""
    return child.stdout


_ROOTS = """
. $env:SCRIPT
$said = foreach ($root in ConvertFrom-Json $env:ROOTS) {
    try { Get-Microsoft365Base $root } catch { "$_" }
}
$items = ConvertFrom-Microsoft365Json $env:JSON
$texts = foreach ($one in $items.value) { ConvertFrom-Microsoft365Text $one }
$moments = foreach ($one in $items.moments) {
    ConvertFrom-Microsoft365Moment (ConvertFrom-Microsoft365Text $one)
}
ConvertTo-Json @{ said = @($said); texts = @($texts); moments = @($moments) }
"""


@pytest.mark.powershell
def test_texts_and_roots_are_read_alike_everywhere(powershell: str) -> None:
    """No text becomes a date, no mark stays; GraphRoot may end in a slash, and must be https."""
    roots = ["https://graph.microsoft.com", "https://graph.microsoft.com/", "https://x.example/v1.0/"]
    wrong = ["graph.microsoft.com", "http://graph.microsoft.com", "ftp://x.example"]
    texts = [
        "2024-01-15T00:00:00Z",
        "/Date(1700000000000)/",
        "#",
        "##x",
        "\\",
        '"2024-01-15T00:00:00Z"',
        "2024",
    ]
    texts += ['a\\"', "[{", "#2024-", '",', "1", ""]
    moments = ["2024-01-15T08:00:00Z", "2024-01-15T08:00:00.1200000Z", "2024-01-15T08:00:00.000Z"]
    said = json.loads(
        _run(
            powershell,
            _ROOTS,
            ROOTS=json.dumps([*roots, *wrong]),
            JSON=json.dumps({"value": texts, "moments": moments}),
        )
    )
    assert said["said"][:2] == ["https://graph.microsoft.com/v1.0"] * 2
    assert said["said"][2] == "https://x.example/v1.0"
    assert all("expected an https address" in one for one in said["said"][3:])
    assert said["texts"] == texts
    assert said["moments"] == ["2024-01-15T08:00:00Z", "2024-01-15T08:00:00.12Z", "2024-01-15T08:00:00Z"]
