"""The numbers of one tenant: what it bought, who holds it, and who of them used it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path

from bridge.capture import unescape
from bridge.position.found import Licence, People, Position, Report
from bridge.position.source import Source
from bridge.readers.ours import (
    ASSIGNMENT,
    CLOSING,
    COMMERCE,
    HOLDING,
    OPENING,
    ORGANIZATION,
    SUBSCRIPTION,
    USAGE,
    USER,
)
from bridge.tables import Cells, Tables

PRINCIPAL = "UserPrincipalName"
_SETTING = "displayConcealedNames is on"  # in the gap of the tenant's setting, which hides every report's
ACTIVE_USERS, ACTIVATIONS = "getOffice365ActiveUserDetail", "getOffice365ActivationsUserDetail"


def position(source: Source, folder: Path) -> Position:
    """Return where a tenant stands; the rows lie side by side in a file below ``folder`` meanwhile."""
    with Tables(folder) as found:
        _load(found, source)
        reports = tuple(_reports(found))
        unknown = dict(_unknown(found, source, reports))
        return Position(
            source.run,
            source.connection,
            source.tenant,
            _text(found, "SELECT DisplayName FROM Organization"),
            source.started,
            _text(found, "SELECT Moment FROM Opening WHERE Entity = 'User'"),
            _text(found, "SELECT Moment FROM Closing WHERE Entity = 'User'"),
            source.state,
            source.development,
            source.gaps,
            source.warned,
            _people(found),
            reports,
            tuple(_licences(found, source, unknown)),
            unknown,
        )


# --- the tables ---

_TABLES = {
    "Opening": (OPENING, "Entity", "Moment"),
    "Closing": (CLOSING, "Entity", "Moment"),
    "Organization": (ORGANIZATION, "DisplayName"),
    "Subscription": (
        SUBSCRIPTION,
        *("SkuId", "SkuPartNumber", "ProductName", "AppliesTo", "CapabilityStatus"),
        *("Enabled", "Warning", "Suspended", "LockedOut"),
    ),
    "Commerce": (
        COMMERCE,
        *("SkuId", "SkuPartNumber", "Status", "IsTrial", "NextLifecycleDateTime"),
    ),
    "Assignment": (ASSIGNMENT, "UserId", "SkuId", "State"),
    "User": (USER, "UserId", PRINCIPAL, "AccountEnabled", "UserType"),
    "Usage": (
        USAGE,
        *("Report", "ReportRefreshDate", "ReportPeriod", PRINCIPAL, "IsDeleted"),
        *("LastActivityDate", "ActivatedDevices"),
    ),
}


def _load(found: Tables, source: Source) -> None:
    for table, (step, *columns) in _TABLES.items():
        found.do(f"CREATE TABLE {table} ({', '.join(f'{name} TEXT' for name in columns)})")
        with source.steps[step]() as rows:
            found.fill(table, len(columns), _folded(rows.cells(columns), columns))
    for statement, *values in _JOINED:
        found.do(statement, *values)


def _folded(rows: Iterator[Cells], columns: Sequence[str]) -> Iterator[Cells]:
    """Yield the rows with principal names in the form in which upper and lower case are the same."""
    if PRINCIPAL not in columns:
        yield from rows
        return
    number = columns.index(PRINCIPAL)
    for row in rows:
        yield (*row[:number], (row[number] or "").casefold(), *row[number + 1 :])


# One row a holder and SKU; one a name in each report, in which an account that is deleted does not count.
UNIT = (
    "CREATE TABLE Unit AS SELECT DISTINCT SkuId, UserId FROM Assignment"
    " WHERE State IN (SELECT value FROM json_each(?))",
    json.dumps(sorted(HOLDING)),
)
# One row a user, whoever comes twice.
_ACCOUNT = """
CREATE TABLE Account AS SELECT
  UserId, MIN(UserPrincipalName) AS UserPrincipalName, MIN(AccountEnabled) AS AccountEnabled,
  MAX(UserType) AS UserType
FROM User GROUP BY UserId
"""
_SEEN = """
CREATE TABLE Seen AS SELECT
  UserPrincipalName AS Name, MAX(LastActivityDate) AS Last,
  MAX(substr(LastActivityDate, 1, 10) >
    date(ReportRefreshDate, '-' || substr(ReportPeriod, 2) || ' days')) AS Lately
FROM Usage WHERE Report = ? AND IsDeleted IS NOT 'true' GROUP BY 1
"""
_ACTIVATED = """
CREATE TABLE Activated AS SELECT UserPrincipalName AS Name, SUM(ActivatedDevices) AS Devices
FROM Usage WHERE Report = ? GROUP BY 1
"""
_JOINED = (
    UNIT,
    (_ACCOUNT,),
    ("DROP TABLE User",),
    ("CREATE INDEX AccountById ON Account (UserId)",),
    (_SEEN, ACTIVE_USERS),
    ("CREATE INDEX SeenByName ON Seen (Name)",),
    (_ACTIVATED, ACTIVATIONS),
    ("CREATE INDEX ActivatedByName ON Activated (Name)",),
)


# --- what they say ---


def _text(found: Tables, question: str) -> str | None:
    row = next(found.ask(question), None)
    return unescape(str(row[0])) if row and row[0] is not None else None


def _people(found: Tables) -> People:
    return People(
        found.number("SELECT COUNT(*) FROM Account"),
        found.number("SELECT COUNT(*) FROM Account WHERE UserType = 'Guest'"),
        found.number("SELECT COUNT(*) FROM Account WHERE AccountEnabled = 'false'"),
        found.number("SELECT COUNT(DISTINCT UserId) FROM Unit"),
    )


def _reports(found: Tables) -> Iterator[Report]:
    question = (
        "SELECT Report, MAX(ReportRefreshDate), MAX(ReportPeriod), COUNT(*) FROM Usage GROUP BY 1 ORDER BY 1"
    )
    for name, refreshed, period, rows in found.ask(question):
        yield Report(str(name), _day(refreshed), str(period), int(str(rows)))


def _day(moment: object) -> date | None:
    return None if moment is None else date.fromisoformat(str(moment)[:10])


def _unknown(found: Tables, source: Source, reports: Sequence[Report]) -> Iterator[tuple[str, str]]:
    """Yield each kind of number that is not known, with the reason."""
    names = {report.name for report in reports}
    for kind, report in (("activity", ACTIVE_USERS), ("devices", ACTIVATIONS)):
        if why := _concealed(found, source, report):
            yield kind, why
        elif report not in names:
            missing = source.gap("usage")
            yield kind, missing.text if missing else f"no row of {report} was read"
    if gap := source.gap("commerce-subscriptions"):
        yield "renewals", gap.text


def _concealed(found: Tables, source: Source, report: str) -> str:
    """Return why the names of a report are not known; another report's do not matter."""
    for gap in source.gaps:
        if gap.name == "concealed" and (_SETTING in gap.text or gap.text.startswith(f"{report} ")):
            return gap.text
    hidden = found.number(
        "SELECT COUNT(*) FROM Usage"
        " WHERE Report = ? AND UserPrincipalName != '' AND instr(UserPrincipalName, '@') = 0",
        report,
    )
    return f"{report} hides the names in {hidden} rows" if hidden else ""


_LICENCES = """
WITH
  Held AS (
    SELECT Unit.SkuId, COUNT(*) AS Assigned, SUM(AccountEnabled IS 'false') AS Disabled,
      SUM(Lately IS 1) AS Active, SUM(Last IS NOT NULL AND Lately IS NOT 1) AS Earlier,
      SUM(Seen.Name IS NOT NULL AND Last IS NULL) AS Never, SUM(Seen.Name IS NULL) AS Missing,
      SUM(IFNULL(Devices, 0)) AS Devices
    FROM Unit
      LEFT JOIN Account USING (UserId)
      LEFT JOIN Seen ON Seen.Name = UserPrincipalName
      LEFT JOIN Activated ON Activated.Name = UserPrincipalName
    GROUP BY 1
  ),
  Ahead AS (
    SELECT SkuId, Status IS NOT 'Enabled' AS Ends, MIN(NextLifecycleDateTime) AS Renewal, IsTrial
    FROM Commerce WHERE NextLifecycleDateTime >= ? GROUP BY 1, 2
  ),
  Coming AS (SELECT SkuId, MIN(Ends) AS Ends, Renewal, IsTrial FROM Ahead GROUP BY 1),
  Named AS (SELECT SkuId, MAX(SkuPartNumber) AS Part FROM Commerce GROUP BY 1),
  Sku AS (SELECT SkuId FROM Subscription UNION SELECT SkuId FROM Held)
SELECT
  Sku.SkuId, COALESCE(ProductName, SkuPartNumber, Part, Sku.SkuId), COALESCE(SkuPartNumber, Part, ''),
  AppliesTo, CapabilityStatus, Enabled, Warning, Suspended, LockedOut,
  IFNULL(Assigned, 0), IFNULL(Disabled, 0), IFNULL(Active, 0), IFNULL(Earlier, 0), IFNULL(Never, 0),
  IFNULL(Missing, 0), IFNULL(Held.Devices, 0), Renewal, IsTrial, Ends
FROM Sku
  LEFT JOIN Subscription USING (SkuId) LEFT JOIN Held USING (SkuId)
  LEFT JOIN Coming USING (SkuId) LEFT JOIN Named USING (SkuId)
ORDER BY 2 COLLATE NOCASE, 1
"""


def _licences(found: Tables, source: Source, unknown: Mapping[str, str]) -> Iterator[Licence]:
    seen, activated = "activity" not in unknown, "devices" not in unknown
    for row in found.ask(_LICENCES, f"{source.started:%Y-%m-%dT%H:%M:%S}"):
        sku, name, part, applies_to, status, *units, renewal, is_trial, ends = row
        bought, warning, suspended, locked_out, *used = (_number(one) for one in units)
        assigned, disabled, active, before, never, missing, devices = (one or 0 for one in used)
        yield Licence(
            sku=str(sku),
            name=unescape(str(name)),
            part_number=unescape(str(part)),
            applies_to=_or_none(applies_to),
            status=_or_none(status),
            bought=bought,
            warning=warning,
            suspended=suspended,
            locked_out=locked_out,
            assigned=assigned,
            assigned_disabled=disabled,
            active=active if seen else None,
            active_before=before if seen else None,
            never_active=never if seen else None,
            not_reported=missing if seen else None,
            devices=devices if activated else None,
            renewal=_day(renewal),
            renewal_is_trial=is_trial == "true",
            renewal_ends=ends == 1,
        )


def _number(value: object) -> int | None:
    return None if value is None else int(str(value))


def _or_none(value: object) -> str | None:
    return None if value is None else unescape(str(value))
