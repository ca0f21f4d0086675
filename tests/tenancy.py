"""Jobs of our reader folder against the simulated tenant, and what came of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lxml import etree

from bridge import beacon
from bridge.capture import NAMESPACE, unescape
from bridge.model import Capture, Job, Minutes, Owner, Reader, Secret, Talk, TokenSource
from bridge.readers import folder
from tools.tenant import Faults, Service, Tenant
from tools.tenant.faults import NO_FAULTS
from tools.tenant.truth import Row, truth

FOLDER = beacon.shipped() / "Inventory" / "Reader" / "Microsoft 365"
USUAL = Minutes()
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def our_reader() -> Reader:
    """Return our reader folder, read whole."""
    return folder.load(FOLDER, Owner.BRIDGE)


def a_job(
    service: Service,
    place: Path,
    *,
    root: str | None = None,
    token: str | None = None,
    minutes: Minutes = USUAL,
    source: TokenSource | None = None,
    **parameters: str,
) -> Job:
    """Return a job for the tenant; its captures go below ``place``, and more parameters by their names."""
    (place / "capture").mkdir(parents=True)
    values: Mapping[str, str | Secret] = {
        "GraphRoot": service.root if root is None else root,
        "AccessToken": Secret(service.token if token is None else token),
        **parameters,
    }
    return Job("20261122T081530Z-4f2a", our_reader(), values, place, minutes, token=source)


@dataclass
class Told:
    """What a job said, as it said it."""

    talk: list[Talk] = field(default_factory=list)

    def __call__(self, talk: Talk) -> None:
        """Keep it."""
        self.talk.append(talk)

    def texts(self, kind: str) -> list[str]:
        """Return the texts of one kind."""
        return [talk.text for talk in self.talk if talk.kind == kind]


def rows_of(capture: Capture) -> list[Row]:
    """Return a capture's rows as its XML says them, column by name.

    The Moment of Control is the server's clock: it is looked at, and then left out, as in ``expected``.
    """
    root = etree.parse(capture.path).getroot()
    columns = {str(one.get("key")): str(one.get("name")) for one in root.iter(f"{{{NAMESPACE}}}column")}
    rows = [
        {name: _cell(row.get(key)) for key, name in columns.items()} for row in root.iter(f"{{{NAMESPACE}}}r")
    ]
    return list(map(_without_moment, rows))


def _without_moment(row: Row) -> Row:
    if "Moment" not in row:
        return row
    assert _MOMENT.fullmatch(row["Moment"] or "")
    return {**row, "Moment": None}


def _cell(text: str | bytes | None) -> str | None:
    return None if text is None else unescape(str(text)).encode("utf-16", "surrogatepass").decode("utf-16")


def expected(
    tenant: Tenant,
    faults: Faults = NO_FAULTS,
    *,
    reports: str = "",
    period: str = "D30",
    sign_ins: bool = True,
    names: Mapping[str, str] | None = None,
) -> dict[str, list[Row]]:
    """Return what each step must bring home."""
    found = truth(tenant, faults, reports=reports, period=period, sign_ins=sign_ins, names=names)
    return {step: list(rows) for step, rows in found.items()}
