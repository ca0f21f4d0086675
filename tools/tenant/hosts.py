"""The host names of Microsoft that the cloud answers for (learn.microsoft.com/graph/deployments)."""

from __future__ import annotations

from collections.abc import Mapping

SIGN_IN_HOSTS: Mapping[str, tuple[str, ...]] = {
    "login.microsoftonline.com": ("https://graph.microsoft.com",),
    "login.microsoftonline.us": ("https://graph.microsoft.us", "https://dod-graph.microsoft.us"),
    "login.partner.microsoftonline.cn": ("https://microsoftgraph.chinacloudapi.cn",),
    "login.sovereign.example": ("https://graph.sovereign.example",),  # a cloud that msal does not know
}
KNOWN_HOSTS = tuple(SIGN_IN_HOSTS)[:3]
