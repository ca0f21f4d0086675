"""The step Usage: who used what and when, from the tenant's usage reports per user."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from datetime import date
from functools import lru_cache, partial
from itertools import chain, islice

from bridge.collect.graph import download, sheet
from bridge.collect.graph.cells import Item, Lines, Unfit, text
from bridge.collect.graph.conversation import Forbidden, refusal
from bridge.collect.graph.reports import Report
from bridge.collect.graph.work import Work
from bridge.errors import ReaderError

CELLS = {
    name: text(name)
    for name in (
        "Report",
        "ReportRefreshDate",
        "ReportPeriod",
        "UserPrincipalName",
        "Product",
        "IsDeleted",
        "LastActivityDate",
        "ActivatedDevices",
        "AssignedProducts",
        "Details",
    )
}
_SWITCH = (
    "Switch it off in the Microsoft 365 admin centre under Settings > Org settings > Services > Reports; "
    "that can take 48 hours"
)
_ROWS = 1000  # that are written at a time
_REFRESHED, _PERIOD, _PRODUCT = "Report Refresh Date", "Report Period", "Product Type"
_DELETED, _ASSIGNED, _LAST = "Is Deleted", "Assigned Products", "Last Activity Date"
_DEVICES = ("Windows", "Mac", "Windows 10 Mobile", "iOS", "Android")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TO_ESCAPE = re.compile(r"[\\;\r\n]")
_ESCAPES = {"\\": "\\\\", ";": "\\;", "\r": "\\r", "\n": "\\n"}


def read(work: Work) -> None:
    """Write the rows of each report that was asked for; note what is concealed."""
    if not work.options.reports:
        work.log("Reports is none: no usage report is asked for")
        return
    lines = Lines([CELLS[column.prop] for column in work.step.columns])
    _note_setting(work)
    try:
        for report in work.options.reports:
            _read(report, lines, work)
    except Forbidden as refused:
        work.gap("usage", f"Reports.Read.All is missing: {refused}")


def _note_setting(work: Work) -> None:
    """Note if the tenant conceals names, where Graph says so."""
    address = work.options.root + "/admin/reportSettings"
    answer = work.client.run(partial(work.client.get, address))
    if answer.status_code in {400, 403, 404}:
        return
    if answer.status_code != 200:
        raise refusal(answer, "ReportSettings.Read.All")
    try:
        concealed = json.loads(answer.content).get("displayConcealedNames")
    except (ValueError, AttributeError) as error:
        raise ReaderError("Microsoft Graph answered with something that is no reportSettings.") from error
    if concealed is True:
        work.gap(
            "concealed",
            "the tenant's setting displayConcealedNames is on: usage reports hide who used what. " + _SWITCH,
        )


def _read(report: Report, lines: Lines, work: Work) -> None:
    """Write a report's rows and note what they hide; a download that breaks off is tried again."""
    work.writer.mark()
    found = work.client.patiently(partial(_attempt, report, lines, work))
    if found is None or (report.is_retired and not found.rows):
        work.log(f"fact: {report.name} is not offered by this cloud, or retired")
    elif found.concealed:
        counts = f"hides the names in {found.concealed} of {found.rows} rows"
        work.gap("concealed", f"{report.name} {counts}. {_SWITCH}")


def _attempt(report: Report, lines: Lines, work: Work) -> Lot | None:
    """Write a report's rows in place of those of an attempt before; None if there is no such report."""
    work.writer.rewind()
    with download.opened(report, work) as blocks:
        if blocks is None:
            return None
        first = next(blocks, b"")
        if not first and report.is_retired:
            return None
        return _copied(report, chain([first], blocks), lines, work)


def _copied(report: Report, blocks: Iterator[bytes], lines: Lines, work: Work) -> Lot:
    """Write every row of a report and return what they were; whatever is not as it must be is an error."""
    try:
        table = sheet.rows(blocks)
        lot = Lot(report, next(table), work.options.period)
        while made := [lines.line(lot.item(row)) for row in islice(table, _ROWS)]:
            work.write(made)
    except Unfit as error:
        raise ReaderError(f"{report.name}: {error}.") from error
    return lot


class Lot:
    """Rows of one report, read by the columns that its first line names; it counts what is concealed."""

    def __init__(self, report: Report, columns: Sequence[str], period: str) -> None:
        self.rows = self.concealed = 0
        self._report = report.name
        self._period = period if report.has_period else "ALL"
        self._at = {column.casefold(): place for place, column in enumerate(columns)}
        if len(self._at) != len(columns):
            raise Unfit("a column comes twice")
        self._principal = self._needed(report.principal)
        self._refreshed = self._needed(_REFRESHED)
        self._last = self._places(_LAST, "Last Activated Date")[:1]
        used = {
            self._principal,
            self._refreshed,
            *self._last,
            *self._places(_PERIOD, _PRODUCT, _DELETED, _ASSIGNED),
        }
        if not self._last:
            self._last = [place for name, place in self._at.items() if name.endswith(f" {_LAST}".casefold())]
        self._devices = self._places(*_DEVICES) if self._places(_PRODUCT) else None
        self._details = [(place, _escaped(name)) for place, name in enumerate(columns) if place not in used]

    def _needed(self, column: str) -> int:
        if not (places := self._places(column)):
            raise Unfit(f"there is no column {column!r}")
        return places[0]

    def _places(self, *columns: str) -> list[int]:
        names = [column.casefold() for column in columns]
        return [self._at[name] for name in names if name in self._at]

    def item(self, row: list[str]) -> Item:
        """Return a row's cells by the columns of the step."""
        self.rows += 1
        principal = row[self._principal]
        if "@" not in principal:
            self.concealed += 1
        return {
            "Report": self._report,
            "ReportRefreshDate": self._date(row[self._refreshed]),
            "ReportPeriod": self._asked(self._text(row, _PERIOD)),
            "UserPrincipalName": principal or None,
            "Product": self._text(row, _PRODUCT),
            "IsDeleted": self._truth(self._text(row, _DELETED)),
            "LastActivityDate": max([self._date(row[place]) or "" for place in self._last], default="")
            or None,
            "ActivatedDevices": self._sum(row),
            "AssignedProducts": self._text(row, _ASSIGNED),
            "Details": self._joined(row),
        }

    def _text(self, row: list[str], column: str) -> str | None:
        place = self._at.get(column.casefold())
        return None if place is None else row[place] or None

    def _asked(self, text: str | None) -> str:
        if text is None:
            return self._period
        return f"D{text}" if text.isascii() and text.isdigit() else text

    def _date(self, text: str) -> str | None:
        try:
            return _day(text) if text else None
        except ValueError as error:
            what = f"row {self.rows} has the date {text[:80]!r}, expected one such as 2026-11-24"
            raise Unfit(what) from error

    def _truth(self, text: str | None) -> str | None:
        if text is None:
            return None
        if (truth := text.lower()) not in {"true", "false"}:
            raise Unfit(f"row {self.rows} says {_DELETED} {text[:80]!r}, expected True or False")
        return truth

    def _sum(self, row: list[str]) -> str | None:
        """Return the number of devices on which a product is activated."""
        if self._devices is None:
            return None
        counts = [row[place] or "0" for place in self._devices]
        if wrong := next((count for count in counts if not (count.isascii() and count.isdigit())), None):
            raise Unfit(f"row {self.rows} counts {wrong[:80]!r} devices, expected a number")
        return str(sum(map(int, counts)))

    def _joined(self, row: list[str]) -> str | None:
        """Return every other cell with its column's name, joined so that it can be taken apart again."""
        parts = [f"{name}={_escaped(row[place])}" for place, name in self._details if row[place]]
        return ";".join(parts) or None


@lru_cache
def _day(text: str) -> str:
    """Return the moment at which a day begins; ValueError if it is none."""
    if not _DATE.fullmatch(text):
        raise ValueError(text)
    return f"{date.fromisoformat(text)}T00:00:00"


def _escaped(text: str) -> str:
    if not _TO_ESCAPE.search(text):
        return text
    return _TO_ESCAPE.sub(lambda found: _ESCAPES[found.group()], text)
