"""Words with few values, and a text that does not show itself."""

from __future__ import annotations

import hmac
from enum import StrEnum
from typing import NoReturn


class Owner(StrEnum):
    """Whose reader folder it is."""

    BEACON = "beacon"  # below the beacon's ImportProcedures
    BRIDGE = "bridge"  # ours, shipped in bridge.importprocedures
    PATH = "path"  # an absolute path in the settings


class Origin(StrEnum):
    """Where a run's captures come from."""

    ENGINE = "engine"
    BY_HAND = "by-hand"


class State(StrEnum):
    """What became of a run."""

    RUNNING = "running"
    COMPLETE = "complete"
    COMPLETE_WITH_GAPS = "complete-with-gaps"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    ABANDONED = "abandoned"


class Secret:
    """A text that shows itself only to who asks for it by name; two are compared in constant time."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text: for standard input of a child or a header, never for a log."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(...)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(_bytes(self), _bytes(other))

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __getstate__(self) -> NoReturn:
        raise TypeError("a Secret has no state to show")

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled")


def _bytes(secret: Secret) -> bytes:
    return secret.reveal().encode(errors="surrogatepass")
