"""What Graph wants to see before it answers: a token of its own, and a permission for the call."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tools.tenant.pages import Refused
from tools.tenant.tokens import GRAPH_ID, BadToken, Claims, Mint

_DIRECTORY = frozenset({"Directory.Read.All", "Directory.ReadWrite.All"})
_ORGANIZATION = _DIRECTORY | {"Organization.Read.All", "Organization.ReadWrite.All"}
# A call and the permissions of which one is enough (the "Permissions" tables of the pages of Graph v1.0).
NEEDS: Mapping[str, frozenset[str]] = {
    "/v1.0/subscribedSkus": _ORGANIZATION | {"LicenseAssignment.Read.All", "LicenseAssignment.ReadWrite.All"},
    "/v1.0/users": _DIRECTORY | {"User.Read.All", "User.ReadWrite.All"},
    "/v1.0/organization": _ORGANIZATION | {"User.Read", "User.Read.All"},
    "/v1.0/directory/subscriptions": _ORGANIZATION,
    "/v1.0/users/$count": _DIRECTORY | {"User.Read.All", "User.ReadWrite.All"},
    "/v1.0/admin/reportSettings": frozenset({"ReportSettings.Read.All", "ReportSettings.ReadWrite.All"}),
}

_SIGN_INS, _REPORTS = frozenset({"AuditLog.Read.All"}), frozenset({"Reports.Read.All"})


class Gate:
    """Lets a request to one Graph root in, or raises Refused."""

    def __init__(self, mint: Mint, root: str, now: Callable[[], float]) -> None:
        self._mint = mint
        self._root = root
        self._now = now

    def claims(self, authorization: str) -> Claims:
        """Return the claims of a bearer token that is good for this Graph."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Refused(401, "InvalidAuthenticationToken", "Access token is empty.")
        try:
            claims = self._mint.read(token)
        except BadToken as problem:
            raise Refused(401, "InvalidAuthenticationToken", str(problem)) from problem
        if claims.get("aud") not in {self._root, f"{self._root}/", GRAPH_ID}:
            raise Refused(
                401, "InvalidAuthenticationToken", "Access token validation failure. Invalid audience."
            )
        if self._now() > claims["exp"]:
            message = "Lifetime validation failed, the token is expired."
            raise Refused(401, "InvalidAuthenticationToken", message)
        return claims


def check_permission(claims: Claims, path: str) -> None:
    """Raise Refused unless the token holds a permission for a call, or for the property signInActivity."""
    needed = NEEDS.get(path)
    if path == "signInActivity":
        needed = _SIGN_INS
    elif path.startswith(("/v1.0/reports/", "/beta/reports/")):
        needed = _REPORTS
    held = {*claims.get("roles", ()), *claims.get("scp", "").split()}
    if needed is not None and not held & needed:
        message = "Insufficient privileges to complete the operation."
        raise Refused(403, "Authorization_RequestDenied", message)
