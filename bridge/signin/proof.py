"""What a check says of a connection's sign-in: proved or not, its permissions, its clock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from bridge.errors import BridgeError, SignInError
from bridge.signin import permissions
from bridge.signin.source import Source


@dataclass(frozen=True, slots=True)
class Proof:
    """One line of a check: its topic, how it stands, what was found, how to mend it, and its exit code."""

    topic: str
    level: Literal["ok", "info", "warn", "fail"]
    text: str
    fix: str = ""
    exit_code: int = 0


def prove(source: Source, remarks: list[str]) -> Iterator[Proof]:
    """Sign in and yield what is known by then; ``remarks`` is the list that the source tells."""
    try:
        grant = source.grant()
    except BridgeError as error:
        yield Proof("sign-in", "fail", str(error), error.hint, error.exit_code)
        return
    who = grant.user or f"the app {source.entra.sign_in.client_id}"
    yield Proof("sign-in", "ok", f"as {who}, of the tenant {grant.tenant or source.entra.connection.tenant}")
    clock = source.entra.clock
    for remark in remarks:
        if remark != clock:
            yield Proof("sign-in", "info", remark, "Nothing, if so meant.")
    if clock is None:
        yield Proof("clock", "ok", "within five minutes of Microsoft's")
    else:
        yield Proof("clock", "warn", clock, "Let Windows set the clock (w32tm /resync).")
    yield from _permissions(source, grant.claims)


def _permissions(source: Source, claims: permissions.Claims) -> Iterator[Proof]:
    name = source.entra.connection.name
    if not claims:
        yield Proof("permissions", "info", "the token does not say which it has", "Nothing: a run will tell.")
        return
    for line in permissions.lines(claims):
        wanted = line.permission
        if line.granted:
            yield Proof("permissions", "ok", f"{wanted.name}: {wanted.feature}")
        else:
            fix = f'Consent to it: beacon-bridge permissions "{name}" --manifest prints the address.'
            level: Literal["fail", "info"] = "fail" if wanted.required else "info"
            text = f"{wanted.name} is missing: {wanted.without}"
            yield Proof("permissions", level, text, fix, SignInError.exit_code if wanted.required else 0)
