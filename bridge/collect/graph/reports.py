"""The usage reports per user that Microsoft Graph offers, as a table.

Names and columns are those of learn.microsoft.com/graph/api/reportroot-... (lower-case name of the report).
A report's rows are read by the names in its own first line, for columns come and go.
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
    columns: str  # separated by commas, as in the report's first line
    principal: str = "User Principal Name"
    has_period: bool = True
    is_beta: bool = False
    is_retired: bool = False
    is_usual: bool = False  # read unless others are named

    def path(self, period: str) -> str:
        """Return the path of its call below the root of Graph."""
        parameter = f"(period='{period}')" if self.has_period else ""
        return (
            f"/beta/reports/{self.name}{parameter}?$format=text/csv"
            if self.is_beta
            else (f"/v1.0/reports/{self.name}{parameter}")
        )


REPORTS = (
    Report(
        "getOffice365ActiveUserDetail",
        "Report Refresh Date,User Principal Name,Display Name,Is Deleted,Deleted Date,"
        "Has Exchange License,Has OneDrive License,Has SharePoint License,"
        "Has Skype For Business License,Has Yammer License,Has Teams License,"
        "Exchange Last Activity Date,OneDrive Last Activity Date,SharePoint Last Activity Date,"
        "Skype For Business Last Activity Date,Yammer Last Activity Date,Teams Last Activity Date,"
        "Exchange License Assign Date,OneDrive License Assign Date,SharePoint License Assign Date,"
        "Skype For Business License Assign Date,Yammer License Assign Date,Teams License Assign Date,"
        "Assigned Products",
        is_usual=True,
    ),
    Report(
        "getOffice365ActivationsUserDetail",
        "Report Refresh Date,User Principal Name,Display Name,Product Type,Last Activated Date,"
        "Windows,Mac,Windows 10 Mobile,iOS,Android,Activated On Shared Computer",
        has_period=False,
        is_usual=True,
    ),
    Report(
        "getM365AppUserDetail",
        "Report Refresh Date,User Principal Name,Last Activation Date,Last Activity Date,"
        "Report Period,Windows,Mac,Mobile,Web,Outlook,Word,Excel,PowerPoint,OneNote,Teams,"
        "Outlook (Windows),Word (Windows),Excel (Windows),PowerPoint (Windows),OneNote (Windows),"
        "Teams (Windows),Outlook (Mac),Word (Mac),Excel (Mac),PowerPoint (Mac),OneNote (Mac),"
        "Teams (Mac),Outlook (Mobile),Word (Mobile),Excel (Mobile),PowerPoint (Mobile),"
        "OneNote (Mobile),Teams (Mobile),Outlook (Web),Word (Web),Excel (Web),PowerPoint (Web),"
        "OneNote (Web),Teams (Web)",
        is_usual=True,
    ),
    Report(
        "getEmailActivityUserDetail",
        "Report Refresh Date,User Principal Name,Display Name,Is Deleted,Deleted Date,"
        "Last Activity Date,Send Count,Receive Count,Read Count,Meeting Created Count,"
        "Meeting Interacted Count,Assigned Products,Report Period",
    ),
    Report(
        "getMailboxUsageDetail",
        "Report Refresh Date,User Principal Name,Display Name,Is Deleted,Deleted Date,Created Date,"
        "Last Activity Date,Item Count,Storage Used (Byte),Issue Warning Quota (Byte),"
        "Prohibit Send Quota (Byte),Prohibit Send/Receive Quota (Byte),Deleted Item Count,"
        "Deleted Item Size (Byte),Deleted Item Quota (Byte),Has Archive,Report Period",
    ),
    Report(
        "getOneDriveActivityUserDetail",
        "Report Refresh Date,User Principal Name,Is Deleted,Deleted Date,Last Activity Date,"
        "Viewed Or Edited File Count,Synced File Count,Shared Internally File Count,"
        "Shared Externally File Count,Assigned Products,Report Period",
    ),
    Report(
        "getOneDriveUsageAccountDetail",
        "Report Refresh Date,Site URL,Owner Display Name,Is Deleted,Last Activity Date,File Count,"
        "Active File Count,Storage Used (Byte),Storage Allocated (Byte),Owner Principal Name,"
        "Report Period",
        principal="Owner Principal Name",
    ),
    Report(
        "getSharePointActivityUserDetail",
        "Report Refresh Date,User Principal Name,Is Deleted,Deleted Date,Last Activity Date,"
        "Viewed Or Edited File Count,Synced File Count,Shared Internally File Count,"
        "Shared Externally File Count,Visited Page Count,Assigned Products,Report Period",
    ),
    Report(
        "getTeamsUserActivityUserDetail",
        "Report Refresh Date,Tenant Display Name,Shared Channel Tenant Display Names,User Id,"
        "User Principal Name,Last Activity Date,Is Deleted,Deleted Date,Assigned Products,"
        "Team Chat Message Count,Private Chat Message Count,Call Count,Meeting Count,Post Messages,"
        "Reply Messages,Urgent Messages,Meetings Organized Count,Meetings Attended Count,"
        "Ad Hoc Meetings Organized Count,Ad Hoc Meetings Attended Count,"
        "Scheduled One-time Meetings Organized Count,Scheduled One-time Meetings Attended Count,"
        "Scheduled Recurring Meetings Organized Count,Scheduled Recurring Meetings Attended Count,"
        "Audio Duration,Video Duration,Screen Share Duration,Audio Duration In Seconds,"
        "Video Duration In Seconds,Screen Share Duration In Seconds,Has Other Action,Is Licensed,"
        "Report Period",
    ),
    Report(
        "getSkypeForBusinessActivityUserDetail",
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
        "Organized Conference Dial-in Microsoft Minutes,"
        "Organized Conference Dial-out Microsoft Minutes,Participated Conference IM Count,"
        "Participated Conference Audio/Video Count,Participated Conference Audio/Video Minutes,"
        "Participated Conference App Sharing Count,Participated Conference Web Count,"
        "Participated Conference Dial-in/out 3rd Party Count,Assigned Products,Report Period",
        is_retired=True,
    ),
    Report(
        "getYammerActivityUserDetail",
        "Report Refresh Date,User Principal Name,Display Name,User State,State Change Date,"
        "Last Activity Date,Posted Count,Read Count,Liked Count,Assigned Products,Report Period",
    ),
    Report(
        "getMicrosoft365CopilotUsageUserDetail",
        "Report Refresh Date,Report Period,User Principal Name,Display Name,Last Activity Date,"
        "Microsoft Teams Copilot Last Activity Date,Word Copilot Last Activity Date,"
        "Excel Copilot Last Activity Date,PowerPoint Copilot Last Activity Date,"
        "Outlook Copilot Last Activity Date,OneNote Copilot Last Activity Date,"
        "Loop Copilot Last Activity Date,Copilot Chat Last Activity Date",
        is_beta=True,
        is_usual=True,
    ),
)
