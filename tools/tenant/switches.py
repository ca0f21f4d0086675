"""What goes wrong in the cloud, on purpose: switches as text, such as ``signin:429x2,clock:+600``.

The same text works on the command line and in Python; an unknown switch is a ValueError that lists them all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tools.tenant.refusals import REASONS

TARGETS = ("discovery", "signin", "graph")
_REPLY = re.compile(r"(?P<target>\w+):(?P<what>\d+|html|drop|slow:[\d.]+)(?:x(?P<times>\d+))?")


@dataclass(frozen=True, slots=True)
class Trouble:
    """What a target answers instead: an HTTP status, an AADSTS code, ``html``, ``drop`` or ``slow:SECONDS``.

    ``times``: only the first so many requests after the switch was set; 0: always.
    """

    target: str
    what: str
    times: int = 0


@dataclass(frozen=True, slots=True)
class Switches:
    """Everything that can be switched; lives and delays in seconds, ``clock`` is how far it goes ahead."""

    troubles: tuple[Trouble, ...] = ()
    retry_after: int = 5
    clock: float = 0.0
    slow: float = 0.0
    rotate: bool = True
    revoke_old: bool = False
    refresh_life: float = 90 * 86400.0
    token_life: float = 3600.0
    opaque: bool = False
    any_tenant: bool = False
    cloud: str = ""
    taken: frozenset[str] = frozenset()
    given: frozenset[str] = frozenset()
    concealed: bool = False
    proxy_auth: bool = False
    self_signed: bool = False
    device_life: float = 900.0
    device_interval: float = 5.0


@dataclass(frozen=True, slots=True)
class Switch:
    """One switch: how it is written, what it means, and what it changes."""

    form: str
    meaning: str
    turn: Callable[[Switches, str], Switches]


def _number(name: str) -> Callable[[Switches, str], Switches]:
    def turn(switches: Switches, text: str) -> Switches:
        change: dict[str, Any] = {name: float(text)}
        return replace(switches, **change)

    return turn


def _on(name: str) -> Callable[[Switches, str], Switches]:
    def turn(switches: Switches, text: str) -> Switches:
        if text:
            raise ValueError(f"{name.replace('_', '-')} takes no value")
        change: dict[str, Any] = {name: True}
        return replace(switches, **change)

    return turn


def _role(switches: Switches, text: str) -> Switches:
    if text[:1] == "-":
        return replace(switches, taken=switches.taken | {text[1:]})
    if text[:1] == "+":
        return replace(switches, given=switches.given | {text[1:]})
    raise ValueError("write role:-NAME or role:+NAME")


SWITCHES: Mapping[str, Switch] = {
    "rotate": Switch(
        "rotate", "each redemption gives another refresh token; this is so anyway", _on("rotate")
    ),
    "keep-refresh": Switch(
        "keep-refresh",
        "a redemption gives no other refresh token",
        lambda switches, text: replace(switches, rotate=False),
    ),
    "revoke-old": Switch(
        "revoke-old", "a redeemed refresh token is refused from then on (AADSTS50173)", _on("revoke_old")
    ),
    "refresh-life": Switch(
        "refresh-life:SECONDS",
        "how long a refresh token lives unused (AADSTS700082)",
        _number("refresh_life"),
    ),
    "token-life": Switch(
        "token-life:SECONDS",
        "how long an access token lives; Graph answers 401 after it",
        _number("token_life"),
    ),
    "opaque": Switch("opaque", "access tokens are no JWTs", _on("opaque")),
    "any-tenant": Switch(
        "any-tenant",
        "a refresh token is redeemed at any tenant's address, for a token of its own tenant",
        _on("any_tenant"),
    ),
    "cloud": Switch(
        "cloud:HOST",
        "the tenants live behind this sign-in host only; others answer AADSTS90002",
        lambda switches, text: replace(switches, cloud=text),
    ),
    "role": Switch("role:-NAME, role:+NAME", "a permission taken from, or given to, every token", _role),
    "concealed": Switch("concealed", "usage reports show no names (reportSettings)", _on("concealed")),
    "clock": Switch(
        "clock:+SECONDS",
        "the cloud's clock is ahead (-: behind), in Date headers and in tokens",
        _number("clock"),
    ),
    "slow": Switch("slow:SECONDS", "a pause before every answer", _number("slow")),
    "retry-after": Switch(
        "retry-after:SECONDS",
        "what a 429 asks for",
        lambda switches, text: replace(switches, retry_after=int(text)),
    ),
    "proxy-auth": Switch(
        "proxy-auth", "the proxy wants Basic authentication (407 without)", _on("proxy_auth")
    ),
    "self-signed": Switch(
        "self-signed", "TLS certificates come from an authority that nobody knows", _on("self_signed")
    ),
    "device-life": Switch(
        "device-life:SECONDS", "how long a device code can be used (AADSTS70019)", _number("device_life")
    ),
    "device-interval": Switch(
        "device-interval:SECONDS",
        "how often a device may ask; slow_down if sooner",
        _number("device_interval"),
    ),
}
REPLIES = (
    ("signin:STATUS[xN]", "token and device code requests get this HTTP status; xN: only the first N"),
    ("signin:CODE[xN]", "they are refused with this AADSTS code, such as signin:53003"),
    ("signin:html[xN]", "they get a page in HTML, as from a portal that stands between"),
    ("signin:drop[xN]", "the connection ends without an answer"),
    ("signin:slow:SECONDS[xN]", "a pause before the answer"),
    ("discovery:...", "likewise for the openid configuration and the instance discovery"),
    ("graph:...", "likewise for Graph, without AADSTS codes"),
)


def parse(text: str) -> Switches:
    """Return what a list of switches, separated by commas, turns on; or raise ValueError."""
    switches = Switches()
    for word in filter(None, (part.strip() for part in text.split(","))):
        switches = _turned(switches, word)
    return switches


def _turned(switches: Switches, word: str) -> Switches:
    name, _, value = word.partition(":")
    if name in TARGETS:
        return replace(switches, troubles=(*switches.troubles, _trouble(word)))
    if name not in SWITCHES:
        raise ValueError(f"no switch is called {word!r}; there are:\n{explain()}")
    try:
        return SWITCHES[name].turn(switches, value)
    except ValueError as problem:
        raise ValueError(f"{word!r} is not {SWITCHES[name].form}: {problem}") from problem


def _trouble(word: str) -> Trouble:
    found = _REPLY.fullmatch(word)
    if found is None:
        raise ValueError(f"{word!r} is not TARGET:STATUS, TARGET:html, TARGET:drop or TARGET:slow:SECONDS")
    target, what, times = found["target"], found["what"], int(found["times"] or 0)
    if what.isdigit() and int(what) > 599 and (target != "signin" or int(what) not in REASONS):
        raise ValueError(f"{word!r}: the AADSTS codes are {', '.join(map(str, REASONS))}, for signin only")
    return Trouble(target, what, times)


def explain() -> str:
    """Return every switch with its meaning, a line each."""
    lines = [*REPLIES, *((switch.form, switch.meaning) for switch in SWITCHES.values())]
    return "\n".join(f"  {form:<26} {meaning}" for form, meaning in lines)
