"""``secret``: the store is filled, listed and cleared; a value is typed or piped, never an argument."""

from __future__ import annotations

import sys
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bridge.cli.group import group
from bridge.desk import Desk, examples, shared
from bridge.errors import SettingsError

if TYPE_CHECKING:
    from bridge.secrets.store import Entry, Store


def _day(_: click.Context, __: click.Parameter, given: datetime | None) -> date | None:
    return given.date() if given else None


@group.command(
    epilog=examples(
        "beacon-bridge secret set contoso-app --expires 2027-11-30",
        r"beacon-bridge secret set contoso-app --for CONTOSO\beacon$",
        r"beacon-bridge secret set contoso-cert --file D:\contoso.pfx",
        "beacon-bridge secret list",
        "beacon-bridge secret remove contoso-app",
    )
)
@click.argument("action", type=click.Choice(["set", "list", "remove"]))
@click.argument("name", required=False)
@click.argument("extra", nargs=-1, metavar="")
@click.option(
    "--expires", type=click.DateTime(["%Y-%m-%d"]), callback=_day, metavar="YYYY-MM-DD", help="Its last day."
)
@click.option("--for", "account", metavar="ACCOUNT", help="Windows: the account whose runs use it.")
@click.option(
    "--file", type=click.Path(path_type=Path), help="Store a file's bytes, such as a PFX, instead of a value."
)
@shared
def secret(
    desk: Desk,
    action: str,
    name: str | None,
    extra: tuple[str, ...],
    expires: date | None,
    account: str | None,
    file: Path | None,
) -> int:
    """Store a secret that the settings name as store:NAME, list them without values, or remove one.

    set asks for the value twice on a terminal, unseen; otherwise standard input is the value, less one
    newline at its end. A command line is seen by others: the value is never a part of it.
    """
    from bridge import assembly

    if extra:
        raise click.UsageError("A value is never an argument: type it when asked, or pipe it in.")
    if (action == "list") == bool(name):
        raise click.UsageError("set and remove want a NAME; list wants none.")
    if action != "set" and (expires or account or file):
        raise click.UsageError(f"{action} takes no --expires, --for or --file.")
    store = assembly.store(desk.workplace.settings)
    if action == "list":
        return _list(desk, store)
    if action == "remove":
        store.remove(name or "")
        desk.show({"removed": name}, lambda: f"{name} is removed")
        return 0
    return _set(desk, store, name or "", expires, account, file)


def _set(
    desk: Desk, store: Store, name: str, expires: date | None, account: str | None, file: Path | None
) -> int:
    from bridge.secrets.names import checked
    from bridge.show import stored

    checked(name)
    _refuse_past(expires)
    store.put_bytes(name, _from_file(file) if file else _given(), expires=expires, account=account)
    entry = store.entry(name)
    desk.show(
        stored.as_json(name, entry, _today()),
        lambda: stored.line(entry, store.vault.description),
    )
    return 0


def _list(desk: Desk, store: Store) -> int:
    from bridge.show import stored

    found: dict[str, Entry | SettingsError] = {}
    for name in store.names():
        try:
            found[name] = store.entry(name)
        except SettingsError as error:
            found[name] = error
    desk.show(
        [stored.as_json(name, one, _today()) for name, one in found.items()],
        lambda: stored.table(found, _today()),
    )
    return 0


def _today() -> date:
    from bridge import system

    return system.now().astimezone().date()


def _refuse_past(expires: date | None) -> None:
    if expires and expires < _today():
        raise SettingsError(
            f"--expires {expires} is past; nothing was stored.", hint="Give the last day of the new value."
        )


def _given() -> bytes:
    """Return the value that is typed twice, or else the whole of standard input."""
    if sys.stdin.isatty():
        typed: str = click.prompt("Value", hide_input=True, confirmation_prompt="The same again", err=True)
        return typed.encode()
    from bridge.secrets.fetch import decoded

    try:
        return decoded(sys.stdin.buffer.read()).encode()
    except UnicodeDecodeError as error:
        raise SettingsError(
            f"The value on standard input is no UTF-8 text (byte {error.start}); nothing was stored.",
            hint="Save it in a file as it is, and give that with --file PATH.",
        ) from None


def _from_file(file: Path) -> bytes:
    """Return a file's bytes; a text comes without its last newline."""
    from bridge.secrets.fetch import decoded

    try:
        content = file.read_bytes()
    except OSError as error:
        raise SettingsError(
            f"{file} cannot be read: {error.strerror or error}; nothing was stored.", hint="Correct the path."
        ) from error
    try:
        return decoded(content).encode()
    except UnicodeDecodeError:  # a PFX is no text
        return content
