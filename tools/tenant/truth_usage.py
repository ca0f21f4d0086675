"""What the step Usage must bring home of a report, said from the report's rows."""

from __future__ import annotations

from collections.abc import Iterator

from tools.tenant.data import Tenant
from tools.tenant.reports import Report

Row = dict[str, str | None]  # column -> canonical cell text, or None for null

_DEVICES = ("Windows", "Mac", "Windows 10 Mobile", "iOS", "Android")
_ESCAPES = str.maketrans({"\\": "\\\\", ";": "\\;", "\r": "\\r", "\n": "\\n"})
_LAST = ("Last Activity Date", "Last Activated Date")
_SAID = {
    "Report Refresh Date",
    "Report Period",
    "User Principal Name",
    "Owner Principal Name",
    "Product Type",
    "Is Deleted",
    "Assigned Products",
    *_LAST,
}


def usage(tenant: Tenant, report: Report, period: str) -> Iterator[Row]:
    """Yield the rows of a report."""
    asked = (period or "D30") if report.period else "ALL"
    for cells in report.rows(tenant, asked):
        yield _row(report, dict(zip(report.columns, cells, strict=True)), asked)


def concealed(tenant: Tenant, report: Report) -> bool:
    """Return whether a row of a report does not say whose it is."""
    return any("@" not in (row["UserPrincipalName"] or "") for row in usage(tenant, report, "D30"))


def _row(report: Report, cells: dict[str, str], period: str) -> Row:
    activations = "Product Type" in cells
    said = cells.get("Report Period")
    principal = cells.get("User Principal Name", cells.get("Owner Principal Name"))
    return {
        "Report": report.name,
        "ReportRefreshDate": _day(cells["Report Refresh Date"]),
        "ReportPeriod": _period(said) if said else period,
        "UserPrincipalName": principal or None,
        "Product": cells.get("Product Type") or None,
        "IsDeleted": cells["Is Deleted"].lower() if cells.get("Is Deleted") else None,
        "LastActivityDate": _day(_last(cells)),
        "ActivatedDevices": f"{sum(int(cells[one] or 0) for one in _DEVICES):d}" if activations else None,
        "AssignedProducts": cells.get("Assigned Products") or None,
        "Details": _details(cells),
    }


def _period(text: str) -> str:
    return f"D{text}" if text.isdigit() else text


def _last(cells: dict[str, str]) -> str:
    for name in _LAST:
        if name in cells:
            return cells[name]
    return max(text for name, text in cells.items() if name.endswith(" Last Activity Date"))


def _day(text: str) -> str | None:
    return f"{text}T00:00:00" if text else None


def _details(cells: dict[str, str]) -> str | None:
    pairs = (
        f"{name.translate(_ESCAPES)}={text.translate(_ESCAPES)}"
        for name, text in cells.items()
        if text and name not in _SAID
    )
    return ";".join(pairs) or None
