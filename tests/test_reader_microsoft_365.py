"""Our reader folder Microsoft 365, in real PowerShell against the simulated tenant."""

from __future__ import annotations

import gzip
import json
import os
import re
import socket
import subprocess
import threading
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bridge import system
from bridge.collect.graph import Graph
from bridge.collect.powershell import PowerShell, find_powershell
from bridge.errors import ReaderError
from bridge.model import Engine, Secret
from tests.odd import items
from tests.tenancy import FOLDER, Told, a_job, expected, our_reader, rows_of
from tools.tenant import Answer, Faults, Service, Tenant, scenario, serve
from tools.tenant.reports import REPORTS

OLD = "a-token-of-yesterday"
SCRIPTS = [FOLDER / f"{name}.ps1" for name in ("Graph", "Csv", "Names", "Usage", "Microsoft365")]
SWITCH = (
    "Switch it off in the Microsoft 365 admin centre under Settings > Org settings > Services > Reports; "
    "that can take 48 hours"
)


@pytest.fixture
def engine() -> PowerShell:
    """Return this machine's PowerShell engine."""
    executable = find_powershell(os.environ, windows=system.WINDOWS)
    return PowerShell(executable, os.environ, windows=system.WINDOWS)


def without_moments(capture: Path) -> list[bytes]:
    """Return a capture's lines but its header, which names the engine, and without moments of this run."""
    lines = capture.read_bytes().split(b"\n")
    assert lines[2].startswith(b"<header ")
    lines = [*lines[:2], *lines[3:-3], re.sub(rb' end="[^"]*"', b"", lines[-3]), *lines[-2:]]
    if b"Control" in capture.read_bytes()[:600]:
        lines = [re.sub(rb' b="[0-9TZ:-]*"', b"", line) for line in lines]
    return lines


# --- the folder ---


def test_the_folder_loads() -> None:
    """It has its steps in their order, and a token that may come from elsewhere."""
    reader = our_reader()
    assert [step.id for step in reader.to_collect] == list(expected(Tenant(1)))
    assert reader.warnings == ()
    assert [one.name for one in reader.parameters] == [
        "GraphRoot",
        "AccessToken",
        "Reports",
        "Period",
        "ReportHosts",
        "SignIns",
        "ProductNames",
    ]
    assert [one.name for one in reader.parameters if one.secret] == ["AccessToken"]
    assert [one.name for one in reader.parameters if one.mandatory] == ["GraphRoot"]
    types = {one.type for step in reader.to_collect for one in step.columns}
    assert types == {"nvarchar", "int", "bit", "datetime", "uniqueidentifier"}
    assert sorted(reader.scripts) == sorted(FOLDER.glob("*.ps1"))


# --- in the host ---

# By name: the scenario, how many users, which seed, and the reader's parameters.
WHOLE: dict[str, tuple[str, int, int, dict[str, Any]]] = {
    "every report": (
        "empty-pages,deleted-in-reports",
        230,
        6,
        {"Reports": ",".join(one.upper() for one in REPORTS), "Period": "D7"},
    ),
    "odd": ("unknown-sku,lost-subscription,duplicate-rows,mixed-names,expired-token", 120, 2, {}),
    "little": (
        "no-licences,no-mail,inline-reports,empty-report,expired-page",
        60,
        3,
        {"SignIns": "no", "Reports": "getM365AppUserDetail, getMailboxUsageDetail"},
    ),
}


@pytest.mark.powershell
@pytest.mark.parametrize("name", WHOLE)
def test_both_engines_write_the_same(engine: PowerShell, tmp_path: Path, name: str) -> None:
    """PowerShell brings home what the tenant holds; the native engine writes it byte for byte the same.

    Only the engine's name and moments differ.
    """
    odd, users, seed, parameters = WHOLE[name]
    tenant, faults = scenario(odd, users, seed)
    captures = {}
    engines: dict[str, Engine] = {"powershell": engine, "native": Graph()}
    for which, collector in engines.items():
        with serve(tenant, faults) as service:

            def source(rejected: Secret | None, service: Service = service) -> Secret:
                return Secret(service.token)

            job = a_job(service, tmp_path / which, token="", source=source, **parameters)
            captures[which] = collector.collect(job, Told()).captures
    assert {one.step: rows_of(one) for one in captures["powershell"]} == expected(
        tenant,
        faults,
        reports=parameters.get("Reports", ""),
        period=parameters.get("Period", "D30"),
        sign_ins=parameters.get("SignIns") != "no",
    )
    for one, other in zip(captures["powershell"], captures["native"], strict=True):
        assert without_moments(one.path) == without_moments(other.path)


@pytest.mark.powershell
def test_waits_are_told(engine: PowerShell, tmp_path: Path) -> None:
    """Each wait is told as it begins, also where Content-Type names a charset that the text does not use."""
    faults = Faults(throttle_every=6, charset="iso-8859-1", answers={1: Answer(503)})
    told = Told()
    with serve(Tenant(120, seed=6), faults) as service:
        engine.collect(a_job(service, tmp_path, Reports="none"), told)
        assert service.requests.throttled
        assert service.requests.early == 0
    waits = [text.partition("waiting ")[2] for text in told.texts("wait")]
    assert waits == ["1 seconds: HTTP 503"] + ["1 seconds: HTTP 429"] * (len(waits) - 1)


DENIED = "Microsoft Graph answered with HTTP 403: Authorization_RequestDenied: Insufficient privileges to "
DENIED += "complete the operation."


@pytest.mark.powershell
def test_what_may_not_be_read_is_a_gap(engine: PowerShell, tmp_path: Path) -> None:
    """Each permission that is missing leaves a gap that names it, and no row."""
    roles = ("Organization", "Reports", "AuditLog", "ReportSettings")
    tenant, faults = scenario(",".join(f"forbidden-{role}.Read.All" for role in roles), 30)
    told = Told()
    with serve(tenant, faults) as service:
        captures = engine.collect(a_job(service, tmp_path), told).captures
    gaps = {one.step.partition("/")[2]: [(gap.name, gap.text) for gap in one.gaps] for one in captures}
    assert {step: found for step, found in gaps.items() if found} == {
        "Organization": [("organization", f"Organization.Read.All is missing: {DENIED}")],
        "CommerceSubscription": [("commerce-subscriptions", f"Organization.Read.All is missing: {DENIED}")],
        "Usage": [("usage", f"Reports.Read.All is missing: {DENIED}")],
        "SignIn": [("sign-ins", f"AuditLog.Read.All or an Entra ID P1 licence is missing: {DENIED}")],
    }
    assert {one.step: rows_of(one) for one in captures} == expected(tenant, faults)


@pytest.mark.powershell
def test_hidden_names_are_a_gap(engine: PowerShell, tmp_path: Path) -> None:
    """The tenant's setting is named, and each report with rows that hide whose they are.

    Nothing of a download's address is in a capture or in what was said.
    """
    tenant, faults = scenario("concealed", 40)
    told = Told()
    with serve(tenant, faults) as service:
        usage = engine.collect(a_job(service, tmp_path), told).captures[5]
    rows = rows_of(usage)
    counts = Counter(row["Report"] for row in rows)
    assert len(counts) == 4
    setting = "the tenant's setting displayConcealedNames is on: usage reports hide who used what. "
    data = {f"{name} hides the names in {count} of {count} rows. {SWITCH}" for name, count in counts.items()}
    assert {(gap.name, gap.text) for gap in usage.gaps} == {
        ("concealed", text) for text in {setting + SWITCH, *data}
    }
    assert "/files/" not in usage.path.read_text("utf-8") + "".join(talk.text for talk in told.talk)


@pytest.mark.powershell
def test_a_list_that_is_forgotten_is_begun_again(engine: PowerShell, tmp_path: Path) -> None:
    """Where Graph forgets again and again, the step begins five times more, and then fails for now."""
    tenant, faults = scenario("expired-pages", 25)
    told = Told()
    with serve(tenant, faults) as service, pytest.raises(ReaderError, match="has expired") as caught:
        engine.collect(a_job(service, tmp_path, Reports="none"), told)
    assert caught.value.retryable
    assert "restart:" not in str(caught.value)
    restarts = [text for text in told.texts("log") if text.startswith("host: restart ")]
    assert [text[:20] for text in restarts] == [f"host: restart {n} of 5" for n in range(1, 6)]


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
    assert [one.rows for one in collected.captures][-4] == 3
    assert asked == [False, True] * len(collected.captures)


_ASKING = """
$global:BridgeToken = New-Object PSObject -Property @{ Asked = 0; Token = $env:TOKEN }
$global:BridgeToken | Add-Member -MemberType ScriptMethod -Name Get -Value { $this.Asked++; $this.Token }
foreach ($seconds in 0, 60) {
    $global:BridgeToken.Asked = 0
    $Microsoft365Limits['AskSeconds'] = $seconds
    [void](Get-Microsoft365User -GraphRoot $env:ROOT -AccessToken '')
    $global:BridgeToken.Asked
}
"""


@pytest.mark.powershell
def test_a_token_is_asked_for_while_pages_come(powershell: str) -> None:
    """Before a page BridgeToken is asked again, unless it was asked within the last minute."""
    with serve(Tenant(2500)) as service:
        said = _run(powershell, _ASKING, TOKEN=service.token, ROOT=service.root)
    assert said.split() == [b"6", b"1"]


_PROXY = """
foreach ($bare in 'proxy:8080', '10.0.0.1:8080') {
    $through = (Get-Microsoft365Proxy $bare '').GetProxy([Uri]'https://graph.microsoft.com')
    if ($through.AbsoluteUri -ne "http://$bare/") { throw "$bare became $through" }
}
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
    "403": (
        "User",
        _answer(403, '{"error": {"code": "Denied", "message": "no right"}}'),
        "^User.Read.All is missing: .* HTTP 403: Denied: no right$",
    ),
    "403 with a gap": ("Organization", _answer(403, "no"), "^no error$"),
    "no id": (
        "User",
        _answer(200, '{"value": [{"id": null}]}'),
        "^Microsoft Graph answered with one of the users whose id is no text$",
    ),
    "501": ("User", _answer(501, "no such thing"), "HTTP 501: no Graph error: no such thing$"),
    "302": ("User", _answer(302, "", Location="http://127.0.0.1:1/"), "HTTP 302$"),
    "no count": ("Control", _answer(200, "many"), "without a number for User$"),
    "no right to count": ("Control", _answer(403, "no"), "^User.Read.All is missing"),
    "no plans": (
        "ServicePlan",
        _answer(200, '{"value": [{"skuId": "x", "skuPartNumber": "X", "servicePlans": null}]}'),
        "^servicePlans is no list of objects$",
    ),
    "forgotten": (
        "SignIn",
        _answer(400, '{"error": {"code": "Directory_ExpiredPageToken", "message": "gone"}}'),
        "^restart: .* gone$",
    ),
    "forgotten, 410": (
        "CommerceSubscription",
        _answer(410, '{"error": {"code": "DirectoryPageTokenNotFoundException", "message": null}}'),
        "^restart: .* HTTP 410: DirectoryPageTokenNotFoundException: $",
    ),
    "no list": ("User", _answer(200, '{"value": {}}'), "without a list of values"),
    "no value": ("User", _answer(200, '{"@odata.context": "x"}'), "without a list of values"),
    "an array": ("User", _answer(200, "[]"), "without a list of values"),
    "nothing": ("User", _answer(200, ""), "without a list of values|no JSON"),
    "no JSON": ("User", _answer(200, "<html>"), "no JSON$"),
    "no states": (
        "Assignment",
        _answer(200, '{"value": [{"id": "x", "licenseAssignmentStates": null}]}'),
        "^licenseAssignmentStates is no list of objects$",
    ),
    "no activity": (
        "SignIn",
        _answer(200, '{"value": [{"id": "x", "signInActivity": []}]}'),
        "^signInActivity is no object$",
    ),
    "no moment": (
        "SignIn",
        _answer(200, '{"value": [{"id": "x", "signInActivity": {"lastSignInDateTime": ""}}]}'),
        "^lastSignInDateTime is '', expected a moment such as 2026-11-24T08:15:30Z$",
    ),
    "missing": ("Subscription", _answer(200, '{"value": [{"skuId": "x"}]}'), "skuPartNumber"),
    "null item": ("User", _answer(200, '{"value": [null]}'), "an item that is no object$"),
    "a list of items": ("User", _answer(200, '{"value": [[{"id": "x"}]]}'), "an item that is no object$"),
    "a list of links": (
        "Assignment",
        _answer(200, '{"value": [], "@odata.nextLink": ["x"]}'),
        "^@odata.nextLink is a list, expected a text$",
    ),
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
$Microsoft365Limits['Unanswered'] = 1
$VerbosePreference = 'Continue'
$said = foreach ($case in ConvertFrom-Json $env:CASES) {
    $call = @{}
    foreach ($one in $case.call.psobject.Properties) { $call[$one.Name] = $one.Value }
    $got = @{ error = 'no error'; rows = @(); said = '' }
    try {
        $all = @(& ('Get-Microsoft365' + $case.step) @call 3>&1 4>&1)
        $record = [System.Management.Automation.InformationalRecord]
        $got['rows'] = @($all | Where-Object { $_ -isnot $record })
        $got['said'] = @($all | Where-Object { $_ -is $record }) -join ' / '
    } catch { $got['error'] = "$_" }
    $got
}
ConvertTo-Json @($said) -Depth 4 -Compress
"""


def each(powershell: str, cases: Sequence[tuple[str, Mapping[str, str]]]) -> list[dict[str, Any]]:
    """Return what each step's function says in one process: its error, its rows, what it told."""
    content = json.dumps([{"step": step, "call": call} for step, call in cases])
    found: list[dict[str, Any]] = json.loads(_run(powershell, _EACH, CASES=content))
    return found


def call(service: Service, **more: str) -> dict[str, str]:
    """Return the parameters of a step's function."""
    return {"GraphRoot": service.root, "AccessToken": service.token, **more}


@pytest.mark.powershell
def test_a_failure_is_an_error_with_what_graph_said(powershell: str) -> None:
    """Nothing that Graph does wrong becomes an empty table; each error says what it was, without a token."""
    with ExitStack() as stack:
        services = [stack.enter_context(serve(Tenant(700), faults)) for _, faults, _ in CASES.values()]
        cases = [
            (step, call(service)) for (step, _, _), service in zip(CASES.values(), services, strict=True)
        ]
        nobody = ("User", {**call(services[0]), "AccessToken": ""})
        said = each(powershell, [*cases, nobody])
    errors = dict(zip([*CASES, "no token"], (one["error"] for one in said), strict=True))
    patterns = {name: case[2] for name, case in CASES.items()} | {"no token": "sign-in: AccessToken is empty"}
    assert {name: error for name, error in errors.items() if not re.search(patterns[name], error)} == {}
    assert not any(service.token in json.dumps(said) for service in services)


_ODD = """
$call = @{ GraphRoot = $env:ROOT; AccessToken = $env:TOKEN }
$said = foreach ($step in $env:STEPS.Split(',')) {
    try { [void]@(& "Get-Microsoft365$step" @call); 'no error' } catch { "$_" }
}
ConvertTo-Json @($said)
"""


@pytest.mark.powershell
def test_what_graph_does_not_document_is_refused(powershell: str) -> None:
    """What the native engine refuses is refused here in the same words."""
    odd = list(items())
    answers = {number: _values(one.item) for number, one in enumerate(odd, 1)}
    with serve(Tenant(3), Faults(answers=answers)) as service:
        steps = ",".join(one.step.partition("/")[2] for one in odd)
        run = _run(powershell, _ODD, ROOT=service.root, TOKEN=service.token, STEPS=steps)
    said = zip(odd, json.loads(run), strict=True)
    assert [(one, error) for one, error in said if not error.endswith(one.said)] == []


def _run(powershell: str, command: str, **environment: str) -> bytes:
    load = "".join(f". '{path}'\n" for path in SCRIPTS)
    argv = [
        powershell,
        "-NoProfile",
        "-NonInteractive",
        "-ExecutionPolicy",
        "RemoteSigned",
        "-Command",
        load + command,
    ]
    child = subprocess.run(
        argv,
        env={**os.environ, "NO_COLOR": "1", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
    )
    assert child.stderr == b""
    return child.stdout


_ROOTS = """
$said = foreach ($root in ConvertFrom-Json $env:ROOTS) {
    try { Get-Microsoft365Base $root } catch { "$_" }
}
$items = ConvertFrom-Microsoft365Json $env:JSON
$texts = foreach ($one in $items.value) { ConvertFrom-Microsoft365Text $one }
$moments = foreach ($one in $items.moments) {
    ConvertFrom-Microsoft365Moment $one 'x'
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


# --- reports ---

REPORT = "getEmailActivityUserDetail"
HEAD = "Report Refresh Date,User Principal Name,Last Activity Date,Report Period"
ROW = "2026-11-24,a@contoso.example,2026-11-20,30"
UNKNOWN = '{"error": {"code": "UnknownError", "message": ""}}'

_PLAIN = f"{HEAD}\n{ROW}\n".encode()
_LONG_DATE = "x" + "\U0001f600" * 50


def _packed(content: bytes, packing: str, missing: int = 0) -> Answer:
    headers = {"Content-Encoding": packing, "Content-Length": str(len(content))}
    return Answer(200, "", headers, [content[: len(content) - missing]])


# By name: what the report's call is answered with, and the error or, of a good one, what comes of it.
FILES: dict[str, tuple[Answer, str | list[list[str | None]]]] = {
    "a mark": (Answer(200, f"\ufeff{HEAD}\r\n{ROW}\r\n"), [["a@contoso.example", None]]),
    "no last line end": (Answer(200, f"{HEAD},X\n{ROW},"), [["a@contoso.example", None]]),
    "blank lines": (Answer(200, f"{HEAD}\n\n{ROW}\n\r\n\n"), [["a@contoso.example", None]]),
    "blanks": (Answer(200, f"{HEAD},X\n{ROW}, x \n"), [["a@contoso.example", "X= x "]]),
    "quotes": (
        Answer(200, f'{HEAD},"A;B","C\n\\D"\n{ROW},"x, ""y""\r\nz; \\",\n{ROW},,"="\n'),
        [
            ["a@contoso.example", 'A\\;B=x, "y"\\r\\nz\\; \\\\'],
            ["a@contoso.example", "C\\n\\\\D=="],
        ],
    ),
    "no rows": (Answer(200, HEAD), []),
    "nothing": (Answer(200, ""), f"^{REPORT} is empty"),
    "a page": (Answer(200, "<html>\n</html>"), "has no column User Principal Name$"),
    "no dates": (Answer(200, HEAD.replace("Refresh ", "")), "has no column Report Refresh Date$"),
    "short": (
        Answer(200, f"{HEAD}\n{ROW}\n2026-11-24,b@x"),
        "row 2 has 2 cells, its header has 4$",
    ),
    "long": (Answer(200, f"{HEAD}\n{ROW},"), "row 1 has 5 cells"),
    "in quotes": (Answer(200, f'{HEAD}\n{ROW}\n"2026-11'), f"^{REPORT} ends in the middle of row 2$"),
    "endless": (Answer(200, f'{HEAD}\n"' + "x\n" * 70000), "row 1 has more than 131072 characters$"),
    "a stray quote": (Answer(200, f'{HEAD}\n"2026-11-24"x,a@x,,30\n'), "row 1 has quotes or a line break"),
    "a date": (
        Answer(200, f"{HEAD}\n{ROW.replace('11-20', '02-30')}\n"),
        f"^{REPORT}: row 1 has the date '2026-02-30', expected one such as",
    ),
    "deleted or not": (
        Answer(200, f"{HEAD},Is Deleted\n{ROW},TRUE\n{ROW},false\n{ROW},\n{ROW},perhaps\n"),
        f"^{REPORT}: row 4 says Is Deleted 'perhaps', expected True or False$",
    ),
    "devices": (
        Answer(200, f"{HEAD},Product Type,Mac\n{ROW},A,1\n{ROW},A,two\n"),
        "^getOffice365ActivationsUserDetail: row 2 counts 'two' devices, expected a number$",
    ),
    "a long word": (
        Answer(200, f"{HEAD},Is Deleted\n{ROW},\n" + f"{ROW},{'x' * 70000}\n"),
        f"^{REPORT}: row 2 says Is Deleted '{'x' * 80}', expected True or False$",
    ),
    "a late word": (
        Answer(200, f"{HEAD},Is Deleted\n" + f"{ROW},\n" * 5000 + f"{ROW},perhaps\n"),
        f"^{REPORT}: row 5001 says Is Deleted 'perhaps'",
    ),
    "a long date": (
        Answer(200, f"{HEAD}\n{ROW}\n{ROW.replace('2026-11-20', _LONG_DATE)}\n"),
        f"^{REPORT}: row 2 has the date '{_LONG_DATE[:40]}\ufffd', expected one such as 2026-11-24$",
    ),
    "501": (Answer(501, UNKNOWN), "HTTP 501: UnknownError: $"),
    "http": (
        Answer(302, "", {"Location": "http://reports.office.com/secret"}),
        "without https, so",
    ),
    "no address": (Answer(302, ""), "has no address$"),
    "a suffix": (
        Answer(302, "", {"Location": "https://evil-office.com/secret"}),
        "by evil-office.com",
    ),
    "a user": (
        Answer(302, "", {"Location": "https://somebody@office.com/secret"}),
        "can be read in two ways",
    ),
    "a backslash": (
        Answer(302, "", {"Location": "https://evil.example\\.office.com/secret"}),
        "two ways|has no address",
    ),
    "a soft hyphen": (
        Answer(302, "", {"Location": "https://off\u00adice.com/secret"}),
        "can be read in two ways",
    ),
    "a packed hyphen": (
        Answer(302, "", {"Location": "https://off%C2%ADice.com/secret"}),
        "so it was not fetched|has no address$",
    ),
    "gzip": (_packed(gzip.compress(_PLAIN), "gzip"), [["a@contoso.example", None]]),
    "deflate": (_packed(zlib.compress(_PLAIN), "deflate"), [["a@contoso.example", None]]),
    "bare deflate": (_packed(zlib.compress(_PLAIN)[2:-4], "deflate"), [["a@contoso.example", None]]),
    "cut gzip": (_packed(gzip.compress(_PLAIN), "gzip", missing=30), "the answer ended too early|ended"),
    "no length": (
        Answer(200, "", {"Connection": "close"}, [_PLAIN]),
        "^gave up after 1 attempts: Microsoft Graph gave no answer: the answer ended too early$",
    ),
}


@pytest.mark.powershell
def test_a_report_is_read_strictly(powershell: str) -> None:
    """Quotes, blanks, line breaks and a mark are read exactly; what is cut, odd or elsewhere is an error."""
    with ExitStack() as stack:
        cases = []
        for name, (answer, _) in FILES.items():
            service = stack.enter_context(serve(Tenant(3), Faults(answers={2: answer})))
            report = "getOffice365ActivationsUserDetail" if name == "devices" else REPORT
            cases.append(("Usage", call(service, Reports=report)))
        said = dict(zip(FILES, each(powershell, cases), strict=True))
    for name, (_, wanted) in FILES.items():
        found = said[name]
        if isinstance(wanted, str):
            assert re.search(wanted, found["error"]), f"{name}: {found}"
        else:
            rows = [[row["UserPrincipalName"], row["Details"]] for row in found["rows"]]
            assert (rows, found["error"]) == (wanted, "no error"), name
    assert "secret" not in json.dumps(said)


@contextmanager
def listening() -> Iterator[tuple[int, list[object]]]:
    """Yield a port that nobody may come to, and who came."""
    came: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            while True:
                try:
                    connection, address = server.accept()
                except OSError:
                    return
                came.append(address)
                connection.close()

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1], came
        server.shutdown(socket.SHUT_RDWR)


@pytest.mark.powershell
def test_downloads(powershell: str) -> None:
    """Only allowed hosts are asked; a refused download is asked for once more; a cut one is an error."""
    with ExitStack() as stack:

        def start(faults: Faults) -> Service:
            return stack.enter_context(serve(Tenant(30), faults))

        port, came = stack.enter_context(listening())
        elsewhere = Answer(302, "", {"Location": f"https://127.0.0.1:{port}/a-secret"})
        once: dict[int, Answer] = {}
        twice: dict[int, Answer] = {}
        good = [start(Faults(answers=once)), start(Faults(answers=twice))]
        for answers, service, numbers in ((once, good[0], (2,)), (twice, good[1], (2, 3))):
            place = Answer(302, "", {"Location": f"{service.root}/files/a-secret"})
            answers.update(dict.fromkeys(numbers, place))
        forbidden, once_more, never, length, row = each(
            powershell,
            [
                ("Usage", call(start(Faults(answers={2: elsewhere})), Reports=REPORT)),
                ("Usage", call(good[0], Reports=REPORT)),
                ("Usage", call(good[1], Reports=REPORT)),
                ("Usage", call(start(Faults(cut="length")), Reports=REPORT)),
                ("Usage", call(start(Faults(cut="row")), Reports=REPORT)),
            ],
        )
        assert came == []
        allowed = call(
            start(Faults(answers={2: elsewhere})), Reports=REPORT, ReportHosts="x.example, 127.0.0.1"
        )
        (asked,) = each(powershell, [("Usage", allowed)])
        assert came
    assert "is offered by 127.0.0.1, so it was not fetched" in forbidden["error"]
    assert len(once_more["rows"]) == len(expected(Tenant(30), reports=REPORT)["Usage.xml/Usage"])
    assert "failed with HTTP 403; asking for it again" in once_more["said"]
    assert never["error"] == (
        f"gave up after 2 attempts: the download of {REPORT} was refused: "
        "the storage of the reports answered with HTTP 403"
    )
    assert "gave up after 1 attempts: the storage of the reports gave no answer" in length["error"]
    assert row["error"] == (
        "gave up after 1 attempts: the storage of the reports gave no answer: IOException"
    )
    assert "gave no answer: " in asked["error"]
    assert "a-secret" not in json.dumps([forbidden, once_more, never, length, row, asked])


@pytest.mark.powershell
def test_what_is_asked_for_is_looked_at_first(powershell: str) -> None:
    """A wrong report, period or word is an error before any request; a report that is gone is a fact."""
    gone = scenario("retired-report", 12)
    with serve(Tenant(3)) as service, serve(*gone) as retired:
        cases = {
            "report": ("Usage", call(service, Reports="getEmailActivity")),
            "period": ("Usage", call(service, Period="D31")),
            "words": ("SignIn", call(service, SignIns="perhaps")),
            "none": ("Usage", call(service, Reports="None", Period="")),
            "no": ("SignIn", call(service, SignIns="No")),
            "gone": ("Usage", call(retired, Reports=f"getM365AppUserDetail,{SKYPE}")),
        }
        found = dict(zip(cases, each(powershell, list(cases.values())), strict=True))
        assert not service.requests.paths
    assert "there is no report 'getEmailActivity'; there are: getOffice365Active" in found["report"]["error"]
    assert found["period"]["error"] == "Period is 'D31', expected D7, D30, D90 or D180"
    assert found["words"]["error"] == "SignIns is 'perhaps', expected yes or no"
    assert [(one["error"], one["rows"]) for one in (found["none"], found["no"], found["gone"])] == [
        ("no error", [])
    ] * 3
    for name in ("getM365AppUserDetail", SKYPE):
        assert f"fact: {name} is not offered by this cloud, or retired" in found["gone"]["said"]


# --- what Graph may say, and seldom does ---

SKYPE = "getSkypeForBusinessActivityUserDetail"
_ORGANIZATION = {"id": "o", "displayName": "Contoso", "verifiedDomains": None}
_BOUGHT = dict.fromkeys(
    (
        "commerceSubscriptionId",
        "skuId",
        "skuPartNumber",
        "status",
        "isTrial",
        "totalLicenses",
        "createdDateTime",
        "nextLifecycleDateTime",
        "ownerType",
        "ownerTenantId",
    ),
) | {"id": "b"}
_SKU = dict.fromkeys(
    ("skuPartNumber", "accountId", "accountName", "appliesTo", "capabilityStatus", "consumedUnits")
) | {
    "skuId": "s",
    "prepaidUnits": {"enabled": 1, "warning": 0, "suspended": 0, "lockedOut": 0},
    "subscriptionIds": None,
}
_REFUSED = "gap organization: Organization.Read.All is missing: Microsoft Graph answered with HTTP 403: "


def _values(*items: object, **more: object) -> Answer:
    return Answer(200, json.dumps({"value": items, **more}))


# By name: the step, what its requests are answered with, the error, what it told, and some cells of its rows.
# ROOT is the address of Graph.
SELDOM: dict[str, tuple[str, Mapping[int, Answer], str, str, list[dict[str, Any]]]] = {
    "not counted": (
        "Control",
        {2: Answer(404, '{"error": {"code": "x", "message": "not found"}}')},
        "no error",
        "fact: LicensedUser is not counted by this cloud",
        [{"Entity": "User", "Count": 3}],
    ),
    "bought twice": (
        "CommerceSubscription",
        {1: _values(_BOUGHT, _BOUGHT)},
        "no error",
        "1 subscriptions came twice and are written once",
        [{"SubscriptionId": "b"}],
    ),
    "itself twice": (
        "Organization",
        {1: _values(_ORGANIZATION, _ORGANIZATION, **{"@odata.nextLink": None})},
        "no error",
        "1 organizations came twice and are written once",
        [{"TenantId": "o", "DefaultDomain": None, "InitialDomain": None}],
    ),
    "no list of subscriptions": (
        "Subscription",
        {1: _values(_SKU)},
        "no error",
        "",
        [{"SkuId": "s", "SubscriptionIds": None}],
    ),
    "no true domain": (
        "Organization",
        {1: _values(_ORGANIZATION | {"verifiedDomains": [{"name": "x", "isDefault": "true"}]})},
        "no error",
        "",
        [{"TenantId": "o", "DefaultDomain": None, "TenantType": None}],
    ),
    "not truly concealed": (
        "Usage",
        {1: Answer(200, '{"displayConcealedNames": "true"}'), 2: Answer(200, "")},
        "no error",
        f"fact: {SKYPE} is not offered by this cloud, or retired",
        [],
    ),
    "no message": (
        "Organization",
        {1: Answer(403, '{"error": {"code": "Forbidden", "message": null}}')},
        "no error",
        _REFUSED + "Forbidden: ",
        [],
    ),
    "a page": (
        "Organization",
        {1: Answer(403, "<html>" + "\u00fc" * 193 + "\U0001f600")},
        "no error",
        _REFUSED + "no Graph error: <html>" + "\u00fc" * 193 + "\ufffd",
        [],
    ),
    "a later page": (
        "Organization",
        {
            1: _values(**{"@odata.nextLink": "ROOT/v1.0/organization?page=2"}),
            2: Answer(403, '{"error": {"code": null}}'),
        },
        "Organization.Read.All is missing: Microsoft Graph answered with HTTP 403: : ",
        "",
        [],
    ),
    "retired": (
        "Usage",
        {2: Answer(200, "")},
        "no error",
        f"fact: {SKYPE} is not offered by this cloud, or retired",
        [],
    ),
    "packed by the storage": (
        "Usage",
        {
            2: Answer(302, "", {"Location": "ROOT/v1.0/a-secret"}),
            3: _packed(gzip.compress(_PLAIN), "gzip"),
        },
        "no error",
        "",
        [{"Report": SKYPE, "UserPrincipalName": "a@contoso.example"}],
    ),
}


@pytest.mark.powershell
def test_what_graph_says_seldom_is_read(powershell: str) -> None:
    """Nulls stay nulls, nothing is written twice, and Graph's own words are told in gaps and errors only."""
    cases = []
    with ExitStack() as stack:
        for step, answers, *_ in SELDOM.values():
            given: dict[int, Answer] = {}
            service = stack.enter_context(serve(Tenant(3), Faults(answers=given)))
            for number, one in answers.items():
                headers = {key: text.replace("ROOT", service.root) for key, text in one.headers.items()}
                given[number] = replace(one, body=one.body.replace("ROOT", service.root), headers=headers)
            cases.append((step, call(service, Reports=SKYPE) if step == "Usage" else call(service)))
        found = dict(zip(SELDOM, each(powershell, cases), strict=True))
    for name, (_, _, error, said, rows) in SELDOM.items():
        assert (found[name]["error"], found[name]["said"]) == (error, said), name
        cells = [
            {key: row[key] for key in wanted} for row, wanted in zip(found[name]["rows"], rows, strict=True)
        ]
        assert cells == rows, name


_LONG = """
$Microsoft365Limits['Characters'] = [int]$env:CHARACTERS
$call = @{ GraphRoot = $env:ROOT; AccessToken = $env:TOKEN }
$errors = @()
while ($errors.Count -lt 9) {
    try { $rows = @(Get-Microsoft365User @call); break } catch { $errors += "$_" }
}
$Microsoft365Limits['Characters'] = 9
try { [void](Get-Microsoft365Subscription @call); $errors += 'no error' } catch { $errors += "$_" }
ConvertTo-Json @{ errors = $errors; rows = @($rows | ForEach-Object { $_.UserId }) }
"""


@pytest.mark.powershell
def test_a_page_that_is_too_long_is_asked_for_in_halves(powershell: str) -> None:
    """A step begins again with half as many users a page, until one fits; products come as they are."""
    with serve(Tenant(300)) as service:
        token = service.token
        said = json.loads(_run(powershell, _LONG, CHARACTERS="90000", ROOT=service.root, TOKEN=token))
    *restarts, subscriptions = said["errors"]
    found = [
        re.match("restart: .* a page of ([0-9]+) characters; .* reads 90000 at most", one) for one in restarts
    ]
    lengths = [int(one[1]) for one in found if one]
    assert len(lengths) == len(restarts) > 1
    assert lengths == sorted(set(lengths), reverse=True)
    assert len(said["rows"]) == len(set(said["rows"])) == 300
    assert re.match(
        "Microsoft Graph sent a page of [0-9]+ characters; Windows PowerShell reads 9", subscriptions
    )


# --- names for people ---

NAMES = """Product_Display_Name,String_Id,GUID,Service_Plan_Name,Service_Plan_Id,\
Service_Plans_Included_Friendly_Names
\u00a0Office 365 E3 ,ENTERPRISEPACK,{sku} ,X,{plan}\u00a0,"Plan, the \u00e9rst" \u00a0
Another name,ENTERPRISEPACK,{sku},X,{plan},Another plan
,SPE_E5,{other},X
"""


@pytest.mark.powershell
def test_names_for_people(powershell: str, tmp_path: Path) -> None:
    """Microsoft's file is read as it is found: its encodings and separators, either case of an id."""
    tenant = Tenant(1)
    sku, other = list(tenant.skus())[:2]
    plan = sku["servicePlans"][0]
    text = NAMES.format(sku=sku["skuId"].upper(), plan=plan["servicePlanId"], other=other["skuId"])
    semicolons = (
        text.replace('"Plan, the', "Plan# the").replace('rst"', "rst").replace(",", ";").replace("#", ",")
    )
    contents = {
        "plain": text.encode(),
        "mark": text.encode("utf-8-sig"),
        "windows": text.encode("cp1252"),
        "semicolons": semicolons.replace("\n", "\r\n").encode("cp1252"),
    }
    (tmp_path / "wrong").write_text("Name,Id\n")
    with serve(tenant) as service:
        for name, content in contents.items():
            (tmp_path / name).write_bytes(content)
        paths = [str(tmp_path / name) for name in (*contents, "wrong", "missing")]
        paths.append(" ")
        steps = [(step, path) for path in paths for step in ("Subscription", "ServicePlan")]
        found = each(powershell, [(step, call(service, ProductNames=path)) for step, path in steps])
    for skus, plans in zip(found[:8:2], found[1:8:2], strict=True):
        assert [row["ProductName"] for row in skus["rows"]][:2] == ["Office 365 E3", other["skuPartNumber"]]
        named = {row["ServicePlanId"]: row["PlanName"] for row in plans["rows"]}
        assert named[plan["servicePlanId"]] == "Plan, the \u00e9rst"
        assert named[sku["servicePlans"][1]["servicePlanId"]] == sku["servicePlans"][1]["servicePlanName"]
    assert all("ProductNames: " in one["error"] and "no column" in one["error"] for one in found[8:10])
    assert all("ProductNames: " in one["error"] and "cannot be read" in one["error"] for one in found[10:12])
    assert [one["error"] for one in found[12:]] == ["no error"] * 2
