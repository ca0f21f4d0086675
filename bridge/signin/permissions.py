"""Which application permission each feature needs, and what is left out without it.

Permissions: learn.microsoft.com/graph/api (user-list, subscribedsku-list, organization-list, report pages,
adminreportsettings-get). Ids of the app roles: learn.microsoft.com/graph/permissions-reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from bridge.errors import SettingsError
from bridge.model import Connection

Claims = Mapping[str, Any]
MICROSOFT_GRAPH = "00000003-0000-0000-c000-000000000000"


@dataclass(frozen=True, slots=True)
class Permission:
    """An application permission: its role id, what reads with it, and what its absence leaves out.

    ``or_any`` are higher permissions that do as well; ``required``: without it a run fails.
    """

    name: str
    role: str
    feature: str
    without: str
    or_any: frozenset[str] = frozenset()
    required: bool = False


_DIRECTORY = frozenset({"Directory.Read.All", "Directory.ReadWrite.All"})
PERMISSIONS = (
    Permission(
        "LicenseAssignment.Read.All",
        "e2f98668-2877-4f38-a2f4-8202e0717aa1",
        "licences",
        "no products and units: a run fails",
        _DIRECTORY
        | {"LicenseAssignment.ReadWrite.All", "Organization.Read.All", "Organization.ReadWrite.All"},
        required=True,
    ),
    Permission(
        "User.Read.All",
        "df021288-bdef-4463-88db-98f22de89214",
        "users",
        "no users and no assignments: a run fails",
        _DIRECTORY | {"User.ReadWrite.All"},
        required=True,
    ),
    Permission(
        "AuditLog.Read.All",
        "b0afded3-3588-46d8-8b3d-9842eff778da",
        "sign-in activity",
        "no date of the last sign-in; it needs an Entra ID P1 licence besides",
    ),
    Permission(
        "Reports.Read.All",
        "230c1aed-a721-4c5d-9cb4-a90514e508ef",
        "usage",
        "no usage reports",
    ),
    Permission(
        "ReportSettings.Read.All",
        "ee353f83-55ef-4b78-82da-555bfa2b4b95",
        "concealment flag",
        "whether usage reports hide names is not known before they are read",
        frozenset({"ReportSettings.ReadWrite.All"}),
    ),
    Permission(
        "Organization.Read.All",
        "498476ce-e0fe-48b0-b801-37ba7e2685c6",
        "tenant",
        "the tenant is proved by the token's tid alone",
        _DIRECTORY | {"Organization.ReadWrite.All"},
    ),
)


@dataclass(frozen=True, slots=True)
class Line:
    """One permission, and whether a token has it; None where the token does not say."""

    permission: Permission
    granted: bool | None


def lines(claims: Claims) -> tuple[Line, ...]:
    """Return each permission and whether a token's claims have it: ``roles`` of an app, ``scp`` of a user."""
    had = granted(claims)
    return tuple(Line(one, bool(had & {one.name, *one.or_any}) if claims else None) for one in PERMISSIONS)


def granted(claims: Claims) -> frozenset[str]:
    """Return the permissions that a token's claims name."""
    roles = claims.get("roles")
    return frozenset([*(roles if isinstance(roles, list) else ()), *str(claims.get("scp") or "").split()])


def is_delegated(claims: Claims) -> bool:
    """Return whether a token acts for a user, whose own roles limit it further."""
    return bool(claims.get("scp"))


def manifest() -> list[dict[str, object]]:
    """Return ``requiredResourceAccess`` of an app registration's manifest."""
    access = [{"id": one.role, "type": "Role"} for one in PERMISSIONS]
    return [{"resourceAppId": MICROSOFT_GRAPH, "resourceAccess": access}]


def consent_address(connection: Connection) -> str:
    """Return the address of admin consent (learn.microsoft.com/entra/identity-platform/v2-admin-consent)."""
    if connection.sign_in is None:
        raise no_sign_in(connection)
    query = urlencode(
        {
            "client_id": connection.sign_in.client_id,
            "scope": f"{connection.cloud.graph}/.default",
            "redirect_uri": f"{connection.cloud.authority}/common/oauth2/nativeclient",
        }
    )
    return f"{connection.cloud.authority}/{connection.tenant}/v2.0/adminconsent?{query}"


def no_sign_in(connection: Connection) -> SettingsError:
    """Return the error that a connection without [signin] is, where it needs one."""
    return SettingsError(
        f"The connection {connection.name} has no sign-in.",
        hint=f'Add [connections."{connection.name}".signin]; docs/register-app.md has both ways.',
    )
