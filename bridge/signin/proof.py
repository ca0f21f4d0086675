"""What a check says of a connection's sign-in: proved or not, its permissions, its clock."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from bridge.errors import BridgeError, SignInError
from bridge.model import Finding
from bridge.signin import permissions
from bridge.signin.source import Source


def prove(source: Source, remarks: list[str]) -> Iterator[Finding]:
    """Sign in and yield what is known by then; ``remarks`` is the list that the source tells."""
    try:
        grant = source.grant()
    except BridgeError as error:
        yield Finding("sign-in", "fail", str(error), error.hint, error.exit_code)
        return
    who = grant.user or f"the app {source.entra.sign_in.client_id}"
    yield Finding(
        "sign-in", "ok", f"as {who}, of the tenant {grant.tenant or source.entra.connection.tenant}"
    )
    clock = source.entra.clock
    for remark in remarks:
        if remark != clock:
            yield Finding("sign-in", "info", remark, "Nothing, if so meant.")
    if clock is None:
        yield Finding("clock", "ok", "within five minutes of Microsoft's")
    else:
        yield Finding("clock", "warn", clock, "Let Windows set the clock (w32tm /resync).")
    yield from _permissions(source, grant.claims)


def _permissions(source: Source, claims: permissions.Claims) -> Iterator[Finding]:
    name = source.entra.connection.name
    if not claims:
        yield Finding(
            "permissions", "info", "the token does not say which it has", "Nothing: a run will tell."
        )
        return
    for line in permissions.lines(claims):
        wanted = line.permission
        if line.granted:
            yield Finding("permissions", "ok", f"{wanted.name}: {wanted.feature}")
        else:
            fix = f'Consent to it: beacon-bridge permissions "{name}" --manifest prints the address.'
            level: Literal["fail", "info"] = "fail" if wanted.required else "info"
            text = f"{wanted.name} is missing: {wanted.without}"
            yield Finding("permissions", level, text, fix, SignInError.exit_code if wanted.required else 0)
