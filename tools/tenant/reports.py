"""Usage reports: their columns as Microsoft documents them, and their rows, made from the tenant's users.

The pages are learn.microsoft.com/graph/api/reportroot-NAME, NAME in lower case. What a column holds follows
from its name; what Microsoft writes there in detail is not documented.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from itertools import chain

from tools.tenant.columns import Fill, Layout, Line, Maker, devices, fills, numbers, used
from tools.tenant.data import Tenant
from tools.tenant.people import Person
from tools.tenant.skus import COPILOT, PROJECT, VISIO

PERIODS = ("D7", "D30", "D90", "D180")


@dataclass(frozen=True)
class Report:
    """One report: Graph's name, its columns, and whose rows are in it.

    ``rest`` fills the columns that no rule knows. ``products``: a row for each, or one. ``period``: whether
    it takes one. ``mark``: whether the file begins with a byte order mark. ``break_``: how its lines end.
    """

    name: str
    columns: tuple[str, ...]
    slot: int
    holds: Callable[[Person], bool]
    rest: Maker
    products: Callable[[Person], tuple[str, ...]] = lambda person: ("",)
    period: bool = True
    version: str = "v1.0"
    mark: bool = False
    break_: str = "\r\n"

    @cached_property
    def free(self) -> tuple[int, ...]:
        """The places of the columns whose cells are texts that somebody wrote."""
        return tuple(place for place, name in enumerate(self.columns) if name.endswith("Display Name"))

    @cached_property
    def _fills(self) -> tuple[Fill, ...]:
        return fills(Layout(self.columns, self.slot, self.rest))

    def rows(self, tenant: Tenant, period: str = "D30") -> Iterator[list[str]]:
        """Yield the rows, without the header, as texts by column."""
        if self.name == EMPTY and "empty-report" in tenant.oddities:
            return
        for person in self._people(tenant):
            principal, name = _named(tenant, person)
            for product in self.products(person):
                line = Line(tenant, person, principal, name, period, product)
                yield list(chain.from_iterable([fill(line) for fill in self._fills]))

    def _people(self, tenant: Tenant) -> Iterator[Person]:
        yield from filter(self.holds, map(tenant.person, range(tenant.users)))
        if "Is Deleted" in self.columns:
            yield from tenant.former()


# --- who is named ---


def _named(tenant: Tenant, person: Person) -> tuple[str, str]:
    """Return the principal name and the display name as reports show them."""
    odd = tenant.oddities
    if "concealed" in odd or ("mixed-names" in odd and person.index % 3 == 0):
        return _hidden(person.principal), _hidden(person.name)
    if "unknown-names" in odd and person.index % 4 == 1:
        return "(Unknown)", "(Unknown)"
    name = person.name
    return person.principal, name if name.isprintable() else name.translate(_PLAIN)


# Control characters are in no report, as far as anybody has seen; line breaks are.
_PLAIN = {**dict.fromkeys((*range(9), 11, 12, *range(14, 32), 0xFFFE)), 9: " "}


def _hidden(text: str) -> str:
    return blake2b(text.encode(), digest_size=16).hexdigest().upper()


# --- the reports ---


def _suite(person: Person) -> bool:
    return person.kind.suite


def _licensed(person: Person) -> bool:
    return bool(person.kind.skus)


def _activated(person: Person) -> tuple[str, ...]:
    """Return the products that a user can activate."""
    skus = person.kind.skus
    found = ["MICROSOFT 365 APPS FOR ENTERPRISE"] if person.kind.suite else []
    found += ["VISIO CLIENT"] if VISIO in skus else []
    return (*found, "PROJECT CLIENT") if PROJECT in skus else tuple(found)


def _columns(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


_APPS = ("Outlook", "Word", "Excel", "PowerPoint", "OneNote", "Teams")
_APP_COLUMNS = (
    *_columns("Report Refresh Date,User Principal Name,Last Activation Date,Last Activity Date"),
    *_columns("Report Period,Windows,Mac,Mobile,Web"),
    *_APPS,
    *(f"{app} ({system})" for system in ("Windows", "Mac", "Mobile", "Web") for app in _APPS),
)
EMPTY = "getM365AppUserDetail"  # the report without rows under `empty-report`
_FILES = "Is Deleted,Deleted Date,Last Activity Date,Viewed Or Edited File Count,Synced File Count"
_SHARED = f"{_FILES},Shared Internally File Count,Shared Externally File Count"

_ALL = (
    Report(
        "getOffice365ActiveUserDetail",
        _columns(
            "Report Refresh Date,User Principal Name,Display Name,Is Deleted,Deleted Date,"
            "Has Exchange License,Has OneDrive License,Has SharePoint License,"
            "Has Skype For Business License,Has Yammer License,Has Teams License,"
            "Exchange Last Activity Date,OneDrive Last Activity Date,"
            "SharePoint Last Activity Date,Skype For Business Last Activity Date,Yammer Last Activity Date,"
            "Teams Last Activity Date,Exchange License Assign Date,OneDrive License Assign Date,"
            "SharePoint License Assign Date,Skype For Business License Assign Date,"
            "Yammer License Assign Date,Teams License Assign Date,Assigned Products"
        ),
        0,
        _licensed,
        numbers,
        mark=True,
    ),
    Report(
        "getOffice365ActivationsUserDetail",
        _columns(
            "Report Refresh Date,User Principal Name,Display Name,Product Type,Last Activated Date,Windows,"
            "Mac,Windows 10 Mobile,iOS,Android,Activated On Shared Computer"
        ),
        6,
        lambda person: True,
        devices,
        products=_activated,
        period=False,
    ),
    Report(EMPTY, _APP_COLUMNS, 6, _suite, used, mark=True, break_="\n"),
    Report(
        "getEmailActivityUserDetail",
        _columns(
            "Report Refresh Date,User Principal Name,Display Name,Is Deleted,Deleted Date,Last Activity Date,"
            "Send Count,Receive Count,Read Count,Meeting Created Count,Meeting Interacted Count,"
            "Assigned Products,Report Period"
        ),
        0,
        _suite,
        numbers,
    ),
    Report(
        "getMailboxUsageDetail",
        _columns(
            "Report Refresh Date,User Principal Name,Display Name,Is Deleted,Deleted Date,Created Date,"
            "Last Activity Date,Item Count,Storage Used (Byte),Issue Warning Quota (Byte),"
            "Prohibit Send Quota (Byte),Prohibit Send/Receive Quota (Byte),Deleted Item Count,"
            "Deleted Item Size (Byte),Deleted Item Quota (Byte),Has Archive,Report Period"
        ),
        0,
        _suite,
        numbers,
        break_="\n",
    ),
    Report(
        "getOneDriveActivityUserDetail",
        _columns(f"Report Refresh Date,User Principal Name,{_SHARED},Assigned Products,Report Period"),
        1,
        _suite,
        numbers,
    ),
    Report(
        "getOneDriveUsageAccountDetail",
        _columns(
            "Report Refresh Date,Site URL,Owner Display Name,Is Deleted,Last Activity Date,File Count,"
            "Active File Count,Storage Used (Byte),Storage Allocated (Byte),Owner Principal Name,"
            "Report Period"
        ),
        1,
        _suite,
        numbers,
        mark=True,
    ),
    Report(
        "getSharePointActivityUserDetail",
        _columns(
            f"Report Refresh Date,User Principal Name,{_SHARED},Visited Page Count,"
            "Assigned Products,Report Period"
        ),
        2,
        _suite,
        numbers,
    ),
    Report(
        "getTeamsUserActivityUserDetail",
        _columns(
            "Report Refresh Date,Tenant Display Name,Shared Channel Tenant Display Names,User Id,"
            "User Principal Name,Last Activity Date,Is Deleted,Deleted Date,Assigned Products,"
            "Team Chat Message Count,Private Chat Message Count,Call Count,Meeting Count,Post Messages,"
            "Reply Messages,Urgent Messages,Meetings Organized Count,Meetings Attended Count,"
            "Ad Hoc Meetings Organized Count,Ad Hoc Meetings Attended Count,"
            "Scheduled One-time Meetings Organized Count,Scheduled One-time Meetings Attended Count,"
            "Scheduled Recurring Meetings Organized Count,Scheduled Recurring Meetings Attended Count,"
            "Audio Duration,Video Duration,Screen Share Duration,Audio Duration In Seconds,"
            "Video Duration In Seconds,Screen Share Duration In Seconds,Has Other Action,Is Licensed,"
            "Report Period"
        ),
        5,
        _suite,
        numbers,
        break_="\n",
    ),
    Report(
        "getSkypeForBusinessActivityUserDetail",
        _columns(
            "Report Refresh Date,User Principal Name,Is Deleted,Deleted Date,Last Activity Date,"
            "Total Peer-to-peer Session Count,Total Organized Conference Count,"
            "Total Participated Conference Count,Peer-to-peer Last Activity Date,"
            "Organized Conference Last Activity Date,Participated Conference Last Activity Date,"
            "Peer-to-peer IM Count,Peer-to-peer Audio Count,Peer-to-peer Audio Minutes,"
            "Peer-to-peer Video Count,Peer-to-peer Video Minutes,Peer-to-peer App Sharing Count,"
            "Peer-to-peer File Transfer Count,Organized Conference IM Count,"
            "Organized Conference Audio/Video Count,Organized Conference Audio/Video Minutes,"
            "Organized Conference App Sharing Count,Organized Conference Web Count,"
            "Organized Conference Dial-in/out 3rd Party Count,"
            "Organized Conference Dial-in/out Microsoft Count,"
            "Organized Conference Dial-in Microsoft Minutes,Organized Conference Dial-out Microsoft Minutes,"
            "Participated Conference IM Count,Participated Conference Audio/Video Count,"
            "Participated Conference Audio/Video Minutes,Participated Conference App Sharing Count,"
            "Participated Conference Web Count,Participated Conference Dial-in/out 3rd Party Count,"
            "Assigned Products,Report Period"
        ),
        3,
        _suite,
        numbers,
    ),
    Report(
        "getYammerActivityUserDetail",
        _columns(
            "Report Refresh Date,User Principal Name,Display Name,User State,State Change Date,"
            "Last Activity Date,Posted Count,Read Count,Liked Count,Assigned Products,Report Period"
        ),
        4,
        _suite,
        numbers,
    ),
    Report(
        "getMicrosoft365CopilotUsageUserDetail",
        _columns(
            "Report Refresh Date,Report Period,User Principal Name,Display Name,Last Activity Date,"
            "Microsoft Teams Copilot Last Activity Date,Word Copilot Last Activity Date,"
            "Excel Copilot Last Activity Date,PowerPoint Copilot Last Activity Date,"
            "Outlook Copilot Last Activity Date,OneNote Copilot Last Activity Date,"
            "Loop Copilot Last Activity Date,Copilot Chat Last Activity Date"
        ),
        7,
        lambda person: COPILOT in person.kind.skus,
        numbers,
        version="beta",
    ),
)
REPORTS: Mapping[str, Report] = {report.name: report for report in _ALL}
USUAL = (
    "getOffice365ActiveUserDetail",
    "getOffice365ActivationsUserDetail",
    "getM365AppUserDetail",
    "getMicrosoft365CopilotUsageUserDetail",
)


def asked(text: str) -> tuple[Report, ...]:
    """Return the reports that a list of names means, in the order of the table.

    Nothing is the usual four, ``none`` is none.
    """
    names = {name.strip().lower() for name in (text if text.strip() else ",".join(USUAL)).split(",")}
    known = tuple(report for report in _ALL if report.name.lower() in names)
    if len(known) != len(names - {"none"}):
        raise KeyError(text)
    return known
