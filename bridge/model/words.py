"""Words with few values, and a text that does not show itself."""

from __future__ import annotations

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
    """A text that shows itself only to who asks for it by name."""

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
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled")
