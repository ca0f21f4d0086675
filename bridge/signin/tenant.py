"""The right tenant, or nothing: whose token it is, and what Microsoft Graph calls the organisation."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bridge.errors import SignInError
from bridge.model import Connection

if TYPE_CHECKING:
    from bridge.signin.entra import Entra, Grant

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_UNREADABLE = (
    "The organisation could not be read ({why}), so the tenant is proved by the token's tid alone; delegated "
    "tokens, and apps without Organization.Read.All, may not read it."
)


def prove(entra: Entra, grant: Grant) -> str | None:
    """Raise SignInError unless the token is the connection's tenant's; return what could not be proved.

    The token's tid must be the tenant that the sign-in service knows by the settings' name for it, and the
    organisation that Graph shows with this token must have that id, or that name as a verified domain. One of
    the two must have been compared: where the organisation may not be read, the tid with an id. ``entra``
    keeps the organisation's id and domains.
    """
    connection = entra.connection
    wanted = connection.tenant.lower()
    tid = (grant.tenant or "").lower()
    known = wanted if _ID.fullmatch(wanted) else grant.authority.lower()
    compared = bool(tid) and _ID.fullmatch(known) is not None
    if compared and tid != known:
        raise _other(connection, f"the token is of the tenant {tid}, not {known}")
    found = entra.patiently(lambda: _organization(entra, grant))
    if isinstance(found, str):
        if not compared:
            why = "the sign-in service names no id to compare it with" if tid else "it has no tid"
            raise _unproved(connection, f"{why}, and {found}")
        return _UNREADABLE.format(why=found)
    names = {str(found.get("id", "")).lower(), *_domains(found)}
    if wanted not in names or (tid and tid != str(found.get("id", "")).lower()):
        raise _other(
            connection, f"Graph shows the organisation {found.get('displayName')} ({found.get('id')})"
        )
    entra.names = frozenset(names - {""})
    return None


def _other(connection: Connection, why: str) -> SignInError:
    return SignInError(
        f"The credential of {connection.name} is of another tenant: {why}; expected {connection.tenant}.",
        hint=f'Nothing was read. Sign in with the right tenant: beacon-bridge signin "{connection.name}"',
    )


def _unproved(connection: Connection, why: str) -> SignInError:
    return SignInError(
        f"Whose token it is cannot be proved for {connection.name}: {why}.",
        hint="Write the tenant's id as tenant, or grant the app Organization.Read.All, with admin consent.",
    )


def _domains(organization: Mapping[str, Any]) -> set[str]:
    listed = organization.get("verifiedDomains")
    return {str(one.get("name", "")).lower() for one in listed if isinstance(one, dict)} if listed else set()


def _organization(entra: Entra, grant: Grant) -> Mapping[str, Any] | str:
    """Return the organisation as Graph shows it, or the words for why this token may not read it."""
    address = f"{entra.connection.cloud.graph}/v1.0/organization?$select=id,displayName,verifiedDomains"
    headers = {"Authorization": f"Bearer {grant.token.reveal()}", "Accept": "application/json"}
    with entra.translated(address):
        answer = entra.session.get(address, headers=headers, allow_redirects=False)
        if answer.status_code == 403:
            return "Graph answers 403"
        if answer.status_code == 401:
            raise SignInError(
                f"Microsoft Graph does not take the token of {entra.connection.name}.",
                hint="Check cloud of the connection: a token is good in its own cloud only.",
            )
        answer.raise_for_status()
        listed = answer.json()["value"]
    return listed[0] if listed else "Graph shows no organisation"
