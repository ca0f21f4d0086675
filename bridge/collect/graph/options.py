"""What the connection's parameters ask the native engine for, each checked before the first request."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from bridge.collect.graph import names
from bridge.collect.graph.conversation import ascii_host, authority
from bridge.collect.graph.reports import REPORTS, Report
from bridge.collect.graph.work import Options
from bridge.errors import SettingsError
from bridge.model import Secret
from bridge.web.route import is_loopback

_PERIODS = ("D7", "D30", "D90", "D180")


def read(values: Mapping[str, str | Secret]) -> Options:
    """Return what a job's values ask for; SettingsError names the parameter that is wrong."""
    plain = {name: value.strip() for name, value in values.items() if isinstance(value, str)}
    return Options(
        root=graph_root(plain.get("GraphRoot", "")),
        reports=_reports(plain.get("Reports", "")),
        period=_one_of("Period", plain.get("Period", "").upper() or "D30", _PERIODS),
        hosts=frozenset(map(ascii_host, _listed(plain.get("ReportHosts", "")))),
        sign_ins=_one_of("SignIns", plain.get("SignIns", "").lower() or "yes", ("yes", "no")) == "yes",
        names=names.read(plain.get("ProductNames", "")),
    )


def graph_root(text: str) -> str:
    """Return the address below which the calls lie, always ending in /v1.0; SettingsError if it is none."""
    root = text.strip().rstrip("/").removesuffix("/v1.0")
    scheme, host, _ = authority(root)
    if scheme != "https" and not (scheme == "http" and is_loopback(host)):
        raise SettingsError(
            f"GraphRoot is {text!r}, expected an https address.",
            hint='Write GraphRoot = "https://graph.microsoft.com", or the root of your national cloud.',
        )
    return root + "/v1.0"


def _listed(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _reports(text: str) -> tuple[Report, ...]:
    """Return the reports that a list names, in the table's order; the usual ones for an empty list."""
    asked = {name.lower() for name in _listed(text)}
    if asked == {"none"}:
        return ()
    known = [report.name.lower() for report in REPORTS]
    for name in sorted(asked):
        _one_of("Reports", name, known, shown=[report.name for report in REPORTS])
    return tuple(one for one in REPORTS if one.name.lower() in asked or (one.is_usual and not asked))


def _one_of(parameter: str, value: str, known: Collection[str], *, shown: Collection[str] = ()) -> str:
    if value not in known:
        expected = ", ".join(shown or known)
        raise SettingsError(f"{parameter} is {value!r}, expected {expected}.", hint=f"Correct {parameter}.")
    return value
