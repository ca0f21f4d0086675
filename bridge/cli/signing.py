"""The commands about signing in: ``signin`` and ``permissions``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bridge.cli.group import group
from bridge.desk import Desk, examples, shared
from bridge.errors import SignInError

if TYPE_CHECKING:
    from bridge.signin.source import Source


def _source(desk: Desk, connection: str) -> Source:
    from bridge.signin.permissions import no_sign_in

    chosen = desk.workplace.settings.connection(connection)
    source = desk.workplace.sign_ins(chosen, desk.tell)
    if source is None:
        raise no_sign_in(chosen)
    return source


@group.command(
    epilog=examples(
        'beacon-bridge signin "Contoso EU"',
        'beacon-bridge signin "Contoso EU" --device',
        r'beacon-bridge signin "Contoso EU" --for CONTOSO\beacon$',
    )
)
@click.argument("connection")
@click.option("--code", is_flag=True, help="Open an address, paste the resulting one back (as usual).")
@click.option("--device", is_flag=True, help="Type a short code into a page instead.")
@click.option("--for", "account", metavar="ACCOUNT", help="Windows: the account whose runs use the token.")
@shared
def signin(desk: Desk, connection: str, code: bool, device: bool, account: str | None) -> int:
    """Sign in once, in a browser on any machine, and store the connection's refresh token."""
    from bridge import assembly
    from bridge.signin import first

    if code and device:
        raise click.UsageError("Say --code or --device.")
    source = _source(desk, connection)
    place = first.place(source.entra)
    if account:  # refused before somebody signs in for nothing
        assembly.store(desk.workplace.settings).admit(account)
    if device:
        grant = first.by_device(source.entra, desk.tell)
    else:
        grant = first.by_code(source.entra, desk.tell, lambda text: click.prompt(text, err=True))
    source.keep_first(place, grant, account)
    facts = {"connection": connection, "user": grant.user, "tenant": grant.tenant, "stored": str(place)}
    desk.show(facts, lambda: f"Signed in as {grant.user}; the refresh token is stored as {place}.")
    return 0


@group.command(
    epilog=examples(
        'beacon-bridge permissions "Contoso EU"', 'beacon-bridge permissions "Contoso EU" --manifest'
    )
)
@click.argument("connection")
@click.option("--manifest", is_flag=True, help="Print the app's requiredResourceAccess; nobody signs in.")
@shared
def permissions(desk: Desk, connection: str, manifest: bool) -> int:
    """Show which permissions the connection's token has, and what each missing one leaves out."""
    from bridge.show import rights
    from bridge.signin import permissions as known

    if manifest:
        chosen = desk.workplace.settings.connection(connection)
        facts = {
            "requiredResourceAccess": known.manifest(),
            "admin_consent": known.consent_address(chosen),
        }
        desk.show(facts, lambda: rights.manifest_lines(facts))
        return 0
    claims = _source(desk, connection).grant().claims
    lines = known.lines(claims)
    desk.show([rights.line_json(one) for one in lines], lambda: rights.table(lines))
    if known.is_delegated(claims):
        desk.tell("The token acts for a user: usage reports want the role Reports Reader besides.")
    missing = [one for one in lines if one.permission.required and one.granted is False]
    return SignInError.exit_code if missing else 0
