"""The usage reports per user that Microsoft Graph offers, as a table.

The names are those of learn.microsoft.com/graph/api/reportroot-... (lower-case name of the report). A
report's rows are read by the names in its own first line, for columns come and go.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Report:
    """One report: its name, which of its columns is the principal's name, and how it is asked for.

    ``is_beta``: it is below /beta and JSON unless CSV is asked for. ``is_retired``: 400 and no rows mean, as
    404 does for any, that there is no such report any more.
    """

    name: str
    principal: str = "User Principal Name"
    has_period: bool = True
    is_beta: bool = False
    is_retired: bool = False
    is_usual: bool = False  # read unless others are named

    def path(self, period: str) -> str:
        """Return the path of its call below the root of Graph."""
        call = f"{self.name}(period='{period}')" if self.has_period else self.name
        return f"/beta/reports/{call}?$format=text/csv" if self.is_beta else f"/v1.0/reports/{call}"


REPORTS = (
    Report("getOffice365ActiveUserDetail", is_usual=True),
    Report("getOffice365ActivationsUserDetail", has_period=False, is_usual=True),
    Report("getM365AppUserDetail", is_usual=True),
    Report("getEmailActivityUserDetail"),
    Report("getMailboxUsageDetail"),
    Report("getOneDriveActivityUserDetail"),
    Report("getOneDriveUsageAccountDetail", principal="Owner Principal Name"),
    Report("getSharePointActivityUserDetail"),
    Report("getTeamsUserActivityUserDetail"),
    Report("getSkypeForBusinessActivityUserDetail", is_retired=True),
    Report("getYammerActivityUserDetail"),
    Report("getMicrosoft365CopilotUsageUserDetail", is_beta=True, is_usual=True),
)
