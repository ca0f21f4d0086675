"""The steps that the native engine knows: for each its columns, and what reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from bridge.collect.graph import control, listing, usage
from bridge.collect.graph.calls import CALLS
from bridge.collect.graph.work import Work
from bridge.readers.ours import CLOSING, OPENING, SIGN_IN, USAGE


@dataclass(frozen=True, slots=True)
class Known:
    """A step: the properties of its columns, and what writes its rows."""

    properties: frozenset[str]
    read: Callable[[Work], None]


def _sign_ins(work: Work) -> None:
    """Write the last sign-ins, if they are wanted."""
    if work.options.sign_ins:
        listing.read(CALLS[SIGN_IN], work)
    else:
        work.log("SignIns is no: last sign-ins are not asked for")


_CONTROL = Known(frozenset(control.CELLS), control.read)
_LISTS = {step: Known(frozenset(call.cells), partial(listing.read, call)) for step, call in CALLS.items()}

STEPS: Mapping[str, Known] = {
    **_LISTS,
    OPENING: _CONTROL,
    CLOSING: _CONTROL,
    USAGE: Known(frozenset(usage.CELLS), usage.read),
    SIGN_IN: Known(_LISTS[SIGN_IN].properties, _sign_ins),
}
